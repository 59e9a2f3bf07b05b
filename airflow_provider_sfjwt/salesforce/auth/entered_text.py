"""What people enter into a field, without what came along when it was copied: quotes, invisible characters."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

_QUOTES = "\"'`´‘’‚‛“”„‟«»‹›"


def drop_invisible(text: str) -> str:
    """Remove characters that nobody sees; blanks and line breaks stay.

    :param text: what was entered.
    """
    # Cf: byte order marks, zero-width spaces, soft hyphens; Cc: the NULs of UTF-16 and a terminal's controls.
    return "".join(each for each in text if each.isspace() or unicodedata.category(each) not in ("Cf", "Cc"))


def cleaned(text: str) -> str:
    """Remove invisible characters, and blanks, quotes and angle brackets around a text.

    :param text: what was entered.
    """
    text = drop_invisible(text).strip()
    while len(text) > 1 and ((text[0] in _QUOTES and text[-1] in _QUOTES) or text[0] + text[-1] == "<>"):
        text = text[1:-1].strip()
    return text


def cleaned_username(text: str) -> str:
    """Clean a Salesforce username, which looks like an e-mail address.

    :param text: what was entered; ``%40`` stands for ``@`` where it was copied from a URL, and ``mailto:`` before it
        where it was copied from a page.
    """
    text = cleaned(text)
    text = re.sub(r"^mailto:", "", text, flags=re.IGNORECASE)
    return unquote(text) if "@" not in text and "%40" in text else text


def passphrases(entered: str) -> tuple[str, ...]:
    """List what a passphrase may be, in the order to try.

    :param entered: the field's content. Blanks may belong to it, and so may a line break at its end, but secrets that
        are read from a file often have one that does not.
    """
    bare = entered.strip("\ufeff\u200b\u200e\u2060").rstrip("\r\n")
    return tuple(dict.fromkeys((entered, bare)))


def local_path(text: str) -> Path:
    """The path that a field names on this machine.

    :param text: a path, which may begin with ``~`` or ``file://``.
    :raises ValueError: for a ``file://`` address of another machine.
    """
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise ValueError("names another machine; enter the path of a file on this one")
        text = unquote(parts.path)
    try:
        return Path(text).expanduser()
    except RuntimeError:  # a user who does not exist
        return Path(text)
