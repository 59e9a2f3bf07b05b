"""From the fields of a connection, as any source delivers them, to credentials or to all that is wrong with them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as ser

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.credentials import (
    LABELS,
    ConnectionSettings,
    connection_secrets,
    read_connection,
)
from airflow_provider_sfjwt.salesforce.wire.settings import DEFAULT_TIMEOUT
from airflow_provider_sfjwt.testing.oauth.certificates import shared_private_key

KEY = shared_private_key()
PROXY = "http://user:pr0xy-pass@proxy.example.com:3128"


def read(
    extra: Any = None,
    login: Any = "user@acme.com",
    host: Any = None,
    port: Any = None,
    password: Any = None,
    **extras: Any,
) -> ConnectionSettings:
    if extra is None:
        extra = {"consumer_key": "3MVG9abc", "private_key": KEY, **extras}
    return read_connection(login=login, password=password, host=host, port=port, extra=extra)


def faults(*args: Any, **fields: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        read(*args, **fields)
    assert not caught.value.retryable
    return caught.value.fields


def test_the_least_that_a_connection_must_say() -> None:
    settings = read()
    credentials = settings.credentials
    assert (credentials.username, credentials.consumer_key) == ("user@acme.com", "3MVG9abc")
    assert credentials.login_url == credentials.audience == "https://login.salesforce.com"
    assert (credentials.consumer_secret, credentials.certificate, settings.api_version) == (None, None, None)
    assert (settings.transport.timeout, settings.transport.ca_bundle) == (DEFAULT_TIMEOUT, None)
    assert len(credentials.keys) == 1


def test_the_endpoint_of_the_event_bus_is_one_of_salesforces() -> None:
    assert read(pubsub_endpoint="deu").event_bus == "api.deu.pubsub.salesforce.com:7443"
    assert list(faults(pubsub_endpoint="evil.com:7443")) == ["Pub/Sub endpoint"]


def test_all_that_a_connection_can_say(tmp_path: Path) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.write_text("any")
    settings = read(
        host="acme--dev.sandbox.my.salesforce.com",
        port="8443",
        audience=" https://custom.example.com ",
        certificate="-----BEGIN CERTIFICATE-----",
        consumer_secret="s3cr3t",
        api_version="66.0",
        ca_bundle=str(bundle),
        proxy=PROXY,
        http_timeout="30",
    )
    credentials, transport = settings.credentials, settings.transport
    assert credentials.login_url == "https://acme--dev.sandbox.my.salesforce.com:8443"
    assert (credentials.audience, credentials.consumer_secret) == ("https://custom.example.com", "s3cr3t")
    assert credentials.certificate == "-----BEGIN CERTIFICATE-----"
    assert (transport.timeout, transport.ca_bundle, transport.proxy) == (30.0, str(bundle), PROXY)
    assert settings.api_version == "66.0"


def test_the_audience_follows_from_the_login_url() -> None:
    assert read(host="test.salesforce.com").credentials.audience == "https://test.salesforce.com"


@pytest.mark.parametrize("extra_of", [json.dumps, dict], ids=["text", "decoded"])
def test_extras_come_as_text_or_decoded(extra_of: Any) -> None:
    assert read(extra_of({"consumer_key": "3MVG9abc", "private_key": KEY})).credentials.consumer_key == "3MVG9abc"


@pytest.mark.parametrize("given", ["66.0", "66", " v66.0 ", "V66", 66, 66.0])
def test_an_api_version_is_understood_from_every_kind_of_source(given: Any) -> None:
    assert read(api_version=given).api_version == "66.0"


@pytest.mark.parametrize(("given", "seconds"), [("12.5", 12.5), (12, 12.0), (12.5, 12.5), ("3600", 3600.0)])
def test_a_timeout_is_understood_from_every_kind_of_source(given: Any, seconds: float) -> None:
    assert read(http_timeout=given).transport.timeout == seconds


@pytest.mark.parametrize("given", [8443, "8443", "8443.0", 8443.0])
def test_a_port_is_understood_from_every_kind_of_source(given: Any) -> None:
    assert read(port=given).credentials.login_url == "https://login.salesforce.com:8443"


@pytest.mark.parametrize("unset", [None, "", "  "])
def test_null_and_blank_mean_unset(unset: Any) -> None:
    names = set(LABELS) - {"login", "host", "password", "port", "consumer_key", "private_key"}
    settings = read(host=unset, port=unset, password=unset, **dict.fromkeys(names, unset))
    assert settings.credentials.identity == read().credentials.identity
    assert (settings.transport, settings.api_version) == (read().transport, None)
    assert (settings.credentials.consumer_secret, settings.credentials.certificate) == (None, None)


@pytest.mark.parametrize("consumer_key", [12345, True])
def test_what_a_source_made_of_a_text_is_a_text_again(consumer_key: Any) -> None:
    assert read(consumer_key=consumer_key).credentials.consumer_key == str(consumer_key)


def test_a_passphrase_keeps_its_blanks() -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(KEY.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b" blank ")).decode()
    assert read(private_key=locked, password=" blank ").credentials.identity == read().credentials.identity
    assert "Key or key-store passphrase" in faults(private_key=locked, password="blank")


def test_a_key_file_is_read_where_the_hook_runs(tmp_path: Path) -> None:
    path = tmp_path / "sf.key"
    path.write_text(KEY)
    assert read(private_key=None, key_file=str(path)).credentials.identity == read().credentials.identity


def test_every_fault_is_told_at_once_by_its_label(tmp_path: Path) -> None:
    found = faults(
        login=None,
        host="ftp://login.salesforce.com",
        port="many",
        consumer_key="",
        private_key="no key",
        audience=["https://login.salesforce.com"],
        api_version="newest",
        ca_bundle=str(tmp_path / "missing.pem"),
        proxy="proxy.example.com:3128",
        http_timeout="soon",
        certificate={"pem": "x"},
        consumer_secret="***",
        instance_domains="https://",
    )
    expected = {
        "Username",
        "Login URL",
        "Port",
        "Consumer key",
        "Private key",
        "Audience",
        "API version",
        "CA bundle",
        "Proxy",
        "HTTP timeout",
        "Certificate",
        "Consumer secret",
        "Instance domains",
    }
    assert set(found) == expected
    assert "missing" in found["Consumer key"]
    assert "list or an object" in found["Audience"]
    assert "***" in found["Consumer secret"]


def test_an_error_says_which_connection_it_is_about() -> None:
    with pytest.raises(ConfigurationError, match="^connection 'crm': ") as caught:
        read_connection(login=None, password=None, host=None, port=None, extra=None, subject="connection 'crm'")
    assert set(caught.value.fields) == {"Username", "Consumer key", "Private key"}


@pytest.mark.parametrize("extra", ["{not json", "[1]", '"text"', "5"])
def test_extras_that_are_no_object_are_told_with_what_is_missing_for_it(extra: str) -> None:
    found = faults(extra)
    assert set(found) == {"Extra", "Consumer key", "Private key"}
    assert "JSON" in found["Extra"]
    assert "not json" not in found["Extra"]


@pytest.mark.parametrize("alike", ["consumerKey", "consumer-key", "Consumer_Key"])
def test_an_extra_of_almost_that_name_is_pointed_at(alike: str) -> None:
    assert f"'{alike}'" in faults({alike: "3MVG9", "private_key": KEY})["Consumer key"]


def test_an_extra_of_another_name_is_not_pointed_at() -> None:
    assert "extra" not in faults({"region": "eu", "private_key": KEY})["Consumer key"]


@pytest.mark.parametrize("field", ["login", "consumer_key", "private_key", "key_file", "http_timeout", "password"])
def test_the_mask_of_a_secret_is_no_secret(field: str) -> None:
    assert "***" in faults(**{field: "***"})[LABELS[field]]


@pytest.mark.parametrize("timeout", [0, -1, 3601, "nan", "inf", True, "1e9"])
def test_a_timeout_out_of_range_is_refused(timeout: Any) -> None:
    assert set(faults(http_timeout=timeout)) == {"HTTP timeout"}


@pytest.mark.parametrize("port", [-1, 65536, 80.5, "x", True])
def test_a_port_out_of_range_is_refused(port: Any) -> None:
    assert set(faults(port=port)) == {"Port"}


@pytest.mark.parametrize("version", ["6.60", "66.1", "sixty", True, "6"])
def test_an_odd_api_version_is_refused(version: Any) -> None:
    assert set(faults(api_version=version)) == {"API version"}


@pytest.mark.parametrize("proxy", [PROXY, "https://proxy.example.com", "http://10.0.0.1:3128/", "http://[::1]:3128"])
def test_a_proxy_is_taken_as_it_is(proxy: str) -> None:
    assert read(proxy=proxy).transport.proxy == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.example.com:3128",
        "socks5://proxy.example.com",
        "http://",
        "http://proxy.example.com:0",
        "http://proxy.example.com:many",
        "http://user:h#dden@proxy.example.com:3128",
        "http://user:h/dden@proxy.example.com:3128",
        "http://user:12/dden@proxy.example.com:3128",
        "http://user:12?dden@proxy.example.com:3128",
        "http://user:hid den@proxy.example.com:3128",
        "http://[::1",
    ],
)
def test_a_proxy_that_cannot_be_an_address_is_refused_without_its_password(proxy: str) -> None:
    found = faults(proxy=proxy)
    assert set(found) == {"Proxy"}
    assert "dden" not in found["Proxy"]


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "sf.key"
    path.write_text(KEY)
    assert set(faults(key_file=str(path))) == {"Key file"}


def test_a_key_file_that_is_missing_is_told_by_its_path(tmp_path: Path) -> None:
    found = faults(private_key=None, key_file=str(tmp_path / "missing.key"))
    assert set(found) == {"Key file"}
    assert "missing.key" in found["Key file"]


@pytest.mark.parametrize(
    "pasted",
    [KEY, KEY.replace("\n", " "), "".join(KEY.splitlines()[1:-1]), "".join(KEY.splitlines()[1:-1])[:800]],
    ids=["pem", "one line", "base64", "half"],
)
def test_a_key_pasted_as_a_path_is_not_shown(pasted: str) -> None:
    found = faults(private_key=None, key_file=pasted)
    assert set(found) == {"Key file"}
    assert pasted[40:60] not in str(found)


def test_a_path_that_is_no_file_here_is_said(tmp_path: Path) -> None:
    for path, said in ((str(tmp_path), "is a folder"), ("file://nas/a.key", "names another machine")):
        assert said in faults(private_key=None, key_file=path)["Key file"]
    assert "openssl rehash" in faults(ca_bundle=str(tmp_path))["CA bundle"]
    (tmp_path / "5a3f0f31.0").touch()
    assert read(ca_bundle=str(tmp_path)).transport.ca_bundle == str(tmp_path)


def test_a_path_that_may_not_be_looked_at_is_a_fault(tmp_path: Path) -> None:
    found = faults(private_key=None, key_file="/" + "x" * 300)
    assert "there is no file" in found["Key file"]


def test_a_key_file_that_may_not_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sf.key"
    path.write_text(KEY)

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "Permission denied" in faults(private_key=None, key_file=str(path))["Key file"]


def test_a_key_file_of_great_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "dump.bin"
    with path.open("wb") as file:
        file.truncate(11 * 2**20)
    assert "larger" in faults(private_key=None, key_file=str(path))["Key file"]


def test_settings_show_no_secret_and_cannot_be_saved() -> None:
    settings = read(consumer_secret="s3cr3t-of-app", proxy=PROXY, password=None)
    shown = repr(settings) + str(settings.credentials) + f"{settings.credentials}"
    for secret in ("s3cr3t-of-app", "pr0xy-pass", *KEY.splitlines()[1:-1]):
        assert secret not in shown
    assert settings.credentials.keys[0].fingerprint in shown
    with pytest.raises(TypeError):
        pickle.dumps(settings.credentials)


def test_an_identity_tells_sign_ins_apart_and_holds_no_secret() -> None:
    identity = read(consumer_secret="s3cr3t-of-app").credentials.identity
    assert identity == read().credentials.identity
    others = [read(login="b@acme.com"), read(host="test.salesforce.com"), read(consumer_key="x"), read(audience="y")]
    assert len({identity, *(other.credentials.identity for other in others)}) == 5
    assert "s3cr3t-of-app" not in identity


@pytest.mark.parametrize("as_text", [True, False])
def test_every_secret_is_told_to_the_masker(as_text: bool) -> None:
    extras = {"private_key": KEY, "key_passphrase": "inner pass", "consumer_secret": "s3cr3t", "proxy": PROXY, "x": "y"}
    told = connection_secrets(password="outer pass", extra=json.dumps(extras) if as_text else extras)
    lines = [line for line in KEY.splitlines()[1:-1] if len(line) >= 8]
    assert {"outer pass", "inner pass", "s3cr3t", PROXY, *lines} <= set(told)
    assert len(told) < len(lines) + 10  # the whole key, its lines joined or escaped: all made of its lines
    assert "y" not in told
    assert list(told) == sorted(told, key=len)


@pytest.mark.parametrize("joint", ["\n", "\n    ", " ", "\\n"])
def test_the_headers_of_openssl_do_not_have_the_whole_key_told_again(joint: str) -> None:
    key = ser.load_pem_private_key(KEY.encode(), None)
    encrypted = ser.BestAvailableEncryption(b"outer pass")
    lines = key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.TraditionalOpenSSL, encrypted).decode().splitlines()
    vector = next(line for line in lines if line.startswith("DEK-Info: "))
    told = connection_secrets(password="outer pass", extra={"private_key": joint.join(lines)})
    body = [line for line in lines[lines.index("") + 1 : -1] if len(line) >= 8]
    assert {"outer pass", vector, *body} <= set(told)
    assert max(map(len, told)) == 64


@pytest.mark.parametrize(
    ("password", "extra", "told"),
    [
        (None, None, ()),
        (None, {}, ()),
        (None, {"private_key": 5, "proxy": None}, ()),
        pytest.param(None, "{broken " + KEY, ("{broken " + KEY,), id="unreadable extras"),
        (12345678, None, ("12345678",)),
    ],
)
def test_odd_fields_hold_no_secret_or_are_one(password: Any, extra: Any, told: tuple[str, ...]) -> None:
    assert connection_secrets(password=password, extra=extra) == told
