"""Text in any encoding, read as UTF-8, and what is said of bytes that are not text."""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are decoded at once.
_BLOCK_SIZE = 2**18
#: The encodings that need no decoding.
_UTF8 = ("utf-8", "utf-8-sig")
#: Byte order marks, the longer first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
#: Encodings whose byte order a mark at the beginning says.
_MARKED = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
#: Python's codecs that decode text, and that no program writes files in.
_NOT_OF_FILES = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"})
#: A byte that is in no UTF-8 text. It stands before each byte that could not be decoded, so that two of these never
#: make a character by chance.
_MARK = "\udcff"
#: A byte that is not text, as ``surrogateescape`` decodes it.
_NOT_TEXT = re.compile("[\udc80-\udcff]")


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = (byte for byte in error.object[error.start : error.end] if byte >= 0x80)
    byte = next(wrong, None)
    return _MARK + (_MARK if byte is None else chr(0xDC00 + byte)), error.end


codecs.register_error("sfjwt.marked", _marked)


def fault_of_encoding(encoding: object) -> str | None:
    """What is wrong with the name of an encoding, or None.

    :param encoding: what was given.
    """
    if not isinstance(encoding, str):
        return (
            f"must be the name of an encoding, such as 'utf-8' or 'cp1252', not {type(encoding).__name__} {encoding!r}"
        )
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # refuses codecs that do not decode text, e.g. base64
    except (LookupError, ValueError, UnicodeError):
        codec = None
    if codec is None or codec.incrementaldecoder is None or codec.name.replace("_", "-") in _NOT_OF_FILES:
        return f"'{encoding}' is not an encoding that Python knows; give e.g. 'utf-8', 'cp1252', 'latin-1' or 'utf-16'"
    return None


def is_utf8(encoding: str) -> bool:
    """Whether a file in this encoding is read as it is.

    :param encoding: its name, without a fault.
    """
    return codecs.lookup(encoding).name in _UTF8


class WrongEncodingError(Exception):
    """Why a file is not in the encoding that it should be in."""


def check_marks(start: bytes, encoding: str) -> None:
    """Compare the beginning of a file with its encoding.

    :param start: of the file.
    :param encoding: its name, without a fault.
    :raises WrongEncodingError: if a byte order mark belongs to another encoding, or a necessary one is missing; and if
        the first line of UTF-8 has NUL bytes.
    """
    name = codecs.lookup(encoding).name
    if name in _MARKED:
        if start and not start.startswith(_MARKED[name]):
            raise WrongEncodingError(
                f"it does not begin with a byte order mark, as {name} does. Give its encoding, e.g. {name}-le"
            )
        return
    for mark, its_name in _MARKS:
        if start.startswith(mark) and not name.startswith(its_name):
            raise WrongEncodingError(
                f"its encoding is {its_name.upper()}, as its first bytes say. Give encoding='{its_name}'"
            )
    if name in _UTF8 and b"\0" in start.partition(b"\n")[0]:
        raise WrongEncodingError("it has NUL bytes, as UTF-16 has. Give its encoding, e.g. encoding='utf-16-le'")


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """Read a file as UTF-8. A byte that is not of the encoding stays a byte that is not UTF-8.

    :param stream: the file.
    :param encoding: its name, without a fault.
    """
    return cast(BinaryIO, io.BufferedReader(_Recoded(stream, encoding), _BLOCK_SIZE))


class _Recoded(io.RawIOBase):
    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("sfjwt.marked")
        self._left = memoryview(b"")
        self._begun = self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._left and not self._ended:
            block = self._stream.read(_BLOCK_SIZE)
            self._ended = not block
            if not self._begun:
                check_marks(block, self._encoding)
                self._begun = True
            text = self._decoder.decode(block, final=self._ended)
            self._left = memoryview(text.encode("utf-8", "surrogateescape"))
        into = memoryview(buffer).cast("B")
        count = min(len(into), len(self._left))
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def fault_of_text(text: str, encoding: str = "utf-8") -> str | None:
    """What is wrong with a text that was decoded with ``surrogateescape``, or None.

    :param text: the text.
    :param encoding: of the file.
    """
    found = _NOT_TEXT.search(text)
    if found is None:
        return None
    shown = text[found.start() : found.start() + 2]
    byte = shown[1] if len(shown) == 2 and shown[0] == _MARK and not is_utf8(encoding) else shown[0]
    name = "UTF-8" if is_utf8(encoding) else encoding
    return (
        f"byte 0x{ord(byte) - 0xDC00:02X} is not {name}. Give its encoding, e.g. encoding='cp1252', or save it as UTF-8"
    )
