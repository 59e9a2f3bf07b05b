"""Stores as keytool and OpenSSL really write them, and as they arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from asn1crypto.keys import EncryptedPrivateKeyInfo
from asn1crypto.pkcs12 import AuthenticatedSafe, Pfx, SafeContents
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.java_key_store import read_jks
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey, read_keys
from tests.random_tests import examples

STORE, KEY, NOT_ASCII = "geheim-1", "anders-1", "geheim-€1"
FIELDS = ("Key or key-store passphrase", "Key alias", "Key passphrase", "Key file")
PASSPHRASE, ALIAS, KEY_PASSPHRASE, SOURCE = FIELDS


def run(program: str, *arguments: str | Path) -> bytes:
    path = shutil.which(program)
    if path is None:
        refuse = pytest.fail if os.environ.get("SFJWT_NO_SKIP") == "1" else pytest.skip
        refuse(f"{program} is not installed")
    # Java reads its arguments in the locale's encoding.
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run([path, *arguments], capture_output=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def genkeypair(store: Path, alias: str, *options: str, storepass: str = STORE) -> None:
    common = ("-keyalg", "RSA", "-keysize", "2048", "-dname", f"CN={alias}", "-validity", "9")
    run("keytool", "-genkeypair", "-keystore", store, "-storepass", storepass, "-alias", alias, *common, *options)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="session")
def jks(folder: Path) -> Path:
    """Two keys, one with a passphrase of its own, and a certificate."""
    store = folder / "two.jks"
    genkeypair(store, "First", "-storetype", "JKS", "-keypass", KEY)
    genkeypair(store, "zweiter Schlüssel", "-storetype", "JKS", "-keypass", STORE)
    certificate = folder / "other.cer"
    certificate.write_bytes(exported(store, "first"))
    run(
        "keytool", "-importcert", "-noprompt", "-keystore", store, "-storepass", STORE, "-alias", "c",
        "-file", certificate,
    )  # fmt: skip
    return store


@pytest.fixture(scope="session")
def p12(folder: Path) -> Path:
    """Two keys and a secret key in keytool's default format, which many still name ``.jks``."""
    store = folder / "default.jks"
    genkeypair(store, "First")
    genkeypair(store, "second")
    secret = ("-keyalg", "AES", "-keysize", "128")
    run("keytool", "-genseckey", "-keystore", store, "-storepass", STORE, "-alias", "secret", *secret)
    return store


@pytest.fixture(scope="session")
def pem(folder: Path) -> Path:
    path = folder / "key.pem"
    run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
    return path


def exported(store: Path, alias: str) -> bytes:
    return run("keytool", "-exportcert", "-rfc", "-keystore", store, "-storepass", STORE, "-alias", alias)


def from_openssl(pem: Path, name: str, *options: str, passphrase: str = STORE) -> bytes:
    path = pem.with_name(f"{name}.p12")
    run("openssl", "pkcs12", "-export", "-inkey", pem, "-nocerts", "-passout", f"pass:{passphrase}", "-out", path,
        *options)  # fmt: skip
    return path.read_bytes()


def assert_key_of(key: SigningKey, certificate_pem: bytes) -> None:
    public_key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    signature = key.private_key.sign(b"assertion", padding.PKCS1v15(), SHA256())
    public_key.verify(signature, b"assertion", padding.PKCS1v15(), SHA256())  # type: ignore[union-attr, call-arg, arg-type]
    assert key.fingerprint == read_certificate(certificate_pem.decode()).fingerprint


def read(material: str | bytes, passphrase: str | None = STORE, alias: str | None = None, key: str | None = None):  # type: ignore[no-untyped-def]
    return read_keys(material, source=SOURCE, passphrase=passphrase, key_alias=alias, key_passphrase=key)[0]


def refused(material: str | bytes, passphrase: str | None = STORE, alias: str | None = None, key: str | None = None):  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError) as caught:
        read(material, passphrase, alias, key)
    ((field, sentence),) = caught.value.fields.items()
    assert STORE not in sentence
    assert KEY not in sentence
    return field, sentence


