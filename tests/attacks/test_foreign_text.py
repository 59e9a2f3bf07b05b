"""Texts that were made to cost time, from a server, a file or a form: each is read, or refused, in a moment."""

from __future__ import annotations

import hashlib
import math
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto.keys import EncryptedPrivateKeyInfo
from asn1crypto.pkcs12 import Pfx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from airflow_provider_sfjwt.exceptions import ConfigurationError, ErrorItem, ProtocolError
from airflow_provider_sfjwt.salesforce.api import answers, soql
from airflow_provider_sfjwt.salesforce.api.resource import reported_failures
from airflow_provider_sfjwt.salesforce.api.row_errors import parse_row_error
from airflow_provider_sfjwt.salesforce.auth.extras import decode_extra
from airflow_provider_sfjwt.salesforce.auth.key_costs import check_cost
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys
from airflow_provider_sfjwt.salesforce.auth.login_url import normalise_login_url
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import UnusableKeyError
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.statuses import page_title

#: Seconds of computing: each of these took minutes where time grew with the square of the length.
LONG = 5.0


def in_a_moment(call: Callable[[], Any]) -> Any:
    begun = time.process_time()
    try:
        return call()
    finally:
        assert time.process_time() - begun < LONG


def page(body: bytes) -> Response:
    return Response(500, {}, body)


def case(name: str, before: str, after: str, *values: Any) -> Any:
    return pytest.param(*values, id=name, marks=pytest.mark.attack(name, before=before, after=after))


@pytest.mark.parametrize(
    ("body", "title"),
    [
        case("<title> and 20,000 spaces", "> 20 s", "read in a moment", b"<title>" + b" " * 20_000, None),
        case("<title in 5 MB of them", "minutes", "read in a moment", b"<title>" * 700_000, None),
        pytest.param(b"<title>" + b" " * 20_000 + b"Down</title>", "Down", id="spaces before it"),
        pytest.param(b"<TITLE lang='en'>\n Down for\n a while </TITLE>", "Down for a while", id="capitals"),
        pytest.param(b"<title>" + b"x" * 500 + b"</title>", "x" * 100, id="long"),
        pytest.param(b"<title></title>", None, id="empty"),
        pytest.param(b"</title>", None, id="none"),
    ],
)
def test_the_title_of_a_page(body: bytes, title: str | None) -> None:
    assert in_a_moment(lambda: page_title(page(body))) == title


@pytest.mark.parametrize(
    "cell",
    [
        case("sf__Error of 30,000 spaces", "1.2 s a row", "read in a moment", f"CODE:text:{' ' * 30_000}! --"),
        pytest.param(f"CODE:text:a{' ,' * 15_000}! --", id="commas"),
        pytest.param(" " * 30_000 + "! --", id="no code"),
    ],
)
def test_the_error_of_a_row(cell: str) -> None:
    error = in_a_moment(lambda: parse_row_error(cell))
    assert error.fields == ()
    assert "".join(error.message.split()).endswith("!--")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CODE:why:A, B.C  D --", ErrorItem("CODE", "why", ("A", "B.C", "D"))),
        ("CODE:why:--", ErrorItem("CODE", "why")),
        ("CODE:why: ,A --", ErrorItem("CODE", "why: ,A --")),
    ],
)
def test_fields_of_an_error_are_read_as_ever(text: str, expected: ErrorItem) -> None:
    assert parse_row_error(text) == expected


SOQL = [
    case(
        "SOQL with an open string of 100 kB",
        "> 20 s",
        "read in a moment",
        "SELECT Id FROM A WHERE B = '" + "\\'" * 50_000,
    ),
    case("SOQL of SELECT alone", "> 20 s", "read in a moment", "SELECT " * 15_000),
    case("SOQL of open calls", "> 20 s", "read in a moment", "SELECT " + "COUNT(" * 16_000),
    pytest.param("SELECT " + "FORMAT(" * 15_000 + "A" + ")" * 15_000 + " FROM B", id="nested calls"),
    pytest.param("SELECT Id FROM " + "a.b," * 25_000, id="sources"),
    pytest.param("SELECT a" + " " * 100_000 + "! FROM B", id="spaces"),
]


@pytest.mark.parametrize("query", SOQL)
@pytest.mark.parametrize("read", [soql.selected, soql.aliases, soql.sobject_of, soql.not_in_bulk, soql.is_count])
def test_a_query(read: Callable[[str], Any], query: str) -> None:
    in_a_moment(lambda: read(query))


