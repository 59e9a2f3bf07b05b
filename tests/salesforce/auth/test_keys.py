"""What a key object may show, and what somebody is told who entered something else."""

from __future__ import annotations

import base64
import copy
import datetime
import pickle
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth import keys
from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys

PLAIN = ser.NoEncryption()
SECRET = ser.BestAvailableEncryption(b"right")
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
PKCS8, PKCS1, OPENSSH = ser.PrivateFormat.PKCS8, ser.PrivateFormat.TraditionalOpenSSL, ser.PrivateFormat.OpenSSH


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem_of(
    key: PrivateKeyTypes, form: ser.PrivateFormat = PKCS8, secret: ser.KeySerializationEncryption = PLAIN
) -> str:
    return key.private_bytes(ser.Encoding.PEM, form, secret).decode()


def bare(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def certificate(key: rsa.RSAPrivateKey) -> str:
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, start, start + datetime.timedelta(days=9))
    return builder.sign(key, hashes.SHA256()).public_bytes(ser.Encoding.PEM).decode()


def refused(material: str | bytes, source: str = "Private key", **fields: str | None) -> tuple[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        read_keys(material, source=source, **fields)
    ((field, sentence),) = caught.value.fields.items()
    return field, sentence


def test_a_key_shows_no_secret_and_cannot_be_saved(rsa_key: rsa.RSAPrivateKey) -> None:
    (key,) = read_keys(pem_of(rsa_key), source="Private key")
    assert repr(key) == str(key) == f"SigningKey({key.fingerprint}, 2048 bits, alias=None)"
    for save in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not serialised"):
            save(key)
    with pytest.raises(AttributeError):
        key.alias = "other"  # type: ignore[misc]


def test_the_fingerprint_is_that_of_the_certificate(rsa_key: rsa.RSAPrivateKey) -> None:
    (key,) = read_keys(pem_of(rsa_key), source="Private key")
    pem = certificate(rsa_key)
    for text in (pem, pem.replace("\n", r"\n"), pem.replace("\n", " "), pem_of(rsa_key) + pem, bare(pem)):
        assert read_certificate(text.encode()).fingerprint == key.fingerprint
    for text in ("", "nonsense", pem_of(rsa_key), pem[:300], "-----BEGIN CERTIFICATE-----"):
        with pytest.raises(ConfigurationError) as caught:
            read_certificate(text.encode())
        assert list(caught.value.fields) == ["Certificate"]


def test_der_needs_no_pem(rsa_key: rsa.RSAPrivateKey) -> None:
    for form, secret in ((PKCS8, PLAIN), (PKCS1, PLAIN), (PKCS8, SECRET)):
        der = rsa_key.private_bytes(ser.Encoding.DER, form, secret)
        passphrase = None if secret is PLAIN else "right"
        for material in (der, base64.b64encode(der).decode(), base64.encodebytes(der), base64.urlsafe_b64encode(der)):
            (key,) = read_keys(material, source="Key file", passphrase=passphrase)
            assert key.private_key.private_numbers() == rsa_key.private_numbers()


NO_KEYS_AT_ALL: dict[str, tuple[str | bytes, str]] = {
    "a path": ("/opt/airflow/keys/salesforce", "this looks like a path: use Key file"),
    "a home path": (" ~/key\n", "this looks like a path"),
    "a relative path": ("keys/salesforce.p12", "this looks like a path"),
    "a Windows path": (r"C:\new\key.pem", "this looks like a path"),
    "stars": ("***", "these stars are what Airflow shows"),
    "an address": ("https://vault.example.com/v1/key.pem", "this is an address, not a key"),
    "nothing": (" \n", "there is no key in it"),
    "quotes": ('""', "there is no key in it"),
    "an empty file": (b"", "there is no key in it"),
    "JWK": ('{"kty": "RSA", "n": "x"}', "this is a JSON Web Key"),
    "JWK set": ('{"keys": [{"kty": "RSA"}]}', "this is a JSON Web Key"),
    "consumer key": ("3MVG9" + "aB1." * 20, "this looks like a consumer key"),
    "words": ("my secret key", "this is not a key in a known format"),
    "punctuation": ("what?", "this is not a key in a known format"),
    "base64 of words": (base64.b64encode(b"my secret key").decode(), "this is not a key in a known format"),
    "bytes": (b"\x89PNG\r\n\x1a\n", "this is not a key in a known format"),
    "DER of something": (b"\x30\x81\x80" + b"\x0c\x7e" + bytes(126), "this is not a key in a known format"),
    "indefinite length": (b"\x30\x80\x02\x01\x03\x30\x80" + bytes(9), "the key store is cut off or damaged"),
}


def not_keys() -> dict[str, tuple[str | bytes, str]]:
    key = rsa.generate_private_key(65537, 2048)
    curve, edwards, montgomery = (
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey,
        x25519.X25519PrivateKey,
    )
    public = key.public_key()
    spki = public.public_bytes(ser.Encoding.PEM, ser.PublicFormat.SubjectPublicKeyInfo).decode()
    request = x509.CertificateSigningRequestBuilder(NAME).sign(key, hashes.SHA256())
    csr = request.public_bytes(ser.Encoding.PEM).decode()
    signed_attributes = base64.b64encode(b"\x30\x81\x8e\x06\x09" + bytes(9) + b"\xa0\x81\x80" + bytes(128)).decode()
    whole = pem_of(key)
    return {
        "public key": (spki, "this is a public key"),
        "bare public key": (bare(spki), "this is a public key"),
        "PKCS#1 public key": (
            public.public_bytes(ser.Encoding.PEM, ser.PublicFormat.PKCS1).decode().replace("PUBLIC", "PRIVATE"),
            "this is a public key",
        ),
        "SSH public key": (
            public.public_bytes(ser.Encoding.OpenSSH, ser.PublicFormat.OpenSSH).decode() + " me@here\n",
            "this is a public key",
        ),
        "certificate": (certificate(key), "this is a certificate, which"),
        "bare certificate": (bare(certificate(key)), "this is a certificate, which"),
        "DER certificate": (base64.b64decode(bare(certificate(key))), "this is a certificate, which"),
        "request": (csr, "this is a certificate signing request"),
        "bare request": (bare(csr), "this is a certificate signing request"),
        "PKCS#7": (f"-----BEGIN PKCS7-----\n{signed_attributes}\n-----END PKCS7-----", "this is a PKCS#7 bundle"),
        "bare PKCS#7": (signed_attributes, "this is a PKCS#7 bundle"),
        "parameters": ("-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----", "this is not a key in"),
        "EC": (pem_of(curve), "this is an EC key, but Salesforce takes only RSA"),
        "EC, SEC 1": (pem_of(ec.generate_private_key(ec.SECP521R1()), PKCS1), "this is an EC key"),
        "Ed25519": (pem_of(edwards.generate()), "this is an Ed25519 key, but Salesforce takes only RSA"),
        "bare Ed25519": (bare(pem_of(edwards.generate())), "this is an Ed25519 key"),
        "DSA": (pem_of(dsa.generate_private_key(1024), PKCS1), "this private key is not an RSA key"),
        "X25519": (pem_of(montgomery.generate()), "this private key is not an RSA key"),
        "OpenSSH": (
            pem_of(key, OPENSSH),
            "this key is in OpenSSH's own format; convert a copy of it with `ssh-keygen -p",
        ),
        "PuTTY": ("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n", "this is a PuTTY key"),
        "short": (pem_of(rsa.generate_private_key(65537, 1024)), "the RSA key is shorter than the 2048 bits"),
        "cut off": (whole[:800], "the key is cut off"),
        "cut off inside a quantum": ("-----BEGIN PRIVATE KEY-----\nZZZZZ", "the key is cut off"),
        "only the lines": ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "the BEGIN and END lines have no"),
        "plus lost": (whole.replace("+", " "), "spaces stand where plus signs were"),
        "stars inside": (
            whole[:300] + "***" + whole[310:],
            "there are characters in the key that do not belong to a key",
        ),
        "stars for a body": ("-----BEGIN PRIVATE KEY-----\n***\n", "the BEGIN and END lines have no key"),
        "dots after four": ("-----BEGIN PRIVATE KEY-----\nABCD…", "there are characters in the key"),
        "other bytes": ("-----BEGIN PRIVATE KEY-----\n" + "ABCD" * 300, "the key is damaged"),
        "changed": (damaged(key), "the key is damaged and cannot be repaired"),
        **NO_KEYS_AT_ALL,
    }