ARRIVALS = {
    "file": lambda data: data,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64 in lines": lambda data: base64.encodebytes(data).decode(),
    "base64 with CRLF": lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
    "base64 with spaces": lambda data: base64.encodebytes(data).decode().replace("\n", " "),
    "base64 in quotes": lambda data: repr(base64.b64encode(data).decode()),
    "base64 for URLs": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "base64 in a file": base64.encodebytes,
    "base64 twice": lambda data: base64.b64encode(base64.b64encode(data)).decode(),
}


@pytest.mark.java
@pytest.mark.parametrize("arrival", ARRIVALS)
def test_keys_of_keytool_however_they_arrive(jks: Path, p12: Path, arrival: str) -> None:
    for store, alias, passphrase in ((jks, "first", KEY), (jks, "zweiter schlüssel", None), (p12, "FIRST", None)):
        key = read(ARRIVALS[arrival](store.read_bytes()), alias=alias, key=passphrase)
        assert_key_of(key, exported(store, alias))
        assert key.alias == alias.lower()
        assert key.repairs == ()
        print(f"{store.name:14}{arrival:20}{key.fingerprint[:19]}… ok")


@pytest.mark.java
def test_the_alias_says_which_key(jks: Path, p12: Path) -> None:
    for store in (jks, p12):
        for alias, opening in ((None, "the key store holds several keys"), ("c", "no key of the store has this alias")):
            field, sentence = refused(store.read_bytes(), alias=alias)
            assert field == ALIAS
            assert sentence.startswith(opening)
            assert "'first'" in sentence
            assert "'second'" in sentence or "'zweiter schlüssel'" in sentence
            assert "'c'" not in sentence


@pytest.mark.java
def test_one_key_needs_no_alias(folder: Path, p12: Path) -> None:
    for source, kind in (("first", "JKS"), ("second", "PKCS12")):
        target = folder / f"imported.{kind}"
        run(
            "keytool", "-importkeystore", "-srckeystore", p12, "-srcstorepass", STORE, "-srcalias", source,
            "-destkeystore", target, "-deststoretype", kind, "-deststorepass", STORE, "-noprompt",
        )  # fmt: skip
        key = read(target.read_bytes())
        assert key.alias == source
        assert_key_of(key, exported(p12, source))


@pytest.mark.java
def test_passphrases_of_stores(jks: Path, p12: Path) -> None:
    for store in (jks.read_bytes(), p12.read_bytes()):
        assert refused(store, passphrase=None)[0] == PASSPHRASE
        assert refused(store, passphrase="")[1] == "the key store has a passphrase; enter it here"
        assert "does not open the key store" in refused(store, passphrase="wrong")[1]
        assert refused(store, alias="first", key="wrong")[0] == KEY_PASSPHRASE
    assert "of its own" in refused(jks.read_bytes(), alias="first")[1]


@pytest.mark.java
@pytest.mark.parametrize("option", ["-Dkeystore.pkcs12.legacy", "-Dkeystore.pkcs12.macAlgorithm=NONE"])
def test_older_and_bare_stores_of_java(folder: Path, option: str) -> None:
    store = folder / f"{option[-6:]}.p12"
    genkeypair(store, "only", f"-J{option}")
    assert_key_of(read(store.read_bytes()), exported(store, "only"))
    assert refused(store.read_bytes(), passphrase="wrong") == (
        PASSPHRASE,
        "this passphrase does not open the key store; enter the one that the store was made with",
    )
    assert refused(store.read_bytes(), passphrase=None)[0] == PASSPHRASE


@pytest.mark.java
def test_a_store_of_certificates_has_no_key(folder: Path, jks: Path) -> None:
    for kind in ("JKS", "PKCS12"):
        certificate, store = folder / "first.cer", folder / f"certificates.{kind}"
        certificate.write_bytes(exported(jks, "first"))
        run(
            "keytool", "-importcert", "-noprompt", "-keystore", store, "-storetype", kind, "-storepass", STORE,
            "-alias", "c", "-file", certificate,
        )  # fmt: skip
        assert refused(store.read_bytes()) == (
            SOURCE,
            "the key store holds no private key; export it together with its private key",
        )


