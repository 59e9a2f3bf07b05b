"""From SOQL text to a tree. What is not honoured is refused, never guessed.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from __future__ import annotations

from airflow_provider_sfjwt.testing.http.messages import unsupported
from airflow_provider_sfjwt.testing.soql.tokens import Token, soql_error, tokens, unescaped
from airflow_provider_sfjwt.testing.soql.tree import (
    Aggregate,
    Among,
    Comparison,
    Condition,
    FieldsOf,
    Junction,
    Literal,
    Negation,
    Order,
    Path,
    Query,
    SelectItem,
    SubQuery,
)

_AGGREGATES = {"COUNT", "COUNT_DISTINCT", "SUM", "MIN", "MAX", "AVG"}
_CLAUSES = {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "HAVING", "WITH", "FOR", "USING", "UPDATE", "ALL"}
_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "LIKE": "LIKE"}
_NOT_HONOURED = {"HAVING", "WITH", "FOR", "USING", "UPDATE", "ALL", "INCLUDES", "EXCLUDES", "TYPEOF"}
_RANGES = {"TODAY", "YESTERDAY", "TOMORROW"}
_COUNTED_RANGES = {"LAST_N_DAYS", "NEXT_N_DAYS"}
_DEPTH = 50


def parse(text: str) -> Query:
    """Parse one query.

    :raises RefusalError: as Salesforce words it, or NOT_IN_SIMULATOR for SOQL that is right and not honoured here.
    """
    parser = _Parser(text)
    query = parser.query()
    parser.refuse_rest("end")
    return query


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._index = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._index += 1
        return token

    def _took(self, *words: str) -> bool:
        """Take these words where they come next, all or none."""
        following = self._tokens[self._index : self._index + len(words)]
        if [token.word for token in following] != list(words):
            return False
        self._index += len(words)
        return True

    def _unexpected(self, token: Token) -> Exception:
        if token.word in _NOT_HONOURED:
            return unsupported(token.word)
        shown = f"unexpected token: '{token.text}'"
        return soql_error(self._text, token.position, shown)

    def _expect(self, word: str) -> Token:
        token = self._next
        if not self._took(word):
            raise self._unexpected(token)
        return token

    def refuse_rest(self, kind: str) -> None:
        """Refuse what follows a whole query, other than a token of that kind."""
        if self._next.kind != kind:
            raise self._unexpected(self._next)

    def query(self) -> Query:
        self._expect("SELECT")
        items = [self._item()]
        while self._took(","):
            items.append(self._item())
        self._expect("FROM")
        sobject = self._path()
        if self._next.word == ",":
            raise unsupported("several objects after FROM")
        alias = None
        self._took("AS")
        if self._next.kind == "name" and self._next.word not in _CLAUSES:
            alias = self._name()
        if self._next.word == ",":
            raise unsupported("several objects after FROM")
        where = self._conditions() if self._took("WHERE") else None
        group_by = tuple(self._group_by()) if self._took("GROUP", "BY") else ()
        order_by = tuple(self._order_by()) if self._took("ORDER", "BY") else ()
        limit = self._count() if self._took("LIMIT") else None
        offset = self._count() if self._took("OFFSET") else None
        return Query(self._text, tuple(items), sobject, alias, where, group_by, order_by, limit, offset)

    def _name(self) -> str:
        token = self._take()
        if token.kind != "name" or "." in token.text:
            raise self._unexpected(token)
        return token.text

    def _path(self) -> Path:
        token = self._take()
        if token.kind != "name" or token.word in _CLAUSES:
            raise self._unexpected(token)
        return Path(tuple(token.text.split(".")), token.position)

    def _item(self) -> SelectItem:
        token = self._next
        if token.word == "(":
            self._take()
            with_children = SubQuery(self.query(), token.position)
            self._expect(")")
            return with_children
        if token.word == "TYPEOF":
            raise unsupported("TYPEOF")
        if self._tokens[self._index + 1 : self._index + 2] and self._tokens[self._index + 1].word == "(":
            return self._call(alias=True)
        path = self._path()
        if self._next.kind == "name" and self._next.word != "FROM":
            raise unsupported(f"an alias of a field ({self._next.text})")
        return path

    def _call(self, alias: bool) -> Aggregate | FieldsOf:
        token = self._take()
        if token.kind != "name":
            raise self._unexpected(token)
        self._expect("(")
        if token.word == "FIELDS":
            kind = self._name().upper()
            self._expect(")")
            return FieldsOf(kind, token.position)
        if token.word not in _AGGREGATES:
            raise unsupported(f"the function {token.text}()")
        path = None if token.word == "COUNT" and self._next.word == ")" else self._path()
        self._expect(")")
        named = alias and self._next.kind == "name" and self._next.word != "FROM"
        return Aggregate(token.word, path, self._name() if named else None, token.position)

    def _conditions(self) -> Condition:
        self._depth += 1
        if self._depth > _DEPTH:
            raise soql_error(self._text, self._next.position, "the WHERE clause is nested too deeply")
        conditions = [self._condition()]
        operator = self._next.word
        while self._next.word in ("AND", "OR"):
            if self._next.word != operator:
                # AND and OR do not mix without parentheses: SOQL has no precedence between them.
                raise self._unexpected(self._next)
            self._take()
            conditions.append(self._condition())
        self._depth -= 1
        return conditions[0] if len(conditions) == 1 else Junction(operator, tuple(conditions))

    def _condition(self) -> Condition:
        if self._took("NOT"):
            self._depth += 1
            if self._depth > _DEPTH:
                raise soql_error(self._text, self._next.position, "the WHERE clause is nested too deeply")
            negation = Negation(self._condition())
            self._depth -= 1
            return negation
        if self._took("("):
            inner = self._conditions()
            self._expect(")")
            return inner
        path = self._path()
        if self._next.word == "(":
            raise unsupported(f"the function {path.text}() in a condition")
        negated = self._took("NOT")
        if negated or self._next.word == "IN":
            self._expect("IN")
            return Among(path, negated, tuple(self._literals()))
        token = self._take()
        if token.word not in _OPERATORS:
            raise self._unexpected(token)
        return Comparison(path, _OPERATORS[token.word], self._literal())

    def _literals(self) -> list[Literal]:
        self._expect("(")
        if self._next.word == "SELECT":
            raise unsupported("a semi-join (IN with a sub-query)")
        found = [self._literal()]
        while self._took(","):
            found.append(self._literal())
        self._expect(")")
        return found

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "string":
            return Literal("string", unescaped(token, self._text), token.position)
        if token.kind in ("number", "date", "datetime"):
            return Literal(token.kind, token.text, token.position)
        if token.word in ("TRUE", "FALSE"):
            return Literal("boolean", token.word, token.position)
        if token.word == "NULL":
            return Literal("null", "", token.position)
        if token.word in _RANGES:
            return Literal("range", token.word, token.position)
        if token.word in _COUNTED_RANGES:
            self._expect(":")
            return Literal("range", f"{token.word}:{self._count()}", token.position)
        if token.kind == "name" and ("_N_" in token.word or token.word.startswith(("LAST_", "THIS_", "NEXT_"))):
            raise unsupported(f"the date literal {token.text}")
        raise self._unexpected(token)

    def _group_by(self) -> list[Path]:
        found = []
        while True:
            path = self._path()
            if self._next.word == "(":
                raise unsupported(f"the function {path.text}() in GROUP BY")
            found.append(path)
            if not self._took(","):
                return found

    def _order_by(self) -> list[Order]:
        found = []
        while True:
            item: Path | Aggregate
            if self._tokens[self._index + 1 : self._index + 2] and self._tokens[self._index + 1].word == "(":
                call = self._call(alias=False)
                if isinstance(call, FieldsOf):
                    raise soql_error(self._text, call.position, "FIELDS() is not allowed in ORDER BY")
                item = call
            else:
                item = self._path()
            descending = self._took("DESC")
            if not descending:
                self._took("ASC")
            nulls_last = self._took("NULLS", "LAST")
            if not nulls_last:
                self._took("NULLS", "FIRST")
            found.append(Order(item, descending, nulls_last))
            if not self._took(","):
                return found

    def _count(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit() or len(token.text) > 10:
            raise self._unexpected(token)
        return int(token.text)
