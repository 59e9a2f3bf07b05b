"""What reads foreign bytes, each as a function of bytes: it gives a value, or ends in an error of this package.

A target is called with bytes that were made by changing good ones. It returns nothing; an error that is not one of ours,
more than :data:`MOST_SECONDS` or more than :data:`MOST_MB` is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import SalesforceError
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.formats.faults import Fault
from airflow_provider_sfjwt.files.formats.registry import OutputFormat, input_file
from airflow_provider_sfjwt.files.formats.result_page import PageLimits
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.load.report import LoadReport
from airflow_provider_sfjwt.salesforce.api import answers, collections, query, soql
from airflow_provider_sfjwt.salesforce.api.bulk_job import decode_job
from airflow_provider_sfjwt.salesforce.api.resource import reported_failures
from airflow_provider_sfjwt.salesforce.api.retry import http_date
from airflow_provider_sfjwt.salesforce.api.row_errors import parse_row_error
from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.credentials import connection_secrets, read_connection
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys
from airflow_provider_sfjwt.salesforce.auth.login_url import normalise_login_url
from airflow_provider_sfjwt.salesforce.wire.flow import Response
from airflow_provider_sfjwt.salesforce.wire.statuses import page_title
from tests.files.bodies import ChunkedBody
from tests.fuzz import seeds

#: What a call may take. A single one that takes longer is tried again before it is a finding: the machine may be busy.
MOST_SECONDS, MOST_MB = 10.0, 300.0
_COLUMNS = (Column("Id"), Column("Amount", "currency", 18, 2), Column("Text"))


class Target(NamedTuple):
    """What is fuzzed.

    :param call: with the bytes, and a folder of its own.
    :param seeds: good input, to be changed.
    """

    call: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _keys(data: bytes, folder: Path) -> None:
    for material in (data, data.decode("latin-1")):
        _or_our_error(lambda material=material: read_keys(material, source="Key file", passphrase="secret"))
    _or_our_error(lambda: read_certificate(data))


def _secrets(data: bytes, folder: Path) -> None:
    connection_secrets(password=None, extra={"private_key": _text(data)})


def _connection(data: bytes, folder: Path) -> None:
    read_connection(login="a@acme.com", password=None, host="", port=None, extra=_text(data))


def _url(data: bytes, folder: Path) -> None:
    try:
        normalise_login_url(_text(data), None)
    except ValueError as error:  # which the reader of connections makes a ConfigurationError of
        if isinstance(error, UnicodeError):
            raise TypeError("not a sentence") from error


def _answer(data: bytes, folder: Path) -> None:
    """An answer of an org, for whatever may be asked."""
    headers = {"content-type": "application/json", "date": _text(data[:40])}
    for status in (200, 400, 401, 500):
        response = Response(status, headers, data)
        page_title(response), answers.session_expired(response), http_date(headers["date"])
        _or_our_error(lambda response=response: answers.data(response, method="GET", path="/x"))
    answer = _or_our_error(lambda: answers.data(Response(200, headers, data), method="GET", path="/x"))
    reported_failures(answer)
    _or_our_error(lambda: collections._row_answer(answer, "upsert"))
    _or_our_error(lambda: decode_job(answer))
    session: Any = SimpleNamespace()
    _or_our_error(lambda: _run(query.decode_page(session, answer)))


def _run(flow: Any) -> None:
    """A flow up to its first request."""
    next(flow, None)
    flow.close()


def _page(data: bytes, folder: Path) -> None:
    limits = PageLimits(1_000)
    for name in ("csv", "jsonl", "parquet"):
        target = ObjectStoragePath(f"file://{folder}/part.{name}")
        _or_our_error(
            lambda name=name, target=target: OutputFormat(name).write_page(
                target, ChunkedBody(data, 97), _COLUMNS, limits
            )
        )


def _file(ending: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        from airflow_provider_sfjwt.files.formats.registry import FORMATS

        path = folder / f"rows.{ending}"
        path.write_bytes(data)
        file = input_file(ObjectStoragePath(f"file://{path}"), None)
        reader = FORMATS[file.file_format].load()
        names = reader.columns(file)
        for _, faults in reader.pieces(file, names, names):
            assert all(isinstance(each, Fault) for each in faults)

    return read


def _receipt(data: bytes, folder: Path) -> None:
    _or_our_error(lambda: Receipt.from_json(_text(data), "folder"))
    _or_our_error(lambda: LoadReport.from_json(_text(data), "folder"))
    PageManifest.from_json(_text(data))


def _soql(data: bytes, folder: Path) -> None:
    text = _text(data)
    soql.selected(text), soql.aliases(text), soql.sobject_of(text), soql.not_in_bulk(text), soql.is_count(text)


def _or_our_error(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except SalesforceError:
        return None


TARGETS: Mapping[str, Target] = {
    "keys": Target(_keys, seeds.KEYS),
    "secrets of keys": Target(_secrets, seeds.KEY_TEXTS),
    "connection extras": Target(_connection, seeds.EXTRAS),
    "URLs": Target(_url, seeds.URLS),
    "answers": Target(_answer, seeds.ANSWERS),
    "result pages": Target(_page, seeds.PAGES),
    "CSV to load": Target(_file("csv"), seeds.PAGES),
    "JSON to load": Target(_file("jsonl"), seeds.JSON_LINES),
    "packed CSV to load": Target(_file("csv.gz"), seeds.PACKED),
    "row errors": Target(lambda data, _: parse_row_error(_text(data)), seeds.ROW_ERRORS),
    "SOQL": Target(_soql, seeds.SOQL),
    "receipts": Target(_receipt, seeds.RECEIPTS),
}


def tried(name: str, data: bytes, folder: Path) -> None:
    """Call a target; what it raises beside our own errors is a finding.

    :param name: of the target.
    :param data: the bytes.
    :param folder: for files.
    """
    with suppress(SalesforceError):
        TARGETS[name].call(data, folder)


def case(data: bytes) -> str:
    """Bytes as a stored case has them: one line of JSON.

    :param data: of a finding.
    """
    return json.dumps(data.decode("latin-1"))
