"""The distribution, built as a package index gets it, with the addresses of a maintainer or without."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from tests.repository import REPOSITORY

REPOSITORY_ADDRESS, DOCUMENTATION_ADDRESS = "https://git.example.com/team/provider", "https://docs.example.com/"
#: Where the addresses stand in pyproject.toml until a maintainer fills them in.
EMPTY = ('repository = ""\n', 'documentation = ""\n')
SOURCES = ("README.md", "LICENSE", "CHANGELOG.md", "airflow_provider_sfjwt", ".packaging", "docs", "example_dags")


def with_addresses(pyproject: str) -> str:
    """pyproject.toml as a maintainer fills it in."""
    for line, address in zip(EMPTY, (REPOSITORY_ADDRESS, DOCUMENTATION_ADDRESS), strict=True):
        pyproject = pyproject.replace(line, line.replace('""', f'"{address}"'))
    return pyproject


def checkout(folder: Path, pyproject: str) -> Path:
    """A copy of what the distribution is made of.

    :param folder: for it, which is not there yet.
    :param pyproject: the text of its pyproject.toml.
    """
    folder.mkdir()
    (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder)
    return folder


def build(folder: Path, target: str) -> Path:
    """Build a wheel or a source distribution.

    :param folder: of the sources.
    :param target: ``wheel`` or ``sdist``.
    :return: the file.
    """
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder / "dist")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (folder / "dist").iterdir()
    return built


def published(folder: Path, pyproject: str) -> tuple[Message, list[str]]:
    """The metadata and the files of a wheel that is made as an index gets it: out of the source distribution."""
    unpacked = folder / "unpacked"
    with tarfile.open(build(checkout(folder / "source", pyproject), "sdist")) as archive:
        archive.extractall(unpacked, filter="data")
    (root,) = unpacked.iterdir()
    with ZipFile(build(root, "wheel")) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(wheel.read(metadata).decode("utf-8")), names


def can_be_built() -> bool:
    """Whether all that the distribution is made of is beside the tests; an installed wheel is tested without it."""
    return all((REPOSITORY / name).exists() for name in SOURCES)


def what_airflow_reads(folder: Path) -> Path:
    """A folder for PYTHONPATH with the metadata of a wheel that has a maintainer's addresses, and nothing else.

    :param folder: that may be written to.
    """
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    target = folder / "metadata"
    with ZipFile(build(checkout(folder / "source", with_addresses(pyproject)), "wheel")) as wheel:
        wheel.extractall(target, [name for name in wheel.namelist() if ".dist-info/" in name])
    return target
