"""Whatever happened to a PEM text on its way, the same key comes out, or a sentence that says why not."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shutil
import subprocess
import textwrap
import urllib.parse
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey, read_keys, secret_forms
from airflow_provider_sfjwt.salesforce.auth.pem_repair import read_sections
from tests.random_tests import examples

Damage = Callable[[str], str]
PASSPHRASE = "päss wörd"


class Pem(NamedTuple):
    text: str
    passphrase: str | None
    public_key: rsa.RSAPublicKey
    fingerprint: str

    def __repr__(self) -> str:
        return "a PEM key"


def openssl(*arguments: str, given: str = "") -> str:
    program = shutil.which("openssl")
    assert program, "openssl is needed to make keys"
    return subprocess.run([program, *arguments], input=given, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def pems() -> dict[str, Pem]:
    pkcs8 = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    public_key = load_pem_public_key(openssl("pkey", "-pubout", given=pkcs8).encode())
    assert isinstance(public_key, rsa.RSAPublicKey)
    out = ("-passout", f"pass:{PASSPHRASE}")
    texts = {
        "PKCS#1": openssl("rsa", "-traditional", given=pkcs8),
        "PKCS#8": pkcs8,
        "PKCS#8 AES": openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", *out, given=pkcs8),
        "PKCS#8 3DES": openssl("pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", *out, given=pkcs8),
        "PKCS#1 AES-128": openssl("rsa", "-traditional", "-aes128", *out, given=pkcs8),
        "PKCS#1 AES-256": openssl("rsa", "-traditional", "-aes256", *out, given=pkcs8),
        "PKCS#1 3DES": openssl("rsa", "-traditional", "-des3", *out, given=pkcs8),
    }
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = "SHA256:" + hashlib.sha256(der).hexdigest()
    return {
        name: Pem(text, PASSPHRASE if "ENCRYPTED" in text else None, public_key, fingerprint)
        for name, text in texts.items()
    }


FORMATS = ("PKCS#1", "PKCS#8", "PKCS#8 AES", "PKCS#8 3DES", "PKCS#1 AES-128", "PKCS#1 AES-256", "PKCS#1 3DES")


def assert_same_key(key: SigningKey, pem: Pem) -> None:
    signature = key.private_key.sign(b"assertion", padding.PKCS1v15(), SHA256())
    pem.public_key.verify(signature, b"assertion", padding.PKCS1v15(), SHA256())


def per_line(change: Damage) -> Damage:
    return lambda text: "".join(change(line) for line in text.splitlines(keepends=True))


STRUCTURE: dict[str, Damage] = {
    "no END line": lambda text: re.sub(r"-----END.*\n", "", text),
    "no BEGIN line": lambda text: re.sub(r"-----BEGIN.*\n", "", text),
    "neither line": lambda text: re.sub(r"-----(BEGIN|END).*\n", "", text),
    "no hyphens": lambda text: text.replace("-----", ""),
    "hyphens short": lambda text: text.replace("-----", "---"),
    "hyphens long": lambda text: text.replace("-----", "-------"),
    "em dashes": lambda text: text.replace("-----", "——-"),
    "en dashes": lambda text: text.replace("-", "–"),
    "space beside hyphens": lambda text: text.replace("-----BEGIN", "----- BEGIN").replace("KEY-----", "KEY -----"),
    "lower-case lines": lambda text: re.sub(r"-----.*-----", lambda found: found[0].lower(), text),
    "text before": lambda text: "Bag Attributes\n    friendlyName: my key's\nKey Attributes: <No>\n" + text,
    "text after": lambda text: text + "\n# made in 2024, see the ticket\n",
    "text around": lambda text: f"private_key: |\n{text}\nother: value\n",
    "certificate before": lambda text: "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n" + text,
    "public key after": lambda text: text + "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n",
    "wrong label": lambda text: (
        text if "Proc-Type" in text else re.sub("(RSA |ENCRYPTED )?PRIVATE", "ANY PRIVATE", text)
    ),
    "no padding": lambda text: text.replace("=", ""),
}
SPACING: dict[str, Damage] = {
    "spaces for line breaks": lambda text: text.replace("\n", " "),
    "line breaks lost": lambda text: text.replace("\n", ""),
    "all spaces lost": lambda text: "".join(text.split()),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "tabs": per_line(lambda line: "\t" + line),
    "indented": lambda text: textwrap.indent(text, "      "),
    "trailing spaces": lambda text: text.replace("\n", "  \n"),
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "no-break spaces": lambda text: text.replace("\n", "\u00a0\n\u00a0").replace(" ", "\u00a0"),
    "zero-width spaces": per_line(lambda line: "\u200b" + line[:3] + "\u200d" + line[3:]),
    "byte order mark": lambda text: "\ufeff" + text,
    "NULs": lambda text: "\0".join(text),
    "mail quotation": per_line(lambda line: "> " + line),
    "nested mail quotation": per_line(lambda line: ">>> " + line),
}
ENCODING: dict[str, Damage] = {
    r"\n": lambda text: text.replace("\n", r"\n"),
    r"\r\n": lambda text: text.replace("\n", r"\r\n"),
    r"\\n": lambda text: text.replace("\n", r"\\n"),
    r"\\\\n": lambda text: text.replace("\n", r"\\\\n"),
    "continued lines": lambda text: text.replace("\n", "\\\n"),
    "JSON": json.dumps,
    "JSON twice": lambda text: json.dumps(json.dumps(text)),
    "JSON as PHP and .NET write it": lambda text: json.dumps(text).replace("/", r"\/").replace("+", r"\u002B"),
    "Python": repr,
    "single quotes": lambda text: f"'{text}'",
    "typographic quotes": lambda text: f"“{text}”",
    "low quotes": lambda text: f"„{text}‟ ",
    "backticks": lambda text: f"```\n{text}\n```",
    "URL": urllib.parse.quote,
    "whole URL": lambda text: urllib.parse.quote(text, safe=""),
    "form": urllib.parse.quote_plus,
    "URL newlines only": lambda text: text.replace("\n", "%0A"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16")).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
}
WRAPPED: dict[str, Damage] = {
    "JSON list": lambda text: json.dumps(text.splitlines()),
    "Python list": lambda text: repr(text.splitlines()),
    "Python bytes": lambda text: repr(text.encode()),
    "commas": lambda text: text.replace("\n", ","),
    "semicolons": lambda text: text.replace("\n", "; "),
    "bars": lambda text: text.replace("\n", " | "),
    "HTML": lambda text: text.replace("\n", "<br>\n"),
    "HTML without line breaks": lambda text: text.replace("\n", "<br/>"),
    "HTML paragraphs": lambda text: "".join(f"<p class='key'>{line}</p>" for line in text.splitlines()),
    "character references": lambda text: text.replace("\n", "&#10;").replace("+", "&#43;").replace("=", "&#x3D;"),
    "hexadecimal references": lambda text: text.replace("\n", "&#xD;&#xA;"),
    r"\n without the backslash": lambda text: text.replace("\n", "n"),
    r"\r\n without the backslashes": lambda text: text.replace("\n", "rn"),
    "Python bytes of base64": lambda text: repr(base64.b64encode(text.encode())),
    "data address": lambda text: f"data:application/x-pem-file;base64,{base64.b64encode(text.encode()).decode()}",
    "variable of base64": lambda text: f"SF_KEY={base64.b64encode(text.encode()).decode()}\n",
    "exported variable of base64": lambda text: f'export SF_KEY="{base64.b64encode(text.encode()).decode()}"',
    "YAML of base64": lambda text: f"private_key: {base64.b64encode(text.encode()).decode()}",
    "list of base64": lambda text: json.dumps(base64.encodebytes(text.encode()).decode().splitlines()),
    "shell's percent sign": lambda text: f"{base64.b64encode(text.encode()).decode()}%",
    "percent sign after the END line": lambda text: f"{text}%",
    "comment with an escape": lambda text: f"# a%2Bb &amp; c > d\n{text}",
    "export of OpenSSL": lambda text: (
        "Bag Attributes\n    localKeyID: 54 69 6D\nKey Attributes: <No Attributes>\n"
        f'{text}Bag Attributes\n    friendlyName: it\'s "mine"\nsubject=CN = acme\n'
    ),
}


def in_url_alphabet(text: str) -> str:
    def translate(found: re.Match[str]) -> str:
        return found[0].replace("+", "-").replace("/", "_")

    return re.sub(r"(?m)^[A-Za-z0-9+/=]+$", translate, text)


ALL = {"none": lambda text: text, **STRUCTURE, "URL alphabet": in_url_alphabet, **SPACING, **ENCODING, **WRAPPED}


SOURCES: dict[str, Callable[[str], str | bytes]] = {"Private key": str, "Key file": str.encode}
# The other ciphers differ from these only in what OpenSSL does with the whole text.
DAMAGED_FORMATS = ("PKCS#1", "PKCS#8", "PKCS#8 AES", "PKCS#1 AES-256")
TABLE: list[tuple[str, str, str, str]] = []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        *itertools.product(DAMAGED_FORMATS, ALL),
        *itertools.product(("PKCS#8 3DES", "PKCS#1 AES-128", "PKCS#1 3DES"), ("none", *SPACING)),
    ],
)
def test_each_damage(pems: dict[str, Pem], kind: str, source: str, damage: str) -> None:
    pem = pems[kind]
    (key,) = read_keys(SOURCES[source](ALL[damage](pem.text)), source=source, passphrase=pem.passphrase)
    assert_same_key(key, pem)
    assert key.fingerprint == pem.fingerprint
    assert key.alias is None
    assert damage != "none" or key.repairs == ()
    assert all(len(repair) < 60 for repair in key.repairs)
    TABLE.append((kind, source, damage, key.fingerprint))


def test_print_the_table() -> None:
    """With ``-s``: which format, from where and after which damage, gave the same key."""
    print(f"\n{'format':16}{'source':13}{'damage':32}fingerprint")
    for kind, source, damage, fingerprint in TABLE:
        print(f"{kind:16}{source:13}{damage:32}{fingerprint[:19]}… ok")


@pytest.mark.parametrize(
    ("damage", "repairs"),
    [
        ("spaces for line breaks", ("line breaks were lost",)),
        ("indented", ("spaces or empty lines stood in it",)),
        ("CRLF", ()),
        ("text before", ()),
        ("text around", ()),
        ("commas", ("commas stood between its lines",)),
        ("HTML without line breaks", ("HTML stood for characters",)),
        (r"\n without the backslash", ("line breaks had become the letter n",)),
        ("no END line", ("the BEGIN or END line was missing",)),
        ("hyphens long", ("hyphens of the BEGIN or END line were missing or too many",)),
        ("URL alphabet", ("it was in the base64 alphabet of URLs",)),
        ("base64", ("base64 stood around it",)),
        ("form", ("URL encoding was undone",)),
        (r"\\n", ("escape sequences stood for characters",)),
    ],
)
def test_what_was_repaired_is_told(pems: dict[str, Pem], damage: str, repairs: tuple[str, ...]) -> None:
    (key,) = read_keys(ALL[damage](pems["PKCS#8"].text), source="Private key")
    assert key.repairs == repairs


SETTINGS = settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Text beside a key whose BEGIN or END line is lost cannot be told from the key.
BARE = [None, "no END line", "no BEGIN line", "neither line", "no hyphens", "hyphens short", "em dashes", "en dashes"]
AROUND = [None, "text around", "certificate before", "public key after", "wrong label", "hyphens long"]


@SETTINGS
@given(
    kind=st.sampled_from(FORMATS),
    structure=st.sampled_from(list(dict.fromkeys(BARE + AROUND))),
    spacing=st.lists(st.sampled_from(list(SPACING)), max_size=3, unique=True),
    encoding=st.lists(st.sampled_from(list(ENCODING)), max_size=3, unique=True),
)
def test_damage_upon_damage(
    pems: dict[str, Pem], kind: str, structure: str | None, spacing: list[str], encoding: list[str]
) -> None:
    pem = pems[kind]
    damages = [ALL[name] for name in (structure or "none", *spacing, *encoding)]
    text = reduce(lambda damaged, damage: damage(damaged), damages, pem.text)
    (key,) = read_keys(text, source="Private key", passphrase=pem.passphrase)
    assert_same_key(key, pem)


def test_two_keys_are_a_ring_in_their_order(pems: dict[str, Pem]) -> None:
    older, newer = pems["PKCS#8"], openssl("genrsa", "2048")
    assert not older.text.startswith(newer)
    pair = f"# old\n{older.text}\n# new\n{newer}"
    for damage in ("none", r"\n", "spaces for line breaks", "no END line", "base64", "all spaces lost"):
        first, second = read_keys(ALL[damage](pair), source="Private key")
        assert_same_key(first, older)
        assert first.fingerprint != second.fingerprint
        assert second.fingerprint == read_keys(newer, source="Private key")[0].fingerprint


def shares_text(message: str, material: str, length: int = 12) -> bool:
    return any(material[at : at + length] in message for at in range(len(material) - length + 1))


def assert_read_or_refused(material: str | bytes, passphrase: str | None = None) -> tuple[SigningKey, ...]:
    try:
        return read_keys(material, source="Private key", passphrase=passphrase, key_alias=None)
    except ConfigurationError as error:
        text = material if isinstance(material, str) else material.decode("latin-1")
        assert not shares_text(str(error), text)
        assert error.__suppress_context__
        return ()


MARKS = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "BEGIN RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")
PIECES = (
    "MIIE",
    "MII",
    "/u3+7QAAAAI",
    "DEK-Info: AES-256-CBC," + "0A" * 16,
    "\\n",
    "\\u00",
    "%0A",
    "%",
    "=",
    ">",
    "-",
    "\n",
)
FRAGMENTS = st.sampled_from((*MARKS, *PIECES))


@SETTINGS
@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text("ABCabc019+/=_- \n"))).map("".join)))
def test_any_text_is_refused_in_words(text: str) -> None:
    assert assert_read_or_refused(text) == ()
    assert_read_or_refused(text, "passphrase")
    assert all(len(form) >= 8 for form in secret_forms(text))


@SETTINGS
@given(st.binary(), st.sampled_from([b"", b"\x30", b"\x30\x80", b"\x30\x82\x00\x10", b"\xfe\xed\xfe\xed\0\0\0\2"]))
def test_any_bytes_are_refused_in_words(data: bytes, start: bytes) -> None:
    assert assert_read_or_refused(start + data, "passphrase") == ()


@SETTINGS
@given(data=st.data(), kind=st.sampled_from(FORMATS))
def test_a_changed_key_is_the_same_or_none(pems: dict[str, Pem], data: st.DataObject, kind: str) -> None:
    pem = pems[kind]
    at = data.draw(st.integers(0, len(pem.text) - 1))
    removed = data.draw(st.integers(0, 40))
    text = pem.text[:at] + data.draw(st.text("ABz19+/=-\n \\*", max_size=3)) + pem.text[at + removed :]
    for key in assert_read_or_refused(text, pem.passphrase):
        assert_same_key(key, pem)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "damage", ["none", r"\n", "spaces for line breaks", "base64", "JSON", "CRLF", "mail quotation"]
)
def test_a_masker_knows_every_form(pems: dict[str, Pem], kind: str, damage: str) -> None:
    pem = pems[kind].text
    material = ALL[damage](pem)
    forms = secret_forms(material)
    lines = [line for line in pem.splitlines() if re.fullmatch(r"[A-Za-z0-9+/=]{8,}", line)]
    body = "".join(lines)
    assert {material, pem, pem.replace("\n", r"\n"), repr(material)[1:-1], json.dumps(material)[1:-1], body} <= set(
        forms
    )
    assert set(lines) <= set(forms)
    assert list(map(len, forms)) == sorted(map(len, forms), reverse=True)
    assert len(set(forms)) == len(forms)
    assert not any(
        form.startswith("-----") and form.endswith("-----") and "\n" not in form for form in forms if len(form) < 60
    )


@pytest.mark.parametrize(
    "material", ["", "***", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_secret_is_not_masked(material: str) -> None:
    assert secret_forms(material) == ()


def test_a_masker_learns_what_is_broken_as_well() -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASC\nBKgwggSkAgEAAoIBAQ\n"
    assert {"MIIEvgIBADANBgkqhkiG9w0BAQEFAASC", "BKgwggSkAgEAAoIBAQ"} <= set(secret_forms(broken))


def test_files_in_every_encoding(pems: dict[str, Pem], tmp_path: Path) -> None:
    pem = pems["PKCS#1 AES-256"]
    commented = "# Schlüssel für Prod\n" + pem.text
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        data = commented.encode(encoding)
        (key,) = read_keys(data, source="Key file", passphrase=pem.passphrase)
        assert_same_key(key, pem)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [" ", "-", "\n", "A", "M", "MII", "%25", "\\", "=", "END ", "BEGIN ", *MARKS])
def test_a_large_text_takes_no_long_time(piece: str) -> None:
    assert assert_read_or_refused(piece * 20_000) == ()


def test_a_plus_after_letters_that_spell_end_stays_a_plus() -> None:
    (section,) = read_sections("-----BEGIN PRIVATE KEY-----%0AAAAAeNd+AAA%0A-----END PRIVATE KEY-----")
    assert "eNd+AAA" in section.body
