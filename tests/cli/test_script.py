"""``airflow-salesforce-jwt``: the same commands on any version of Airflow, without Airflow's command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_sfjwt.cli import get_commands, main
from airflow_provider_sfjwt.testing import SimulatedOrg


def test_the_script_checks_a_connection(org: SimulatedOrg, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "sf"])
    assert "✓ exchange:" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["check", "nobody"])


def test_the_script_makes_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keygen", "--out-dir", str(tmp_path), "--name", "acme"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["acme.crt", "acme.key"]


def test_the_script_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    [group] = get_commands()
    assert shown.startswith("usage: airflow-salesforce-jwt")
    assert all(command.name in shown for command in group.subcommands)
