"""What is published: a wheel built out of the source distribution, and what package indexes show of it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.repository import REPOSITORY

pytestmark = pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="missing: hatchling")

REPOSITORY_ADDRESS, DOCUMENTATION_ADDRESS = "https://git.example.com/team/provider", "https://docs.example.com/"
EMPTY = ('repository = ""\n', 'documentation = ""\n')
SOURCES = ("README.md", "LICENSE", "CHANGELOG.md", "airflow_provider_sfjwt", ".packaging", "docs", "example_dags")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def build(folder: Path, target: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder / "dist")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (folder / "dist").iterdir()
    return built


def published(folder: Path, pyproject: str) -> tuple[Message, list[str]]:
    """The metadata and the files of a wheel that is made as an index gets it: out of the source distribution."""
    source, unpacked = folder / "source", folder / "unpacked"
    source.mkdir()
    (source / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    with tarfile.open(build(source, "sdist")) as archive:
        archive.extractall(unpacked, filter="data")
    (root,) = unpacked.iterdir()
    with ZipFile(build(root, "wheel")) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(wheel.read(metadata).decode("utf-8")), names


def links(page: str) -> list[str]:
    return [link["target"] for link in _LINK.finditer(page)]


@pytest.fixture
def pyproject() -> str:
    return (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_addresses_stand_in_one_place_and_nobody_has_invented_one(pyproject: str, tmp_path: Path) -> None:
    assert [pyproject.count(line) for line in EMPTY] == [1, 1]

    metadata, _ = published(tmp_path, pyproject)

    assert metadata.get_all("Project-URL") is None
    relative = [target for target in links(metadata.get_payload()) if not target.startswith("https://")]
    assert relative == []


def test_addresses_that_a_maintainer_fills_in_make_the_links_work(pyproject: str, tmp_path: Path) -> None:
    for line, address in zip(EMPTY, (REPOSITORY_ADDRESS, DOCUMENTATION_ADDRESS), strict=True):
        pyproject = pyproject.replace(line, line.replace('""', f'"{address}"'))

    metadata, _ = published(tmp_path, pyproject)

    assert metadata.get_all("Project-URL") == [
        "Documentation, https://docs.example.com",
        f"Repository, {REPOSITORY_ADDRESS}",
        f"Changelog, {REPOSITORY_ADDRESS}/blob/HEAD/CHANGELOG.md",
        f"Issues, {REPOSITORY_ADDRESS}/issues",
    ]
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    pictures = set(re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", readme))
    expected = [
        target if target.startswith("https://") else f"{REPOSITORY_ADDRESS}/{kind}/HEAD/{target}"
        for target in links(readme)
        for kind in ["raw" if target in pictures else "blob"]
    ]
    assert links(metadata.get_payload()) == expected
    assert len(expected) > 10


def test_the_wheel_holds_the_package_and_its_licence_alone(pyproject: str, tmp_path: Path) -> None:
    _, names = published(tmp_path, pyproject)

    package = {name for name in names if name.startswith("airflow_provider_sfjwt/")}
    on_disk = (REPOSITORY / "airflow_provider_sfjwt").rglob("*")
    files = {str(file.relative_to(REPOSITORY)) for file in on_disk if file.is_file() and file.suffix != ".pyc"}
    assert package == files
    others = {name.partition("/")[2] for name in set(names) - package}
    assert others == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