def test_a_query_is_read_as_ever() -> None:
    query = "SELECT Id, FORMAT(convertCurrency(Amount)) m, Name FROM Account a, a.Owner o WHERE x = 'it\\'s FROM (' "
    assert [(each.key, each.path) for each in soql.selected(query)] == [("Id", "Id"), ("m", "Amount"), ("Name", "Name")]
    assert soql.aliases(query) == {"account": (), "a": (), "o": ("Owner",)}
    assert soql.not_in_bulk("SELECT COUNT_DISTINCT(Id), MAX( x ) FROM A WHERE b = 'SUM(1)'") == ["COUNT_DISTINCT(Id)"]
    assert soql.not_in_bulk("SELECT FIELDS( ALL ) FROM A WHERE b = 'COUNT(' LIMIT 1") == ["FIELDS( ALL )"]
    assert soql.selected("SELECT a.b c WHERE") == []
    assert soql.sobject_of("WHERE FROM Account SELECT") == "Account"


DEEP = b"[" * 100_000
LONG_NUMBER = b'{"totalSize": ' + b"9" * 5_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        case("JSON nested 100,000 deep", "RecursionError", "ProtocolError", DEEP),
        pytest.param(b'{"a":' * 100_000, id="objects"),
        case("a number of 5,000 digits", "ValueError", "ProtocolError", LONG_NUMBER),
    ],
)
def test_the_json_of_an_answer(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        in_a_moment(lambda: answers.data(Response(200, {}, body), method="GET", path="/x"))
    assert not in_a_moment(lambda: answers.session_expired(Response(401, {}, body)))
    with pytest.raises(ValueError, match="nests too deep|not JSON"):
        decode_extra(body.decode())


def test_failures_that_nest_are_looked_for_to_some_depth() -> None:
    deep: Any = {"success": False}
    for _ in range(900):
        deep = [deep]
    assert reported_failures(deep) == []
    assert reported_failures([[{"success": False}]]) == [ErrorItem("UNKNOWN", "")]
    assert reported_failures({"compositeResponse": [{"httpStatusCode": "x", "body": []}]}) == []


@pytest.mark.parametrize(
    "url",
    [
        case(
            "a login URL of 100 kB of slashes",
            "> 20 s",
            "read in a moment",
            "https://a.my.salesforce.com" + "/" * 100_000 + "x",
        ),
        pytest.param("https://" + "a--" * 30_000 + ".vf.force.com", id="dashes"),
    ],
)
def test_a_login_url(url: str) -> None:
    try:
        in_a_moment(lambda: normalise_login_url(url, None))
    except ValueError as error:
        assert "Traceback" not in str(error)


# -- keys ----------------------------------------------------------------------------------------------------------------


def refused(material: str | bytes, passphrase: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        in_a_moment(lambda: read_keys(material, source="Private key", passphrase=passphrase))
    return next(iter(caught.value.fields.values()))


@pytest.mark.parametrize(
    "text",
    [
        case("a key of %252525…", "> 20 s", "refused in a moment", "%" + "25" * 50_000 + "41"),
        case("a key of &amp;amp;amp;…", "> 20 s", "refused in a moment", "&" + "amp;" * 25_000),
        case("a key of < and 20,000 spaces", "> 20 s", "refused in a moment", "<" + " " * 20_000 + "x"),
        pytest.param("A=" + ("a" * 40 + "=") * 2_500, id="names of variables"),
        pytest.param("-" * 100_000, id="hyphens"),
        pytest.param("-----BEGIN" + " " * 50_000, id="spaces after BEGIN"),
        pytest.param("-----BEGIN PRIVATE KEY-----\n" * 3_000, id="BEGIN alone"),
        pytest.param("\\" * 100_000, id="backslashes"),
        pytest.param("[" * 50_000 + "b" * 50_000, id="brackets"),
    ],
)
def test_a_text_as_a_key(text: str) -> None:
    assert refused(text)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def with_rounds(der: bytes, rounds: int) -> bytes:
    info = EncryptedPrivateKeyInfo.load(der)
    info["encryption_algorithm"]["parameters"]["key_derivation_func"]["parameters"]["iteration_count"] = rounds
    return bytes(info.dump(force=True))


@pytest.mark.attack("a key of 2^31 rounds of PBKDF2", before="20 minutes", after="refused in a moment")
def test_rounds_of_an_encrypted_key(key: rsa.RSAPrivateKey) -> None:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    load_der_private_key(der, b"secret")
    assert read_keys(der, source="Private key", passphrase="secret")
    assert "more rounds" in refused(with_rounds(der, 2**31 - 1), "secret")


def scrypt(cost: int, block: int, parallel: int) -> bytes:
    """An EncryptedPrivateKeyInfo, https://www.rfc-editor.org/rfc/rfc7914#section-7."""

    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content

    def integer(number: int) -> bytes:
        return element(2, number.to_bytes(9, "big"))

    numbers = b"".join(map(integer, (cost, block, parallel)))
    derivation = bytes.fromhex("06092b06010401da47040b") + element(0x30, element(4, b"salt") + numbers)
    scheme = element(0x30, element(0x30, derivation) + element(0x30, bytes.fromhex("060960864801650304012a")))
    algorithm = element(0x30, bytes.fromhex("06092a864886f70d01050d") + scheme)
    return element(0x30, algorithm + element(4, bytes(64)))


@pytest.mark.attack("a key of 16 GiB of scrypt", before="16 GiB of memory", after="refused in a moment")
@pytest.mark.parametrize("costs", [(2**24, 8, 1), (2**14, 8, 100), (2**62, 2**62, 1)])
def test_memory_of_an_encrypted_key(costs: tuple[int, int, int]) -> None:
    with pytest.raises(UnusableKeyError, match="more memory"):
        check_cost(scrypt(*costs))
    assert "more memory" in refused(scrypt(*costs), "secret")


def test_what_openssl_writes_by_scrypt_is_not_refused() -> None:
    check_cost(scrypt(2**14, 8, 1))
    for torn in (b"", b"\x30", b"\x30\x02\x02", b"\x30\x82", scrypt(2**14, 8, 1)[:20]):
        check_cost(torn)


@pytest.mark.attack("a PKCS#12 store whose MAC takes 2^31 rounds", before="an hour", after="refused in a moment")
def test_rounds_of_a_stores_mac(key: rsa.RSAPrivateKey) -> None:
    data = serialize_key_and_certificates(b"key", key, None, None, BestAvailableEncryption(b"secret"))
    store = Pfx.load(data)
    store["mac_data"]["iterations"] = 2**31 - 1
    assert "more rounds" in refused(store.dump(force=True), "secret")


@pytest.mark.attack("a JKS store whose key has 9 MB", before="no end", after="refused in a moment")
def test_the_size_of_a_key_in_a_jks_store() -> None:
    sealed = EncryptedPrivateKeyInfo(
        {
            "encryption_algorithm": {"algorithm": "1.3.6.1.4.1.42.2.17.1.1"},
            "encrypted_data": bytes(9 * 2**20),
        }
    ).dump()
    entry = struct.pack(">IH", 1, 1) + b"a" + bytes(8) + struct.pack(">I", len(sealed)) + sealed + struct.pack(">I", 0)
    store = struct.pack(">III", 0xFEEDFEED, 2, 1) + entry
    digest = hashlib.sha1("secret".encode("utf-16-be") + b"Mighty Aphrodite" + store).digest()
    assert "cut off or damaged" in refused(store + digest, "secret")


def mersenne(first: int, second: int) -> bytes:
    """A key of primes that are known, as DER."""
    p, q = 2**first - 1, 2**second - 1
    fitting = (p - 1) * (q - 1)
    e = next(each for each in (17, 257, 65_537, 65_539) if math.gcd(each, fitting) == 1)
    numbers = rsa.RSAPublicNumbers(e, p * q)
    d = pow(e, -1, fitting)
    private = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), numbers)
    return private.private_key(unsafe_skip_rsa_key_validation=True).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )


@pytest.mark.attack("an RSA key of 8,676 bits", before="39 s to prove its primes", after="read in a moment")
def test_a_long_key_is_proved_by_a_signature() -> None:
    (found,) = in_a_moment(lambda: read_keys(mersenne(4253, 4423), source="Private key"))
    assert found.private_key.key_size == 8676


@pytest.mark.attack("an RSA key of 41,638 bits", before="no end", after="refused in a moment")
def test_a_key_that_is_too_long_is_refused() -> None:
    assert "longer than any" in refused(mersenne(19937, 21701))


def test_a_damaged_long_key_is_refused() -> None:
    damaged = bytearray(mersenne(4253, 4423))
    damaged[500] ^= 1  # of its modulus; OpenSSL makes up for a damaged exponent
    assert "damaged" in refused(bytes(damaged))
