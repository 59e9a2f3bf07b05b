"""CSV with any character of Unicode: before Python 3.11 its module ``csv`` refuses U+0000.

https://docs.python.org/3/whatsnew/3.11.html#csv
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence

_REFUSES_NUL = sys.version_info < (3, 11)
#: Characters that may stand for U+0000 while a text is read; hardly any text has one.
_PRIVATE_USE = range(0xE000, 0xF900)


def csv_rows(text: str, *, refuses_nul: bool = _REFUSES_NUL) -> Iterator[list[str]]:
    """The cells of each record.

    :param text: whole records.
    :param refuses_nul: whether this Python cannot read U+0000.
    :raises csv.Error: if it is not CSV.
    """
    if not refuses_nul or "\0" not in text:
        yield from csv.reader(io.StringIO(text, newline=""))
        return
    stand_in = next((chr(code) for code in _PRIVATE_USE if chr(code) not in text), "\0")
    for cells in csv.reader(io.StringIO(text.replace("\0", stand_in), newline="")):
        yield [cell.replace(stand_in, "\0") for cell in cells]


def csv_text(rows: Iterable[Sequence[str | None]], *, refuses_nul: bool = _REFUSES_NUL) -> str:
    """Records as Salesforce writes them: every cell quoted, quotes doubled, LF.

    :param rows: the cells of each; None is empty.
    :param refuses_nul: whether this Python cannot write U+0000.
    """
    if refuses_nul:
        return "".join(",".join(map(_quoted, cells)) + "\n" for cells in rows)
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _quoted(cell: str | None) -> str:
    return '"' + (cell or "").replace('"', '""') + '"'
