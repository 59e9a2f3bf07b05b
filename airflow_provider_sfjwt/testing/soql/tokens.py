"""SOQL text cut into tokens, and errors as Salesforce words them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_sfjwt.testing.http.messages import RefusalError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>'(?:[^'\\]|\\.)*')
      | (?P<datetime>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d(?![\w:]))
      | (?P<time>\d\d:\d\d:\d\d(?:\.\d{1,3})?[Zz]?)
      | (?P<currency>[A-Za-z]{3}\d+\.\d+(?![\w.]))
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<operator><=|>=|!=|<>|[=<>(),:])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_SHOWN = 32


@dataclass(frozen=True)
class Token:
    """One token: its kind, its text as written and where it begins."""

    kind: str
    text: str
    position: int

    @property
    def word(self) -> str:
        """The text in upper case where it is a name, else the text."""
        return self.text.upper() if self.kind == "name" else self.text


def soql_error(text: str, position: int, message: str, code: str = "MALFORMED_QUERY") -> RefusalError:
    """Return Salesforce's 400 with the piece of text, a caret, row, column and message.

    :param position: from 0, into the text.
    """
    start = max(0, position - _SHOWN)
    before, after = text[start:position], text[position : position + _SHOWN]
    row = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    caret = " " * len(before.rpartition("\n")[2])
    shown = before + after.partition("\n")[0]
    return RefusalError(400, code, f"\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}")


def tokens(text: str) -> list[Token]:
    """Cut a query into tokens, an ``end`` token last.

    :raises RefusalError: MALFORMED_QUERY at a character that begins no token.
    """
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise RefusalError(
                400,
                "MALFORMED_QUERY",
                f"line {text.count(chr(10), 0, position) + 1}:{position - text.rfind(chr(10), 0, position) - 1} "
                f"no viable alternative at character '{text[position]}'",
            )
        if match.lastgroup and match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), position))
        position = match.end()
    found.append(Token("end", "<EOF>", len(text)))
    return found


def unescaped(token: Token, text: str) -> str:
    r"""Return what a string token means: ``\'`` is a quote, ``\n`` a newline.

    https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm

    ``\%`` and ``\_`` keep their backslash, for LIKE to see.

    :raises RefusalError: for an escape that SOQL does not have.
    """

    def meaning(match: re.Match[str]) -> str:
        char = match.group(1)
        if char in "'\"\\":
            return char
        if char in "%_":
            return match.group()
        if char.lower() not in _ESCAPES:
            raise soql_error(text, token.position, f"Illegal escape sequence '\\{char}' in string literal")
        return _ESCAPES[char.lower()]

    return re.sub(r"\\(.)", meaning, token.text[1:-1], flags=re.DOTALL)
