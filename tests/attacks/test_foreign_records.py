"""Results that were made to fill memory or a disk: each ends, with an error that says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_sfjwt.exceptions import ProtocolError
from airflow_provider_sfjwt.files.formats.csv_records import LONGEST_RECORD
from airflow_provider_sfjwt.files.formats.registry import FORMATS, OutputFormat
from airflow_provider_sfjwt.files.formats.result_page import PageLimits
from airflow_provider_sfjwt.files.values.columns import Column
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg

MB = 2**20


class Endless:
    """A page whose bytes never end.

    :param begins: with what.
    :param repeats: what follows, again and again.
    :param most: bytes after which the test has failed.
    """

    def __init__(self, begins: bytes, repeats: bytes, most: int) -> None:
        self._begins, self._repeats, self._most = begins, repeats * (65_536 // len(repeats)), most
        self.given = 0

    def readinto(self, buffer: memoryview) -> int:
        data = (self._begins if self.given == 0 else self._repeats)[: len(buffer)]
        buffer[: len(data)] = data
        self.given += len(data)
        assert self.given < self._most, "the page was read on"
        return len(data)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b'"Id"\n"001', id="within a quoted value"),
        pytest.param(b'"Id"\n001', id="without quotes"),
        pytest.param(b'"Id', id="in the header"),
    ],
)
@pytest.mark.attack("a page without a line end", before="more than 2.5 GiB of memory", after="ends at max_record_bytes")
def test_a_record_without_an_end(tmp_path: Path, name: str, header: bytes) -> None:
    body = Endless(header, b"x", 2 * LONGEST_RECORD + 2 * MB)
    with pytest.raises(ProtocolError, match="longer than 16,777,216 bytes.* max_record_bytes"):
        OutputFormat(name).write_page(ObjectStoragePath(f"file://{tmp_path}/part"), body, (Column("Id"),))


def test_the_longest_record_is_a_setting(tmp_path: Path) -> None:
    body, limits = Endless(b'"Id"\n"001', b"x", 8 * MB), PageLimits(record_bytes=2 * MB)
    with pytest.raises(ProtocolError, match="longer than 2,097,152 bytes"):
        OutputFormat("csv").write_page(ObjectStoragePath(f"file://{tmp_path}/part"), body, (Column("Id"),), limits)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.attack("rows beyond the declared count", before="fill the disk", after="the rest of the page is not read")
def test_rows_beyond_the_declared_count(tmp_path: Path, name: str) -> None:
    body, limits = Endless(b'"Id"\n', b'"0015e00000AbCdEAAV"\n', 8 * MB), PageLimits(records=100)
    written = OutputFormat(name).write_page(ObjectStoragePath(f"file://{tmp_path}/part"), body, (Column("Id"),), limits)
    assert written.records > 100
    assert written.part.bytes < 4 * MB


def test_an_extract_whose_pages_never_end_fails_by_their_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__MAX_RECORD_BYTES", str(2 * MB))
    with SimulatedOrg(records={"Account": 3}) as org:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        more = b'"0015e00000AbCdEAAV"\n' * 200_000
        org.add_fault(Fault(path="*/results*", times=None, edit_body=lambda page: page + more))
        with pytest.raises(ProtocolError, match=r"records where Salesforce declared 3, 5 times"):
            SalesforceJwtHook().extract(
                soql="SELECT Id FROM Account", output_path=f"file://{tmp_path}", transport="bulk"
            )
        org.clear_faults()
        org.add_fault(Fault(path="*/results*", times=None, edit_body=lambda page: page[:-2] + b"x" * 5 * MB))
        with pytest.raises(ProtocolError, match=r"a record of a result is longer than 2,097,152 bytes"):
            SalesforceJwtHook().extract(
                soql="SELECT Id FROM Account", output_path=f"file://{tmp_path}", transport="bulk"
            )


def test_rows_over_rest_beyond_the_counted_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SimulatedOrg(records={"Account": 30}) as org:
        monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT", org.connection_json())
        org.add_fault(Fault(path="*/query*", times=None, edit_json=lambda page: {**page, "totalSize": 20}))
        with pytest.raises(ProtocolError, match="at least 30 rows where Salesforce counted 20"):
            SalesforceJwtHook().extract(
                soql="SELECT Id FROM Account", output_path=f"file://{tmp_path}", transport="rest"
            )
