"""One environment of the matrix: an Airflow with its own month's packages, and the wheel as a user installs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.repository import REPOSITORY

PINS = REPOSITORY / "tests" / "matrix"
CACHE = REPOSITORY / ".cache" / "matrix"
#: What tests read of the repository beside the package, which they must not find here.
_FOR_TESTS = ("tests", "example_dags", "docs", "README.md", "CHANGELOG.md", "pyproject.toml", "Makefile")


def versions() -> list[str]:
    """The Airflows that have a file of pins."""
    return sorted(each.stem.removeprefix("airflow-") for each in PINS.glob("airflow-*.txt"))


def features(python: Path | str, folder: Path, log: Path) -> dict[str, str]:
    """What came of each feature that ``features.py`` tries.

    :param python: of the environment.
    :param folder: with ``features.py`` and its DAGs.
    :param log: for everything else that is printed.
    """
    command = [str(python), str(folder / "features.py"), str(folder / "dags")]
    with log.open("w") as stderr:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, cwd="/")
    # Airflow may print more after it.
    found = [line for line in done.stdout.splitlines() if line.startswith('{"imports"')]
    return dict(json.loads(found[-1])) if found else {"imports": f"FAILED: see {log}"}


def build_wheel() -> Path:
    """Build the wheel, and lay out the tests without the package, so that they can only find the wheel's."""
    shutil.rmtree(CACHE / "dist", ignore_errors=True)
    _uv("build", "--quiet", "--wheel", "--out-dir", str(CACHE / "dist"), str(REPOSITORY))
    checkout = CACHE / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    checkout.mkdir()
    for name in _FOR_TESTS:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout)
    (wheel,) = (CACHE / "dist").glob("*.whl")
    return wheel


class Environment:
    """A Python with one Airflow.

    :param airflow: its version, which has a file of pins.
    :param python: e.g. ``3.11``, or a path.
    """

    def __init__(self, airflow: str, python: str) -> None:
        self.airflow = airflow
        self._asked_for = python
        self._pins = PINS / f"airflow-{airflow}.txt"
        self.python_version = Path(python).name.removeprefix("python")
        self.folder = CACHE / f"{airflow}-python{self.python_version}"
        self.python = self.folder / "bin" / "python"

    def install(self, wheel: Path) -> str:
        """Make the environment with Airflow alone, see that the wheel changes nothing of it, and install everything.

        :param wheel: of this package.
        :return: ``ok``, or which packages of Airflow's a resolver would have changed.
        """
        complete = self.folder / ".complete"
        pins = self._pins.read_text(encoding="utf-8")
        if not complete.exists() or complete.read_text(encoding="utf-8") != pins:
            shutil.rmtree(self.folder, ignore_errors=True)
            _uv("venv", "--quiet", "--seed", "--python", self._asked_for, str(self.folder))
            self._install(f"apache-airflow=={self.airflow}", "--constraint", str(self._pins))
            # As a user does who names no constraints: the newest packages of today may come, but to what is missing only.
            (self.folder / "changed.json").write_text(json.dumps(self._changes(wheel)), encoding="utf-8")
            self._install("--requirement", str(self._pins))
            complete.write_text(pins, encoding="utf-8")
        self._install("--no-deps", "--force-reinstall", str(wheel))
        changed = json.loads((self.folder / "changed.json").read_text(encoding="utf-8"))
        return f"CHANGES {', '.join(changed)}" if changed else "ok"

    def _changes(self, wheel: Path) -> list[str]:
        """What is installed and would be replaced by ``pip install`` of the wheel with its extra."""
        pip = [str(self.python), "-m", "pip", "--disable-pip-version-check"]
        listed = subprocess.run([*pip, "list", "--format", "json"], stdout=subprocess.PIPE, check=True)
        there = {each["name"].lower().replace("_", "-") for each in json.loads(listed.stdout)}
        trial = [*pip, "install", "--quiet", "--dry-run", "--report", "-", f"{wheel}[parquet]"]
        report = json.loads(subprocess.run(trial, stdout=subprocess.PIPE, check=True).stdout)
        wanted = [each["metadata"] for each in report["install"]]
        return [
            f"{each['name']} {each['version']}" for each in wanted if each["name"].lower().replace("_", "-") in there
        ]

    def _install(self, *arguments: str) -> None:
        _uv("pip", "install", "--quiet", "--python", str(self.python), *arguments)


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)
