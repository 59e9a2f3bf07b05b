"""What one cell of Salesforce's CSV may hold, the same for every field type.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_valid_record_rows.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: A cell that empties its field. An empty cell leaves the field as it is.
NULL = "#N/A"
#: How a load may send null: leave the field as it is, or empty it.
NULL_POLICIES = ("ignore", "clear")
#: Characters of the longest text that a field takes.
#: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm
LONGEST_TEXT = 131_072
#: White space that ``trim`` takes off the ends of a text.
WHITE_SPACE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
#: Characters of a value that a message shows.
_SHOWN = 40
#: Options of ``pyarrow.csv.ConvertOptions``: an empty cell is null, quoted or not. With Arrow's defaults, the text "NA"
#: would be null as well.
EMPTY_CELLS_ARE_NULL: Mapping[str, Any] = MappingProxyType(
    {"null_values": [""], "strings_can_be_null": True, "quoted_strings_can_be_null": True}
)


class UnfitValueError(Exception):
    """Why a value cannot be a cell."""


def shown(value: object) -> str:
    """A value as a message shows it: its text in quotes, cut off where it is long.

    :param value: any.
    """
    text = str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
