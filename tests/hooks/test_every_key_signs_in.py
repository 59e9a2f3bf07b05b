"""Whatever the security team hands over signs in: key format × source × damage, verified by the simulated org.

``pytest -s tests/hooks/test_every_key_signs_in.py`` prints the table.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.backends import documented

SECRET = "open-sesame"
ALIAS = "salesforce"


def run(*command: str | Path) -> None:
    if shutil.which(str(command[0])) is None:
        (pytest.fail if os.environ.get("SFJWT_NO_SKIP") == "1" else pytest.skip)(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(records={}) as running:
        yield running


@pytest.fixture(scope="module")
def keys(org: SimulatedOrg, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The org's own key in every format, made by the real openssl and keytool."""
    folder = tmp_path_factory.mktemp("keys")
    pem, cert, p12, jks = (folder / name for name in ("key.pem", "cert.pem", "store.p12", "store.jks"))
    pem.write_text(org.private_key)
    cert.write_text(org.certificate)
    phrase = f"pass:{SECRET}"
    made = {
        "PEM PKCS#8": ("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", pem),
        "PEM PKCS#1": ("openssl", "rsa", "-traditional", "-in", pem),
        "PEM PKCS#8 encrypted": ("openssl", "pkcs8", "-topk8", "-passout", phrase, "-in", pem),
        "PEM PKCS#1 encrypted": ("openssl", "rsa", "-traditional", "-aes256", "-passout", phrase, "-in", pem),
        "DER PKCS#8": ("openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", pem),
    }
    contents = {}
    for name, command in made.items():
        target = folder / name.replace(" ", "_").replace("#", "")
        run(*command, "-out", target)
        contents[name] = target.read_bytes()
    run("openssl", "pkcs12", "-export", "-inkey", pem, "-in", cert, "-name", ALIAS, "-passout", phrase, "-out", p12)
    store = ("-srckeystore", p12, "-srcstoretype", "PKCS12", "-srcstorepass", SECRET)
    for kind, target in (("JKS", jks), ("PKCS12", folder / "keytool.p12")):
        into = ("-destkeystore", target, "-deststoretype", kind, "-deststorepass", SECRET)
        run("keytool", "-importkeystore", "-noprompt", *store, *into)
    return contents | {
        "PKCS#12 of openssl": p12.read_bytes(),
        "PKCS#12 of keytool": (folder / "keytool.p12").read_bytes(),
        "JKS of keytool": jks.read_bytes(),
    }


def text(change: Callable[[str], str]) -> Callable[[bytes], str]:
    return lambda data: change(data.decode())


#: What arrives in the field Private key. Binary formats can be pasted as base64 only.
DAMAGE: dict[str, Callable[[bytes], str]] = {
    "none": text(str),
    "literal \\n": text(lambda pem: pem.replace("\n", "\\n")),
    "blanks for newlines": text(lambda pem: pem.replace("\n", " ")),
    "CRLF": text(lambda pem: pem.replace("\n", "\r\n")),
    "in quotes": text(lambda pem: f'"{pem}"'),
    "indented": text(lambda pem: "".join(f"    {line}\n" for line in pem.splitlines())),
    "base64 of it": lambda data: base64.b64encode(data).decode(),
}
TEXTS = ["PEM PKCS#8", "PEM PKCS#1", "PEM PKCS#8 encrypted", "PEM PKCS#1 encrypted"]
STORES = ["DER PKCS#8", "PKCS#12 of openssl", "PKCS#12 of keytool", "JKS of keytool"]
CASES = [
    *((name, "Private key", damage) for name in TEXTS for damage in DAMAGE),
    *((name, "Private key", "base64 of it") for name in STORES),
    *((name, "Key file", "none") for name in TEXTS + STORES),
    *((name, "Key file", "base64 of it") for name in STORES),
]


@pytest.mark.java
@pytest.mark.parametrize(("name", "source", "damage"), CASES)
def test_it_signs_in(
    org: SimulatedOrg,
    keys: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    source: str,
    damage: str,
) -> None:
    connection = json.loads(org.connection_json())
    extra = connection["extra"]
    del extra["private_key"]
    if source == "Private key":
        extra["private_key"] = DAMAGE[damage](keys[name])
    else:
        file = tmp_path / "key"
        file.write_bytes(keys[name] if damage == "none" else base64.b64encode(keys[name]))
        extra["key_file"] = str(file)
    if "encrypted" in name or "#12" in name or "JKS" in name:
        connection["password"] = SECRET
    if "#12" in name or "JKS" in name:
        extra["key_alias"] = ALIAS
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", json.dumps(connection))
    passed, message = SalesforceJwtHook().test_connection()
    print(f"{'✓' if passed else '✗'} {name:<22} {source:<12} {damage:<20} {message[:60]}")
    assert passed, message


def test_the_documented_key_store_signs_in(
    org: SimulatedOrg, keys: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JKS of which the key has a passphrase of its own, in the JSON of the guide."""
    store = tmp_path / "salesforce.jks"
    store.write_bytes(keys["JKS of keytool"])
    own = ("-keypass", SECRET, "-new", "of-the-key")
    run("keytool", "-keypasswd", "-keystore", store, "-storepass", SECRET, "-alias", ALIAS, *own)
    values = {
        documented.EXAMPLE_KEY_STORE: base64.b64encode(store.read_bytes()).decode(),
        "airflow@acme.com": org.username,
        "https://acme.my.salesforce.com": org.url,
        "3MVG9...": org.consumer_key,
        "the passphrase of the store": SECRET,
        "the passphrase of the key": "of-the-key",
    }
    secret = documented.filled("secret: key store", "salesforce_store", values)
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_STORE", secret)
    with SalesforceJwtHook("salesforce_store").connect() as connected:
        assert connected.token().value
