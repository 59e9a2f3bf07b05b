"""Text in any encoding, read as UTF-8."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.files.formats.recoding import (
    WrongEncodingError,
    as_utf8,
    check_marks,
    fault_of_encoding,
    fault_of_text,
)


@given(st.text(st.characters(codec="utf-8")), st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-8", "gb18030"]))
def test_any_text_comes_as_utf8(text: str, encoding: str) -> None:
    assert as_utf8(io.BytesIO(text.encode(encoding)), encoding).read().decode() == text


@given(st.binary(), st.sampled_from(["ascii", "cp1252", "shift_jis", "cp932", "euc-jp", "big5"]))
def test_bytes_that_are_not_of_the_encoding_never_become_text(data: bytes, encoding: str) -> None:
    try:
        text: str | None = data.decode(encoding)
    except UnicodeDecodeError:
        text = None
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")):
        return
    read = as_utf8(io.BytesIO(data), encoding).read()
    if text is not None:
        assert read.decode() == text
    else:
        with pytest.raises(UnicodeDecodeError):
            read.decode()
        assert f"is not {encoding}" in (fault_of_text(read.decode("utf-8", "surrogateescape"), encoding) or "")


def test_the_byte_at_fault_is_named() -> None:
    for data, encoding, byte in (
        (b"a\x81", "cp1252", "0x81"),
        (b"\xc3\xa9", "ascii", "0xC3"),
        (b"\xff", "ascii", "0xFF"),
    ):
        text = as_utf8(io.BytesIO(data), encoding).read().decode("utf-8", "surrogateescape")
        assert (fault_of_text(text, encoding) or "").startswith(f"byte {byte} is not {encoding}")
    assert (fault_of_text("x\udce9") or "").startswith("byte 0xE9 is not UTF-8")
    assert fault_of_text("é\ud83d") is None


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF8", "utf-8-sig", "cp1252", "latin-1", "utf-16", "mac-roman", "cp037"]
)
def test_encodings_of_files(encoding: str) -> None:
    assert fault_of_encoding(encoding) is None


@pytest.mark.parametrize(
    "encoding", ["", "utf-9", "base64", "hex", "zlib", "rot13", "idna", "punycode", "a\x00b", 5, None]
)
def test_what_no_file_is_encoded_in(encoding: object) -> None:
    assert "encoding" in (fault_of_encoding(encoding) or "")


def test_marks_tell_the_encoding() -> None:
    check_marks("\ufeffa".encode(), "utf-8-sig")
    check_marks("a".encode("utf-16"), "utf-16")
    check_marks("\ufeffa".encode("utf-16-le"), "utf-16-le")
    for data, encoding in ((b"\xff\xfea\x00", "utf-8"), (b"\xef\xbb\xbfa", "cp1252"), (b"a\x00", "utf-16")):
        with pytest.raises(WrongEncodingError, match=r"as (its first bytes say|utf-16 does)"):
            check_marks(data, encoding)
