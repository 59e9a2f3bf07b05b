"""Columns that stand in the path of a file in place of the file, as Hive, Spark and others write them.

Of ``country=DE/day=2026-01-01/part.parquet`` these are ``country`` and ``day``.
https://spark.apache.org/docs/latest/sql-data-sources-parquet.html#partition-discovery
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_FOLDER = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_NULL = "__HIVE_DEFAULT_PARTITION__"


def partitions_of(path: str, pattern: str) -> Mapping[str, str | None]:
    """The columns that the path of a file adds.

    :param path: of a file that the pattern found.
    :param pattern: the glob. A folder that it names in full is the same for all files, and no column.
    :return: the text of each column; None is null.
    """
    named = set(pattern.split("/"))
    folders = (_FOLDER.fullmatch(folder) for folder in path.split("/")[:-1] if folder not in named)
    found = {unquote(each[1]): unquote(each[2]) for each in folders if each}
    return {name: None if value == _NULL else value for name, value in found.items()}