def damaged(key: rsa.RSAPrivateKey) -> str:
    der = bytearray(key.private_bytes(ser.Encoding.DER, PKCS8, PLAIN))
    der[600] ^= 1
    return base64.b64encode(der).decode()


NOT_KEYS = not_keys()


@pytest.mark.parametrize("name", NOT_KEYS)
def test_what_is_no_key_is_called_by_its_name(name: str) -> None:
    material, opening = NOT_KEYS[name]
    for source in ("Private key", "Key file"):
        field, sentence = refused(material, source)
        assert field == source
        assert sentence.startswith(opening)
        assert len(sentence) < 170
        assert "\n" not in sentence


def test_passphrases_of_pem_keys(rsa_key: rsa.RSAPrivateKey) -> None:
    field = "Key or key-store passphrase"
    for form in (PKCS8, PKCS1):
        encrypted = pem_of(rsa_key, form, SECRET)
        (key,) = read_keys(encrypted, source="Private key", passphrase="right")
        assert key.private_key.private_numbers() == rsa_key.private_numbers()
        assert refused(encrypted) == (field, "the private key is encrypted; enter its passphrase here")
        assert refused(encrypted, passphrase="")[0] == field
        for wrong in ("wrong", "Right", "right ", "\udcff", "x" * 2000):
            assert refused(encrypted, passphrase=wrong)[1].startswith("this passphrase does not open the private key")
    assert refused(pem_of(rsa_key), passphrase="right")[0] == field
    assert "is not encrypted; empty this field" in refused(pem_of(rsa_key), passphrase="right")[1]


