"""``check --dags``: watched assets of DAG files."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt import cli
from airflow_provider_sfjwt.compat.watchers import has_shared_streams

pytestmark = pytest.mark.skipif(not has_shared_streams(), reason="missing: Airflow 3.3, which has shared streams")

WATCHED = """
from airflow.sdk import DAG
from airflow_provider_sfjwt.assets import salesforce_asset
with DAG("watched", schedule=salesforce_asset("Account")):
    pass
"""
BARE = """
from airflow.sdk import DAG, Asset
with DAG("bare", schedule=[Asset("salesforce://salesforce_jwt_default/Account/changes"), Asset("other")]):
    pass
"""
OUTLET = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset
with DAG("publishing", schedule=None):
    EmptyOperator(task_id="x", outlets=[Asset("salesforce://salesforce_jwt_default/Lead/changes")])
"""


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and the lines of the command."""
    code = 0
    try:
        cli.main(["check", "--dags", str(folder)])
    except SystemExit as end:
        code = int(end.code or 0)
    return code, [line for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_an_asset_that_is_made_once_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "watched.py").write_text(WATCHED)
    code, lines = checked(tmp_path, capsys)
    assert code == 0
    assert lines[-1].endswith(f"the watched assets of {tmp_path}")


def test_an_asset_without_its_watcher_in_another_file_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"watched.py": WATCHED, "bare.py": BARE, "outlet.py": OUTLET}.items():
        (tmp_path / name).write_text(text)
    code, lines = checked(tmp_path, capsys)
    assert code == 1
    (bare,) = [line for line in lines if "bare.py" in line]
    assert (
        f"names salesforce://salesforce_jwt_default/Account/changes without the watcher of {tmp_path}/watched.py"
        in bare
    )
    (outlet,) = [line for line in lines if "outlet.py" in line]
    assert "names salesforce://salesforce_jwt_default/Lead/changes, which nothing watches" in outlet


def test_an_asset_with_another_watcher_in_another_file_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text(WATCHED)
    (tmp_path / "b.py").write_text(
        WATCHED.replace('"watched"', '"slow"').replace('"Account"', '"Account", poll_interval=600')
    )
    code, lines = checked(tmp_path, capsys)
    assert code == 1
    assert (
        f"b.py names salesforce://salesforce_jwt_default/Account/changes with another watcher than {tmp_path}/a.py"
        in lines[-1]
    )


def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "faulty.py").write_text(WATCHED.replace('"Account"', '"Account", poll_interval=1'))
    code, lines = checked(tmp_path, capsys)
    assert code == 1
    assert any("faulty.py cannot be parsed" in line and "poll_interval: must be between" in line for line in lines)


def test_it_needs_a_connection_or_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["check"])
    assert end.value.code == 2
