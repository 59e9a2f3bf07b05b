"""From what became of a PEM text on its way through forms, mails and shells, back to the PEM text.

A text whose blocks are all well-formed is taken as it is, with anything around them. Else the steps are, in this order:
undo what happened to the characters, find the BEGIN and END lines, and take from between them as much base64 as the
key's own ASN.1 length asks for.
"""

from __future__ import annotations

import base64
import html
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from airflow_provider_sfjwt.salesforce.auth.entered_text import drop_invisible
from airflow_provider_sfjwt.salesforce.auth.unusable_keys import (
    FOREIGN,
    LOST_PLUS,
    NO_BODY,
    TRUNCATED,
    UNRECOGNISED,
    UnusableKeyError,
    der_length,
)

#: Rounds in which damage within damage is undone. A text that is encoded more often was made so.
_MOST_ROUNDS: Final = 10


def _decode_url(text: str) -> str:
    if not re.search(r"%[0-9A-Fa-f]{2}", text):
        return text
    # Where pluses are encoded, or join the words after BEGIN or END, a bare plus is the space of a form's encoding.
    # Not after BEGIN or END alone: base64 may hold "eNd+".
    form = re.search(r"%2B|%5Cu002B|(BEGIN|END)\+(\w+\+){0,2}(PRIVATE|PUBLIC|CERTIFICATE)", text, re.IGNORECASE)
    return urllib.parse.unquote_plus(text) if form else urllib.parse.unquote(text)


_ESCAPE: Final = re.compile(r"\\+(?:r\\+n|u(?P<u>[0-9A-Fa-f]{4})|x(?P<x>[0-9A-Fa-f]{2})|(?P<other>.?))", re.DOTALL)


def _resolve_escape(escape: re.Match[str]) -> str:
    code = escape["u"] or escape["x"]
    if code:
        return chr(int(code, 16))
    # No character at all stands for the escaped pair of carriage return and line feed.
    return {None: "\n", "n": "\n", "r": "\n", "t": " "}.get(escape["other"], escape["other"])


_TAG: Final = re.compile(r"<\s*(?:/\s*)?(?:br|p|div|pre|code)\b[^<>]{0,100}>", re.IGNORECASE)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|quot|apos|amp|nbsp|lt|gt|plus|equals|sol|NewLine);")


def _decode_html(text: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _TAG.sub("\n", text))


#: Commas belong to the two lines with which OpenSSL says how it encrypted a key, and to nothing else.
_SEPARATOR: Final = re.compile(r"(Proc-Type:\s*4\s*,\s*ENCRYPTED|DEK-Info:\s*[A-Z0-9-]+\s*,)|[,;|]", re.IGNORECASE)


_CHARACTER_REPAIRS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("escape sequences stood for characters", lambda text: _ESCAPE.sub(_resolve_escape, text)),
    ("URL encoding was undone", _decode_url),
    ("HTML stood for characters", _decode_html),
    ("invisible characters stood in it", drop_invisible),
    ("typographic dashes stood for hyphens", lambda text: re.sub("[‐-―⁃−─━﹘﹣-]", "-", text)),
    ("quotes stood around it", lambda text: re.sub("[\"'`´‘-‟«»‹›]", "", text)),
    ("mail quotation marks stood before its lines", lambda text: text.replace(">", "")),
    ("commas stood between its lines", lambda text: _SEPARATOR.sub(lambda found: found[1] or "\n", text)),
)