@pytest.mark.java
def test_a_passphrase_beyond_ascii(folder: Path) -> None:
    store = folder / "euro.jks"
    genkeypair(store, "only", "-storetype", "JKS", "-keypass", NOT_ASCII, storepass=NOT_ASCII)
    assert read(store.read_bytes(), passphrase=NOT_ASCII).alias == "only"


@pytest.mark.java
def test_jceks_says_how_to_convert_it(folder: Path) -> None:
    store = folder / "old.jceks"
    genkeypair(store, "only", "-storetype", "JCEKS")
    assert "keytool -importkeystore" in refused(store.read_bytes())[1]


@pytest.mark.java
def test_damaged_jks(jks: Path) -> None:
    data = jks.read_bytes()
    damaged = (SOURCE, "the key store is cut off or damaged; copy the file again, as binary or in base64")
    assert refused(data[:700]) == damaged
    assert refused(data[:4]) == damaged
    assert refused(data[:12] + b"\0\0\0\7" + data[16:]) == damaged


def jks_of(protected: bytes, version: int) -> bytes:
    """Write a store with one key and one certificate, neither of which need make sense."""
    kind = b"\0\5X.509" if version == 2 else b""
    certificate = kind + struct.pack(">I", 3) + b"any"
    entry = struct.pack(">IH3sQI", 1, 3, b"one", 0, len(protected)) + protected + struct.pack(">I", 1) + certificate
    trusted = struct.pack(">IH1sQ", 2, 1, b"c", 0) + certificate
    body = struct.pack(">4sII", b"\xfe\xed\xfe\xed", version, 2) + entry + trusted
    return body + hashlib.sha1(STORE.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


@pytest.mark.java
def test_the_first_version_of_jks(jks: Path) -> None:
    (protected,) = (key.protected for key in read_jks(jks.read_bytes()) if key.alias == "first")
    for version in (1, 2):
        assert_key_of(read(jks_of(protected, version), key=KEY), exported(jks, "first"))


@pytest.mark.parametrize("version", [1, 2])
def test_jks_with_something_else_for_a_key(version: int) -> None:
    algorithm = {"algorithm": "1.2.840.113549.1.5.3"}
    other = EncryptedPrivateKeyInfo({"encryption_algorithm": algorithm, "encrypted_data": bytes(60)}).dump()
    for protected in (b"", b"nonsense", other):
        assert refused(jks_of(protected, version))[0] == SOURCE


@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
@pytest.mark.java
def test_a_changed_store_gives_its_key_or_a_sentence(data: st.DataObject, jks: Path, p12: Path) -> None:
    store = data.draw(st.sampled_from((jks, p12))).read_bytes()
    at = data.draw(st.integers(0, len(store) - 1))
    changed = store[:at] + data.draw(st.binary(max_size=3)) + store[at + data.draw(st.integers(0, 3)) :]
    try:
        key = read(changed, alias="first")
    except ConfigurationError as error:
        assert len(str(error)) < 300
    else:
        assert key.alias == "first"


SCHEMES = ("AES-256-CBC", "PBE-SHA1-3DES", "PBE-SHA1-RC2-40", "NONE")


@pytest.mark.parametrize(("scheme", "passphrase"), list(itertools.product(SCHEMES, (STORE, NOT_ASCII, ""))))
def test_stores_of_openssl(pem: Path, scheme: str, passphrase: str) -> None:
    whole = read(pem.read_bytes(), passphrase=None)
    for mac in ((), ("-nomac",)):
        store = from_openssl(pem, "store", "-legacy", "-keypbe", scheme, "-name", "Ä key", *mac, passphrase=passphrase)
        key = read(store, passphrase=passphrase)
        assert (key.fingerprint, key.alias) == (whole.fingerprint, "Ä key")
        if scheme != "NONE" or not mac:
            assert refused(store, passphrase="wrong")[0] == PASSPHRASE


def test_a_scheme_that_not_every_library_reads(pem: Path) -> None:
    store = from_openssl(pem, "rc2", "-legacy", "-keypbe", "PBE-SHA1-RC2-128")
    try:
        assert read(store).alias == "1"
    except ConfigurationError as error:
        assert "encrypted in a way that cannot be read here" in error.fields[SOURCE]


def rebuilt(store: bytes, copies: int = 1, *, nested: bool = False, name: bool = True) -> bytes:
    """Put a store's bags several times into a store without a MAC, as no tool here does."""
    pfx = Pfx.load(store)
    contents = SafeContents.load(pfx.authenticated_safe[0]["content"].native)
    bags = [bag for bag in contents for _ in range(copies)]
    for bag in bags if not name else ():
        bag["bag_attributes"] = []
    bag_list = SafeContents(bags)
    if nested:
        bag_list = SafeContents([{"bag_id": "safe_contents", "bag_value": bag_list}])
    data = {"content_type": "data", "content": bag_list.dump()}
    safe = AuthenticatedSafe([data])
    return Pfx({"version": "v3", "auth_safe": {"content_type": "data", "content": safe.dump()}}).dump()


def test_bags_in_a_bag_and_bags_without_a_name(pem: Path) -> None:
    store = from_openssl(pem, "unnamed")
    whole = read(pem.read_bytes(), passphrase=None)
    key = read(rebuilt(store, nested=True))
    assert (key.fingerprint, key.alias) == (whole.fingerprint, "1")
    field, sentence = refused(rebuilt(store, copies=2))
    assert (field, sentence[-8:]) == (ALIAS, "'1', '2'")
    assert read(rebuilt(store, copies=2), alias="2").fingerprint == whole.fingerprint
    assert refused(rebuilt(store), key="wrong")[0] == KEY_PASSPHRASE


def test_a_mac_of_the_new_kind_leaves_the_proof_to_the_key(pem: Path) -> None:
    pfx = Pfx.load(from_openssl(pem, "pbmac1"))
    pfx["mac_data"]["mac"]["digest_algorithm"] = {"algorithm": "1.2.840.113549.1.5.14"}
    assert read(pfx.dump(force=True)).alias == "1"
    assert refused(pfx.dump(force=True), passphrase="wrong")[0] == PASSPHRASE


def test_a_mac_of_no_passphrase_at_all(pem: Path) -> None:
    pfx = Pfx.load(from_openssl(pem, "null", "-keypbe", "NONE", "-macalg", "sha256"))
    mac, block = pfx["mac_data"], 64
    salt = mac["mac_salt"].native
    digest = bytes([3]) * block + (salt * block)[:block]
    for _ in range(mac["iterations"].native):
        digest = hashlib.sha256(digest).digest()
    mac["mac"]["digest"] = hmac.new(digest, pfx["auth_safe"]["content"].native, "sha256").digest()
    assert read(pfx.dump(force=True), passphrase=None).alias == "1"


def test_pem_around_a_store(pem: Path) -> None:
    body = base64.encodebytes(from_openssl(pem, "armoured")).decode()
    assert read(f"-----BEGIN PKCS12-----\n{body}-----END PKCS12-----\n").alias == "1"


def test_a_store_cut_off(pem: Path) -> None:
    store = from_openssl(pem, "cut")
    assert refused(store[:-9]) == (SOURCE, "the key is cut off; copy the whole of it again")
    assert "damaged" in refused(b"\x30\x81\x80\x02\x01\x03\x30\x7b" + bytes(123))[1]


def test_a_mac_of_millions_of_rounds_is_not_computed(pem: Path) -> None:
    pfx = Pfx.load(from_openssl(pem, "rounds"))
    pfx["mac_data"]["iterations"] = 2_000_000
    assert "more rounds" in refused(pfx.dump(force=True))[1]


def test_a_protected_key_longer_than_any_is_not_opened() -> None:
    algorithm = {"algorithm": "1.3.6.1.4.1.42.2.17.1.1"}
    protected = EncryptedPrivateKeyInfo({"encryption_algorithm": algorithm, "encrypted_data": bytes(2**14 + 41)})
    assert "damaged" in refused(jks_of(protected.dump(), 2))[1]
