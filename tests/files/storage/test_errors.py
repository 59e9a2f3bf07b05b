"""What is said of a storage that fails, whatever its client raises."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.data_set import DataSetFolder
from airflow_provider_sfjwt.files.formats.input_file import ReadOptions
from airflow_provider_sfjwt.files.formats.registry import OutputFormat
from airflow_provider_sfjwt.files.storage.errors import storage_errors, storage_failures, usable_folder
from airflow_provider_sfjwt.load.outcomes.results_folder import ResultsFolder
from airflow_provider_sfjwt.load.reading.files import find_files


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder on an object store whose server is down."""
    pytest.importorskip("s3fs", reason="missing: s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    extra = {"endpoint_url": f"http://127.0.0.1:{port}"}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", json.dumps(connection))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return "s3://nowhere@bucket/folder"


def test_an_object_store_that_is_down_is_named_by_the_argument_and_tried_again(nowhere: str) -> None:
    with pytest.raises(SalesforceError, match=r"bucket/folder \(output_path\) cannot be used now: .*connect") as caught:
        DataSetFolder(nowhere).prepare(OutputFormat("csv"))
    assert caught.value.retryable
    with pytest.raises(
        SalesforceError, match=r"bucket/folder \(results_path\) cannot be used now: .*connect"
    ) as caught:
        ResultsFolder(nowhere).prepare()
    assert caught.value.retryable
    for source in (f"{nowhere}/a.csv", f"{nowhere}/*.csv"):
        with pytest.raises(SalesforceError, match=r"reading .* \(source\) failed: .*connect") as caught:
            find_files(source, None, ReadOptions(), ignores_nameless=False)
        assert caught.value.retryable


def test_the_clients_that_are_loaded_are_known() -> None:
    exceptions = pytest.importorskip("botocore.exceptions", reason="missing: botocore")
    assert issubclass(exceptions.EndpointConnectionError, storage_failures())
    assert storage_failures(ValueError)[:2] == (ValueError, OSError)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("no such protocol")])
def test_a_folder_that_cannot_work_is_not_tried_again(error: Exception) -> None:
    with pytest.raises(ConfigurationError) as caught, usable_folder("s3://x/y", "output_path"):
        raise error
    [(argument, fault)] = caught.value.fields.items()
    assert argument == "output_path"
    assert fault.startswith(
        ("s3://x/y cannot be written: Permission denied", "s3://x/y cannot be written: no such pro")
    )


def test_what_has_been_said_already_stays(tmp_path: Path) -> None:
    said = ConfigurationError({"sobject": "is missing"}, subject="the task")
    with pytest.raises(ConfigurationError) as caught, usable_folder(str(tmp_path), "output_path"):
        raise said
    assert caught.value is said


def test_a_disk_that_is_full_is_tried_again() -> None:
    said = "writing to /x .output_path. failed: No space left"
    with pytest.raises(SalesforceError, match=said) as caught, storage_errors("/x"):
        raise OSError(28, "No space left on device")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("s3", "apache-airflow-providers-amazon[s3fs]"),
        ("gs", "apache-airflow-providers-google"),
        ("abfs", "apache-airflow-providers-microsoft-azure"),
    ],
)
def test_a_missing_file_system_names_the_package_that_brings_it(scheme: str, package: str) -> None:
    with pytest.raises(ConfigurationError) as refused, usable_folder(f"{scheme}://bucket/x", "output_path"):
        raise ValueError(f"No filesystem registered for scheme {scheme}")  # as airflow.sdk.io says it
    assert f"registered for scheme {scheme}: install {package} where the task runs" in str(refused.value)