_LABEL: Final = re.sub(
    " ",
    r"\\s*",
    r"((RSA|EC|DSA|ENCRYPTED|OPENSSH|ANY|SSH2 ENCRYPTED) )?PRIVATE KEY|((RSA|DSA|SSH2) )?PUBLIC KEY"
    r"|(NEW )?CERTIFICATE REQUEST|((X509|TRUSTED) )?CERTIFICATE|PKCS ?#?(12|7)|CMS|X509 CRL|(EC|DH|DSA) PARAMETERS",
)
# Where no space precedes the hyphens, a sixth may be the last character of base64 in the URL's alphabet.
_MARKER: Final = re.compile(
    rf"(?P<before>(?<!\S)-*|-{{0,5}})[^\S\n]{{0,4}}(?P<edge>BEGIN|END)\s*(?P<label>{_LABEL})[^\S\n]*(?P<after>-*)",
    re.IGNORECASE,
)
# RFC 1421 section 4.6.1, as OpenSSL writes it: https://docs.openssl.org/3.0/man3/PEM_read_bio_PrivateKey/
_HEADERS: Final = re.compile(
    r"(?:r?n)?Proc-Type:\s*4\s*,\s*ENCRYPTED(?:\s|r?n)*DEK-Info:\s*"
    r"(?P<cipher>(?:DES|RC2)[A-Z0-9-]*\s*,\s*[0-9A-F]{16}|[A-Z0-9-]+\s*,\s*[0-9A-F]{32})",
    re.IGNORECASE,
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s_-]*")
_URL_ALPHABET: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, repr=False)
class Section:
    """What stands between a BEGIN and an END line, or a text that has neither.

    :param label: the words after BEGIN, e.g. ``RSA PRIVATE KEY``; empty where there is no such line.
    :param headers: the two lines with which OpenSSL says how it encrypted a PKCS#1 key, or nothing.
    :param body: the base64, still in its disorder.
    :param repairs: what was damaged.
    """

    label: str
    headers: str
    body: str
    repairs: tuple[str, ...]

    def contents(self) -> bytes:
        """Decode the body.

        :raises UnusableKeyError: where a part of it is missing, or is not base64.
        """
        run = _BASE64.match(self.body)
        text = run.group() if run else ""
        foreign = not re.fullmatch(r"[=\s-]*", self.body[len(text) :])
        characters = "".join(text.split()).translate(_URL_ALPHABET)
        if self.label and not characters:
            raise UnusableKeyError(NO_BODY)
        length = None if self.headers else der_length(_decode(characters[:8]))
        if length is None:
            if foreign or (len(characters) % 4 == 1 and not self.headers):
                raise UnusableKeyError((FOREIGN if foreign else TRUNCATED) if self.label else UNRECOGNISED)
            data = _decode(characters)
            # Ciphertext comes in blocks of 8 or 16 bytes; a hyphen too many may have been read as base64.
            return data[: len(data) // 8 * 8] if self.headers else data
        # What follows a whole key does not belong to it: a comment, or the next line of a file.
        needed = -(-length * 4 // 3)
        if len(characters) < needed:
            lines = text.split()[:-1]
            irregular = any(len(line) % 4 for line in lines)
            raise UnusableKeyError(FOREIGN if foreign else LOST_PLUS if irregular else TRUNCATED)
        return _decode(characters[:needed])[:length]

    def lines(self) -> list[str]:
        """Write the body the way OpenSSL would, in base64 of 64 characters a line.

        :raises UnusableKeyError: as :meth:`contents` does.
        """
        encoded = base64.b64encode(self.contents()).decode("ascii")
        return [encoded[at : at + 64] for at in range(0, len(encoded), 64)]

    def pem(self) -> str:
        """Write the section the way OpenSSL would.

        :raises UnusableKeyError: as :meth:`contents` does.
        """
        lines = "\n".join(self.lines())
        return f"-----BEGIN {self.label}-----\n{self.headers}{lines}\n-----END {self.label}-----\n"


def read_sections(text: str) -> tuple[Section, ...]:
    """Find the PEM blocks of a text, in their order.

    :param text: what was entered.
    :return: every block; where there is none, one section without a label that holds the text.
    """
    whole = _well_formed(text)
    if whole:
        return whole
    text, found = _repair_characters(unwrapped(text))
    sections = []
    opened: re.Match[str] | None = None
    start = 0
    for marker in _MARKER.finditer(text):
        closes = marker["edge"].upper() == "END"
        body = text[start : marker.start()]
        if opened or (closes and body.strip()):
            sections.append(_section(body, opened, marker if closes else None, found))
        opened = None if closes else marker
        start = marker.end()
    if opened or not sections:
        sections.append(_section(text[start:], opened, None, found))
    return tuple(sections)


# Lines of 64 characters as RFC 7468 wants them, or of up to 76 as MIME does: https://www.rfc-editor.org/rfc/rfc7468#section-3
_BLOCK: Final = re.compile(
    r"^-----BEGIN (?P<label>[A-Z0-9 #]+)-----\r?\n"
    r"(?P<headers>Proc-Type: 4,ENCRYPTED\r?\nDEK-Info: [A-Z0-9-]+,[0-9A-F]+\r?\n\r?\n)?"
    r"(?P<body>(?:[A-Za-z0-9+/]{4,76}\r?\n)*[A-Za-z0-9+/]{1,76}={0,2}\r?\n)"
    r"-----END (?P=label)-----[ \t]*\r?$",
    re.MULTILINE,
)


def _well_formed(text: str) -> tuple[Section, ...]:
    """The blocks of a text in which each is as OpenSSL writes it; nothing where one is not, or there is none."""
    blocks = tuple(_BLOCK.finditer(text))
    if 2 * len(blocks) != sum(1 for _ in _MARKER.finditer(text)):
        return ()
    return tuple(
        Section(_canonical_label(block["label"]), (block["headers"] or "").replace("\r\n", "\n"), block["body"], ())
        for block in blocks
    )


_WRAPPERS: Final = (
    # PRIVATE_KEY=LS0t…, export PRIVATE_KEY="LS0t…", private_key: LS0t…
    re.compile(r"^\s*(?:export\s+)?[A-Za-z_][\w.-]{0,60}\s*[=:]\s*(?=[\"'\[(]*[\w+/-]{40})"),
    re.compile(r"^\s*data:[^,\s]{0,100};base64,\s*", re.IGNORECASE),
    re.compile(r"^\s*[bru]{1,2}(?=[\"'])", re.IGNORECASE),  # how Python writes bytes
    re.compile(r"^\s*[\[({]+(?=[\s\"'bru]*[\w+/-]{40})|(?<=[\w+/=\"'\s,-])[\])}]+\s*$"),  # a list of lines
    re.compile(r"(?<=[\w+/=-])%\s*$"),  # a shell's mark of a missing line break
)


def unwrapped(text: str) -> str:
    """Take base64 out of what stands around it: a variable's name, a ``data:`` address, a list.

    :param text: what was entered. A text with BEGIN or END lines is returned as it is: they show where the key is.
    """
    for _ in range(_MOST_ROUNDS):
        before = text
        if _MARKER.search(text):
            break
        for wrapper in _WRAPPERS:
            text = wrapper.sub("", text)
        if text == before:
            break
    return text


def _repair_characters(text: str) -> tuple[str, list[str]]:
    found = []
    for _ in range(_MOST_ROUNDS):  # one damage may hide another: escapes in a URL, a URL in escapes
        before = text
        for name, repair in _CHARACTER_REPAIRS:
            repaired = repair(text)
            if repaired != text and name not in found:
                found.append(name)
            text = repaired
        if text == before:
            break
    return re.sub(r"\r\n?", "\n", text), found


def text_inside(section: Section) -> str | None:
    """Decode a section whose base64 holds text again, such as a whole PEM in base64.

    :param section: one without a label.
    """
    try:
        decoded = decode_text(section.contents())
    except UnusableKeyError:
        return None
    readable = decoded and all(c.isprintable() or c.isspace() for c in drop_invisible(decoded))
    return decoded if readable else None


def decode_text(data: bytes) -> str | None:
    """Decode a file's bytes, or return None where they are not text.

    :param data: the bytes; UTF-16 with a byte order mark is what some Windows programs save.
    """
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def is_only_markers(text: str) -> bool:
    """Tell whether a text is BEGIN and END lines alone, which are no secret.

    :param text: any text.
    """
    return not re.sub(r"\\[rn]|\s", "", _MARKER.sub("", text))


def _with_line_breaks(body: str, *, breaks_before: int) -> str | None:
    """A body whose ``\\n`` had lost the backslash, with line breaks again; None where that is not what happened to it.

    :param body: what stands between the lines.
    :param breaks_before: how many line breaks stand before it in a well-formed text.
    """
    text = body.strip()
    escape = "rn" if text.startswith("rn") else "n"
    for width in (64, 76):
        lines = rf"(?:[A-Za-z0-9+/]{{{width}}}{escape})*[A-Za-z0-9+/]{{1,{width}}}={{0,2}}"
        found = re.fullmatch(rf"(?:{escape}){{{breaks_before}}}(?P<lines>{lines}){escape}", text)
        if found:
            return re.sub(rf"(.{{{width}}}){escape}", r"\1\n", found["lines"])
    return None


def _section(body: str, opened: re.Match[str] | None, closed: re.Match[str] | None, repairs: list[str]) -> Section:
    marker = opened or closed
    headers = _HEADERS.search(body)
    label = _canonical_label(marker["label"]) if marker else "RSA PRIVATE KEY" if headers else ""
    rest = body[headers.end() :] if headers else body
    found = list(repairs)
    mended = _with_line_breaks(rest, breaks_before=2 if headers else 1) if marker else None
    if mended is not None:
        rest = mended
        found.append("line breaks had become the letter n")
    if any(edge and (edge["before"], edge["after"]) != ("-----", "-----") for edge in (opened, closed)):
        found.append("hyphens of the BEGIN or END line were missing or too many")
    if not (opened and closed):
        found.append("the BEGIN or END line was missing")
    lines = rest.strip()
    if "\n" not in lines and len(lines) > 76:
        found.append("line breaks were lost")
    elif re.search(r"[^\S\n]|\n\n", lines):
        found.append("spaces or empty lines stood in it")
    if re.search(r"[_-]", lines):
        found.append("it was in the base64 alphabet of URLs")
    cipher = "".join(headers["cipher"].split()).upper() if headers else ""
    written = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher}\n\n" if headers else ""
    return Section(label, written, rest, tuple(found))


def _canonical_label(label: str) -> str:
    words = re.findall("RSA|EC|DSA|ENCRYPTED|OPENSSH|ANY|SSH2|PRIVATE|PUBLIC|KEY|[A-Z0-9#]+", label.upper())
    return " ".join(words)


def _decode(characters: str) -> bytes:
    usable = characters[: len(characters) - (len(characters) % 4 == 1)]
    return base64.b64decode(usable + "=" * (-len(usable) % 4))
