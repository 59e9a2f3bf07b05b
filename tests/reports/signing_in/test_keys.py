"""What people reported about keys, paths, types and refusals, kind S11."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.reports.signing_in.connections import TOKEN, findings, hook_for, read, text
from tests.salesforce.wire.tls_certificates import Authority

# -- S11: the text of a key ----------------------------------------------------------------------------------------------

PEM_TEXT: dict[str, Callable[[str], str]] = {
    "openssl pkcs12 -nodes": lambda pem: (
        "Bag Attributes\n    friendlyName: acme's key\n    localKeyID: 54 69\nKey Attributes: <No Attributes>\n" + pem
    ),
    "comment with an escape": lambda pem: f"# a%2Bb\n{pem}",
    "comment with quotes": lambda pem: f'# "mine", > 2024 \\n\n{pem}',
}
DAMAGED_TEXT: dict[str, Callable[[str], str]] = {
    "JSON list": lambda pem: json.dumps(pem.splitlines()),
    "Python tuple": lambda pem: repr(tuple(pem.splitlines())),
    "commas": lambda pem: pem.replace("\n", ","),
    "&#10;": lambda pem: pem.replace("\n", "&#10;"),
    "<br>": lambda pem: pem.replace("\n", "<br>"),
    "n for line breaks": lambda pem: pem.replace("\n", "n"),
    "b'LS0t…'": lambda pem: repr(base64.b64encode(pem.encode())),
    "data:": lambda pem: "data:text/plain;charset=utf-8;base64," + base64.b64encode(pem.encode()).decode(),
    "KEY=": lambda pem: "KEY=" + base64.b64encode(pem.encode()).decode(),
    "%": lambda pem: base64.b64encode(pem.encode()).decode() + "%",
}


@pytest.mark.parametrize("kind", PEM_TEXT)
def test_S11_a_whole_key_is_not_repaired(pair: KeyPair, kind: str) -> None:
    (key,) = read_keys(PEM_TEXT[kind](pair.private_key), source="Private key")
    assert (key.fingerprint, key.repairs) == (read_certificate(pair.certificate).fingerprint, ())


@pytest.mark.parametrize("kind", DAMAGED_TEXT)
def test_S11_key_text(pair: KeyPair, kind: str) -> None:
    (key,) = read_keys(DAMAGED_TEXT[kind](pair.private_key), source="Private key")
    assert key.fingerprint == read_certificate(pair.certificate).fingerprint
    assert key.repairs


@pytest.mark.parametrize(
    "cipher", ["rsa -traditional -des", "rsa -traditional -seed", "pkcs8 -topk8 -v1 PBE-SHA1-RC4-40"]
)
def test_S11_advice_for_old_ciphers_works_on_openssl_3(pair: KeyPair, tmp_path: Path, cipher: str) -> None:
    (tmp_path / "plain.key").write_text(pair.private_key)
    legacy = ["-provider", "default", "-provider", "legacy"]
    made = [*cipher.split(), *legacy, "-in", "plain.key", "-out", "old.key", "-passout", "pass:old-one"]
    subprocess.run(["openssl", *made], check=True, capture_output=True, cwd=tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        read_keys((tmp_path / "old.key").read_text(), source="Private key", passphrase="old-one")
    advice = caught.value.fields["Private key"].split("`")[1].replace("<file>", "old.key").split()
    given = ["-passin", "pass:old-one", "-passout", "pass:new-one"]
    subprocess.run([*advice, *given], check=True, capture_output=True, cwd=tmp_path)
    (key,) = read_keys((tmp_path / "new.key").read_text(), source="Private key", passphrase="new-one")
    assert key.fingerprint == read_certificate(pair.certificate).fingerprint


@pytest.mark.parametrize("encoded", [False, True], ids=["file", "base64"])
@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\0\0\0\2\0\0\0\x14" + bytes(range(128, 148)) + b"\0\0\4\0" + bytes(80), "Bouncy Castle"),
        (b"\0\0\0\1\0\0\0\x14" + bytes(range(148, 168)) + b"\0\0\7\xd0" + bytes(80), "Bouncy Castle"),
        (b"\x30\x82\x00\x13\x30\x0a\x30\x04\x06\x02\x2a\x03\x04\x02\x01\x02\x30\x05\x30\x00\x04\x01\x07", "Bouncy Castle"),
        (b"\x1e\xf1\xb5\xb0" + bytes(90), "PVK key"),
    ],
    ids=["BKS", "UBER", "BCFKS", "PVK"],
)  # fmt: skip
def test_S11_other_key_stores_are_named(data: bytes, named: str, encoded: bool) -> None:
    material = base64.b64encode(data).decode() if encoded else data
    with pytest.raises(ConfigurationError, match=named) as caught:
        read_keys(material, source="Key file", passphrase="p")
    assert "keytool" in str(caught.value) or "openssl" in str(caught.value)


@pytest.mark.parametrize(
    "form", ["~/sf.pem", "file://{home}/sf.pem", "file://localhost{home}/sf.pem", "'{home}/sf.pem'"]
)
def test_S11_key_file(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "sf.pem").write_text(org.private_key)
    assert read(org, {"private_key": None, "key_file": form.format(home=tmp_path)}).credentials.keys


@pytest.mark.parametrize(
    ("name", "entered", "said"),
    [
        ("key_file", "{home}", "is a folder; enter the path of a file"),
        ("key_file", "file://server/keys/sf.pem", "names another machine"),
        ("key_file", "~nobody-of-this-name/sf.pem", "there is no file"),
        ("ca_bundle", "{home}", "is a folder; enter the path of a file, or of a folder that `openssl rehash`"),
    ],
)
def test_S11_paths_that_name_no_file(org: SimulatedOrg, tmp_path: Path, name: str, entered: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read(org, {"private_key": None, name: entered.format(home=tmp_path)})


def test_S11_a_folder_of_authorities(org: SimulatedOrg, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "authority.pem").write_bytes(authority.file.read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    assert read(org, {"ca_bundle": str(tmp_path)}).transport.ca_bundle == str(tmp_path)


@pytest.mark.parametrize("conn_type", ["", "http", "salesforce-jwt", "Salesforce_JWT"])
def test_S11_one_rule_for_types(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, conn_type: str) -> None:
    passed, sentence = hook_for(monkeypatch, text(org, conn_type=conn_type)).test_connection()
    assert passed, sentence


REFUSALS = [
    ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "Unblock", "Connected Apps OAuth Usage"),
    ("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org", "installs or deploys", "External Client App Manager"),
    ("app_not_found", "External client app is not installed in this org", "installs or deploys", "External Client App Manager"),
    ("OAUTH_APPROVAL_ERROR_GENERIC", "An unexpected error has occurred", "press Install", "Connected Apps OAuth Usage"),
    ("OAUTH_AUTHORIZATION_BLOCKED", "Cross-org OAuth flows are not supported for this external client app", "package the app", "External Client App Manager"),
    ("use_dpop_nonce", "Authorization server requires nonce in DPoP proof", "DPoP", "External Client App Manager"),
    ("invalid_dpop_proof", "missing", "DPoP", "External Client App Manager"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "description", "remedy", "page"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_S11_refusal_of_an_external_client_app(
    org: SimulatedOrg, code: str, description: str, remedy: str, page: str
) -> None:
    body = json.dumps({"error": code, "error_description": description})
    org.add_fault(Fault(path=TOKEN, status=400, body=body, times=None))
    found = findings(org)[-1]
    assert (found.name, found.setup_page) == ("exchange", page)
    assert remedy in found.remedy
