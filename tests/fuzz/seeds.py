"""Good input for each target, and words that lead a change to where it matters."""

from __future__ import annotations

import base64
import gzip
import json
import struct

from asn1crypto.keys import EncryptedPrivateKeyInfo
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

_KEY = rsa.generate_private_key(65537, 2048)
_PASSPHRASE = BestAvailableEncryption(b"secret")


def _pem(form: PrivateFormat, passphrase: bool = False) -> bytes:
    return _KEY.private_bytes(Encoding.PEM, form, _PASSPHRASE if passphrase else NoEncryption())


def _jks() -> bytes:
    sealed = EncryptedPrivateKeyInfo(
        {"encryption_algorithm": {"algorithm": "1.3.6.1.4.1.42.2.17.1.1"}, "encrypted_data": bytes(80)}
    ).dump()
    entry = struct.pack(">IH", 1, 1) + b"a" + bytes(8) + struct.pack(">I", len(sealed)) + sealed + struct.pack(">I", 0)
    return struct.pack(">III", 0xFEEDFEED, 2, 1) + entry + bytes(20)


_PEMS = (
    _pem(PrivateFormat.PKCS8),
    _pem(PrivateFormat.TraditionalOpenSSL),
    _pem(PrivateFormat.PKCS8, passphrase=True),
    _pem(PrivateFormat.TraditionalOpenSSL, passphrase=True),
)
_STORE = serialize_key_and_certificates(b"key", _KEY, None, None, _PASSPHRASE)
KEY_TEXTS = (*_PEMS, base64.b64encode(_PEMS[0]), _PEMS[0].replace(b"\n", b"\\n"), b"%2D%2D%2D%2D%2DBEGIN&amp;#x41;<br>")
KEYS = (
    *KEY_TEXTS,
    _STORE,
    base64.b64encode(_STORE),
    _jks(),
    _KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    _KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _PASSPHRASE),
)
EXTRAS = tuple(
    json.dumps(extra).encode()
    for extra in (
        {"consumer_key": "3MVG9", "private_key": _PEMS[0].decode(), "http_timeout": 30, "api_version": 66.0},
        {
            "consumer_key": "x",
            "key_file": "/etc/passwd",
            "ca_bundle": "~/x",
            "proxy": "http://a:b@c:1",
            "audience": None,
        },
        {"certificate": "-----BEGIN CERTIFICATE-----", "http_timeout": "1e400", "api_version": True, "a": [1]},
        '{"private_key": "x"}',
    )
)
URLS = (
    b"https://login.salesforce.com",
    b"https://acme--dev.sandbox.my.salesforce.com:443/services/oauth2/token",
    b"https://acme.my.site.com/customers/s/login",
    b"https://acme--c.vf.force.com/apex/x?y=z#a",
    b"http://[::1]:8080/",
)
ANSWERS = tuple(
    json.dumps(answer).encode()
    for answer in (
        {"done": True, "totalSize": 1, "records": [{"attributes": {}, "Id": "001", "Owner": {"Name": "x"}}]},
        {
            "done": False,
            "totalSize": -1,
            "nextRecordsUrl": "/x",
            "records": [{"Ts": {"totalSize": 1, "records": [], "done": True}}],
        },
        [{"errorCode": "INVALID_SESSION_ID", "message": "x", "fields": ["a"]}],
        {"error": "invalid_grant", "error_description": "x"},
        {"id": "750", "state": "InProgress", "numberRecordsProcessed": 1e3},
        {
            "compositeResponse": [{"httpStatusCode": 400, "body": [{"errorCode": "X"}]}],
            "graphs": [{"graphResponse": {}}],
        },
        {"hasErrors": True, "results": [{"statusCode": 400, "result": [], "errors": [{"message": "x"}]}]},
    )
) + (
    b"<html><title>Down</title>",
    b"<error><exceptionCode>X</exceptionCode><exceptionMessage>y</exceptionMessage></error>",
)
PAGES = (
    b'"Id","Amount","Text"\n"001","1.5","a ""b"" c\nd"\n"002","","x,y"\n',
    b"Id,Amount,Text\r\n001,1E400,abc\r\n002,NaN,\xc3\xa4\r\n",
    b'"Id"\n',
    b'\xef\xbb\xbfId;Amount\n1;"2"\n',
)
JSON_LINES = (
    b'{"Id": "001", "Amount": 1.5, "Owner": {"Name": "x"}}\n{"Id": "002", "Amount": null}\n',
    b'[{"Id": "001", "T": [1, "a"]}, {"Id": "\\ud83d"}]',
    b'{"Id": 1e400, "Id": 12345678901234567890}\n',
)
PACKED = tuple(gzip.compress(page) for page in PAGES)
ROW_ERRORS = (
    b"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
    b"UNABLE_TO_LOCK_ROW:x:--",
    b"plain text",
)
SOQL = (
    b"SELECT Id, FORMAT(convertCurrency(Amount)) m, (SELECT Id FROM Contacts) FROM Account a, a.Owner o WHERE x = 'it\\'s'",
    b"SELECT COUNT() FROM Account GROUP BY ROLLUP(a) OFFSET 5",
    b"SELECT FIELDS(ALL), TYPEOF What WHEN Account THEN Phone END FROM Event LIMIT 1",
)
RECEIPTS = (
    json.dumps(
        {
            "receipt_version": 2, "sobject": "Account", "soql": "SELECT Id", "window": ["a", "b"], "counts": {}, "parts":
            [{"name": "part", "records": 1, "bytes": 1, "sha256": "x"}], "columns": [], "written_by": {"dag_id": "d"},
        }
    ).encode(),
    json.dumps({"report_version": 1, "files": [], "jobs": [], "parts": [], "counts": {}, "written_by": None}).encode(),
    json.dumps({"page": 0, "part": {}, "columns": [{"name": "x", "numbers": "decimal"}], "file_format": {"name": "csv"}}).encode(),
)  # fmt: skip
#: What a change puts in: the ends of numbers, brackets, quotes, marks, and what once cost time.
WORDS = (
    b"\x00", b"\xff", b"\x80", b'"', b"'", b"\\", b"\n", b"\r", b"{", b"}", b"[", b"]", b",", b":", b"-----BEGIN ",
    b"-----END ", b"PRIVATE KEY-----", b"9" * 5_000, b"1e999", b"NaN", b"null", b"\\ud800", b"%25", b"&amp;", b"<title>",
    b" " * 1_000, b"SELECT ", b"FROM ", b"(", b")", b"\x30\x80", b"\x02\x05\x7f\xff\xff\xff\xff", b"\xef\xbb\xbf", b"../",
    b"\xf0\x9f\x98\x80", b"[" * 2_000, b'{"a":' * 2_000, "\u2028".encode(), "²".encode(),
)  # fmt: skip
