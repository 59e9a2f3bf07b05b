from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_sfjwt.load.staging.scratch_folder import PREFIX, ScratchFolder, sweep
from airflow_provider_sfjwt.load.staging.staging import Staging


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def live(folder: Path, made: Any) -> None:
    tempfile.tempdir = str(folder)
    scratch = ScratchFolder()
    (scratch.path / "rows.csv").write_text("a secret of somebody")
    made.set()
    signal.pause()


@pytest.mark.attack(
    "a killed load's rows in the temporary folder",
    before="left there for ever",
    after="removed by the next load of the machine",
)
def test_the_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_is_not(temporary: Path) -> None:
    context = multiprocessing.get_context("fork")
    made = context.Event()
    process = context.Process(target=live, args=(temporary, made), daemon=True)
    process.start()
    assert made.wait(30)
    [left] = temporary.glob(f"{PREFIX}*")
    os.kill(process.pid or 0, signal.SIGSTOP)  # alive, whatever it does
    mine = ScratchFolder()
    assert {left, mine.path} == set(temporary.iterdir())
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(30)
    sweep()
    assert [mine.path] == list(temporary.iterdir())
    mine.remove()
    mine.remove()
    assert list(temporary.iterdir()) == []


def test_what_is_no_folder_of_a_load_stays(temporary: Path) -> None:
    (temporary / f"{PREFIX}note").write_text("x")
    (temporary / "elsewhere").mkdir()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "elsewhere")
    sweep()
    assert len(list(temporary.iterdir())) == 3


@pytest.mark.attack(
    "another user of the machine reads a load's files",
    before=".positions readable by all",
    after="0700 and 0600 throughout",
)
@pytest.mark.parametrize("group_by", [None, "Name"])
def test_nobody_else_can_read_what_is_staged(group_by: str | None) -> None:
    umask = os.umask(0)
    try:
        with Staging(["Id", "Name"], group_by=group_by, block=64) as staging:
            names = [f"name {number % 50}" for number in range(500)]
            staging.add(pa.table({"Id": names, "Name": names}), 0)
            assert list(staging.folder.iterdir())
            folders = {stat.S_IMODE(staging.folder.stat().st_mode)}
            files = {stat.S_IMODE(path.stat().st_mode) for path in staging.folder.iterdir()}
            staging.parts()
            files |= {stat.S_IMODE(path.stat().st_mode) for path in staging.folder.iterdir()}
    finally:
        os.umask(umask)
    assert (folders, files) == ({0o700}, {0o600})
