"""Messages without the values that they quote: a report is read by people who may not read the rows."""

from __future__ import annotations

import re

#: A quoted text, and what a database puts after the columns of a key, as in ``Key (id)=(001…)``. An apostrophe inside a
#: word is not a quote.
_QUOTED = re.compile(
    r"""(?<!\w)'(?P<single>[^\n]{0,2000}?)'(?!\w)|(?<!\w)"(?P<double>[^"\n]{0,2000})"(?!\w)|=\((?P<key>[^)\n]{0,2000})\)"""
)
#: What a list or a dict of Python's looks like, with the rows of a source.
_NESTED = re.compile(r"[\[{][^\n]*[\]}]")
_STRUCK = "…"


def struck_out(text: str, said: str = "", *, nested: bool = False) -> str:
    """A message whose quoted texts are struck out.

    :param text: the message.
    :param said: what the report says anyway, e.g. the query: quoted texts that occur there stay.
    :param nested: whether lists and dicts are struck out as well.
    """

    def mask(match: re.Match[str]) -> str:
        quoted = next(each for each in match.groups() if each is not None)
        if quoted and quoted in said:
            return match[0]
        return match[0].replace(quoted, _STRUCK) if quoted else match[0]

    masked = _QUOTED.sub(mask, text)
    return _NESTED.sub(_STRUCK, masked) if nested else masked
