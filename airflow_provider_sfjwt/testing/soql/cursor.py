"""Reading the tokens of one query, one after another."""

from __future__ import annotations

from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.soql.tokens import Token, soql_error, tokens
from airflow_provider_sfjwt.testing.soql.tree import Path

#: Words that begin a clause; they are never an alias.
CLAUSES = frozenset(
    {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING", "WITH", "FOR", "USING", "UPDATE", "ALL"}
)
_OBJECTS = frozenset({"GROUP", "ORDER"})
_DEPTH = 50


class Cursor:
    """Where a parser stands in its text.

    :raises RefusalError: MALFORMED_QUERY at a character that begins no token.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens(text)
        self._index = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        """The token that comes next; the last one is of the kind ``end``."""
        return self._tokens[self._index]

    @property
    def calls(self) -> bool:
        """Whether a function call comes next."""
        following = self._tokens[self._index + 1 : self._index + 2]
        return self.next.kind == "name" and bool(following) and following[0].word == "("

    def take(self) -> Token:
        """Take the next token."""
        token = self.next
        if token.kind != "end":
            self._index += 1
        return token

    def took(self, *words: str) -> bool:
        """Take these words where they come next, all or none."""
        following = self._tokens[self._index : self._index + len(words)]
        if [token.word for token in following] != list(words):
            return False
        self._index += len(words)
        return True

    def expect(self, word: str) -> Token:
        """Take a word.

        :raises RefusalError: where another comes next.
        """
        token = self.next
        if not self.took(word):
            raise self.unexpected(token)
        return token

    def unexpected(self, token: Token) -> RefusalError:
        """Return the refusal of a token that may not stand where it stands."""
        return soql_error(self.text, token.position, f"unexpected token: '{token.text}'")

    def name(self) -> str:
        """Take a name without points.

        :raises RefusalError: where something else comes next.
        """
        token = self.take()
        if token.kind != "name" or "." in token.text:
            raise self.unexpected(token)
        return token.text

    def path(self) -> Path:
        """Take a path.

        :raises RefusalError: where something else comes next.
        """
        token = self.take()
        if token.kind != "name" or token.word in CLAUSES:
            raise self.unexpected(token)
        return Path(tuple(token.text.split(".")), token.position)

    def object_name(self) -> Path:
        """Take the name of an object; there are objects that are called Group and Order.

        :raises RefusalError: where something else comes next.
        """
        token = self.next
        return Path((self.take().text,), token.position) if token.word in _OBJECTS else self.path()

    def alias(self) -> str | None:
        """Take the alias that may come next."""
        return self.name() if self.next.kind == "name" and self.next.word not in CLAUSES else None

    def number(self) -> int:
        """Take a whole number.

        :raises RefusalError: where something else comes next.
        """
        token = self.take()
        if token.kind != "number" or not token.text.isdigit() or len(token.text) > 10:
            raise self.unexpected(token)
        return int(token.text)

    def deeper(self) -> None:
        """Enter a pair of parentheses, or what is like one.

        :raises RefusalError: for too many.
        """
        self._depth += 1
        if self._depth > _DEPTH:
            raise soql_error(self.text, self.next.position, "the query is nested too deeply")

    def back(self) -> None:
        """Leave it."""
        self._depth -= 1
