"""``/query`` and ``/queryAll``: answers in pages, each with the address of the next."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import dataclass

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.http.messages import Answer, RefusalError, Request, json_text_answer
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.rest.columns import columns_answer
from airflow_provider_sfjwt.testing.rest.permissions import Permissions
from airflow_provider_sfjwt.testing.rest.row_writers import Writer, record_writer
from airflow_provider_sfjwt.testing.settings import Settings
from airflow_provider_sfjwt.testing.soql.compiler import Compiler
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.parser import parse
from airflow_provider_sfjwt.testing.soql.shape import Compiled

_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_SMALLEST, _LARGEST = 200, 2000


@dataclass
class _Cursor:
    """What a query still has to answer."""

    snapshot: str
    total: int
    page_size: int
    compiled: Compiled


def too_complicated() -> RefusalError:
    """Return Salesforce's answer to a query that its database cannot take."""
    return RefusalError(
        400,
        "QUERY_TOO_COMPLICATED",
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    )


def _no_more_of_an_aggregate() -> RefusalError:
    message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
    return RefusalError(400, "EXCEEDED_ID_LIMIT", message)


class RestQueries:
    """Runs queries and keeps their cursors.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm

    :param user_id: who asks.
    """

    def __init__(self, store: Store, settings: Settings, user_id: str) -> None:
        self._store = store
        self._settings = settings
        self._user_id = user_id
        self._permissions = Permissions(store.schema, settings, user_id)
        self._cursors: dict[str, _Cursor] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("GET", r"/query/?", lambda r, v: self.run(r, v, False)),
            Route("GET", r"/queryAll/?", lambda r, v: self.run(r, v, True)),
            Route("GET", r"/query(?:All)?/(\w+-\w+)", lambda r, v, locator: self.more(locator, v)),
        ]

    def run(self, request: Request, version: str, include_deleted: bool) -> Answer:
        """Answer the first page of a query.

        :raises RefusalError: as Salesforce words it.
        """
        soql = request.parameter("q")
        if soql is None:
            raise RefusalError(400, "MALFORMED_QUERY", "A query string has to be specified")
        if (answer := self._permissions.answer(soql)) is not None:
            return answer
        query = parse(soql)
        context = Context.of(self._store.schema, self._settings, self._user_id, include_deleted)
        compiled = Compiler(context, query).compile()
        if request.parameter("columns") == "true":
            return columns_answer(compiled)
        page_size = self._page_size(request)
        try:
            with self._store.lock:
                limited = f"SELECT * FROM ({compiled.sql}) LIMIT {page_size + 1}"
                rows = self._store.select(limited, compiled.parameters)
                if query.is_bare_count:
                    return json_text_answer(f'{{"totalSize":{rows[0][0]},"done":true,"records":[]}}')
                if len(rows) <= page_size:
                    writer = self._writer(compiled, version)
                    return _page(self._total(compiled, len(rows)), None, [writer(row) for row in rows])
                if compiled.aggregate:
                    raise _no_more_of_an_aggregate()
                cursor = _Cursor(*self._store.snapshot(compiled.sql, compiled.parameters), page_size, compiled)
        except (sqlite3.OperationalError, OverflowError):
            raise too_complicated() from None
        with self._lock:
            cursor_id = record_id("01g", len(self._cursors) + 1)
            self._cursors[cursor_id] = cursor
        return self._cursor_page(cursor_id, cursor, 0, version)

    def more(self, locator: str, version: str) -> Answer:
        """Answer a further page.

        :param locator: cursor id and offset, ``01g…-2000``.
        :raises RefusalError: INVALID_QUERY_LOCATOR for a cursor that is not (any more) there.
        """
        cursor_id, _, offset = locator.partition("-")
        cursor = self._cursors.get(canonical_id(cursor_id) or "")
        if cursor is None or not cursor.snapshot or not offset.isdigit() or int(offset) >= cursor.total:
            raise RefusalError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._cursor_page(cursor_id, cursor, int(offset), version)

    def expire(self) -> None:
        """End all cursors, as Salesforce does with old ones."""
        with self._lock:
            for cursor in self._cursors.values():
                if cursor.snapshot:
                    self._store.drop_snapshot(cursor.snapshot)
                    cursor.snapshot = ""

    def _cursor_page(self, cursor_id: str, cursor: _Cursor, offset: int, version: str) -> Answer:
        end = min(offset + cursor.page_size, cursor.total)
        writer = self._writer(cursor.compiled, version)
        records = [writer(row) for block in self._store.snapshot_rows(cursor.snapshot, offset, end) for row in block]
        rest = None if end == cursor.total else f"/services/data/v{version}/query/{cursor_id}-{end}"
        return _page(self._total(cursor.compiled, cursor.total), rest, records)

    def _total(self, compiled: Compiled, rows: int) -> int:
        """Return ``totalSize``; some objects are not counted."""
        uncounted = {name.lower() for name in self._settings.uncounted_objects}
        return -1 if compiled.row.sobject.name.lower() in uncounted else rows

    def _writer(self, compiled: Compiled, version: str) -> Writer:
        return record_writer(compiled.row, self._store, version, compiled.aggregate)

    def _page_size(self, request: Request) -> int:
        wanted = _BATCH.search(request.headers.get("Sforce-Query-Options", ""))
        if wanted is None:
            return self._settings.rest_page_size
        return min(self._settings.rest_page_size, max(_SMALLEST, min(_LARGEST, int(wanted[1]))))


def _page(total: int, rest: str | None, records: list[str]) -> Answer:
    following = f'"done":false,"nextRecordsUrl":"{rest}"' if rest else '"done":true'
    return json_text_answer(f'{{"totalSize":{total},{following},"records":[{",".join(records)}]}}')