def test_one_encrypted_key_of_a_ring_justifies_the_passphrase(rsa_key: rsa.RSAPrivateKey) -> None:
    ring = pem_of(rsa_key) + pem_of(rsa_key, PKCS8, SECRET)
    assert len(read_keys(ring, source="Private key", passphrase="right")) == 2


def test_fields_of_key_stores_stay_empty_for_pem(rsa_key: rsa.RSAPrivateKey) -> None:
    assert refused(pem_of(rsa_key), key_alias="one")[0] == "Key alias"
    assert refused(pem_of(rsa_key), key_passphrase="one")[0] == "Key passphrase"
    assert len(read_keys(pem_of(rsa_key), source="Private key", passphrase="", key_alias="", key_passphrase="")) == 1


def test_ciphers_that_not_every_library_reads(rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    encrypted = pem_of(rsa_key, PKCS1, SECRET)
    assert "pkcs8 -topk8" in refused(encrypted.replace("AES-256", "AES-192"), passphrase="right")[1]

    def unsupported(data: bytes, password: bytes | None, **options: bool) -> None:
        raise keys.UnsupportedAlgorithm("some cipher")

    monkeypatch.setattr(keys, "load_pem_private_key", unsupported)
    assert "pkcs8 -topk8" in refused(encrypted, passphrase="right")[1]


def test_an_error_chains_nothing_that_saw_the_key(rsa_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_keys(pem_of(rsa_key)[:500], source="Private key")
    assert caught.value.__suppress_context__
    assert str(caught.value).startswith("the Salesforce JWT connection: Private key: the key is cut off")


def long_key(*, right: bool = True) -> bytes:
    """DER of a key of 5,420 bits, of two Mersenne primes, so that none has to be looked for."""
    p, q, e = 2**2203 - 1, 2**3217 - 1, 65_537
    d = pow(e, -1, (p - 1) * (q - 1)) + (0 if right else 2)
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public)
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return key.private_bytes(ser.Encoding.DER, PKCS8, PLAIN)


def test_a_long_key_is_proved_by_a_signature() -> None:
    """To prove its primes would take a minute."""
    (key,) = read_keys(long_key(), source="Private key")
    assert "5420 bits" in repr(key)
    assert "damaged" in refused(long_key(right=False))[1]


def test_a_key_longer_than_any_that_salesforce_takes_is_refused() -> None:
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    inside = b"\x02\x01\x00" + algorithm + b"\x04\x82\x40\x00" + bytes(2**14)
    der = b"\x30\x82" + len(inside).to_bytes(2, "big") + inside
    assert "longer than any that Salesforce takes" in refused(der)[1]


def test_a_store_of_bouncy_castle_is_named() -> None:
    store = bytes.fromhex("30820013300a300406022a030402010230053000040107")
    assert "Bouncy Castle" in refused(store)[1]


def test_a_key_that_was_quoted_again_and_again(rsa_key: rsa.RSAPrivateKey) -> None:
    text = pem_of(rsa_key)
    for times in range(1, 14):
        text = quote(text, safe="")
        if times == 3:
            assert len(read_keys(text, source="Private key")) == 1
    assert refused(text)[0] == "Private key"
    assert refused("data:;base64," * 14 + bare(pem_of(rsa_key)))[0] == "Private key"
