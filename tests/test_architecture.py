"""Rules of the house that no list of modules can keep: they hold for a file that somebody adds tomorrow.

The other rules are contracts of import-linter, in pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import grimp
import pytest

from tests.repository import REPOSITORY

PACKAGE = "airflow_provider_sfjwt"
ROOMS = sorted(each.name for each in (REPOSITORY / PACKAGE).iterdir() if (each / "__init__.py").exists())
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, TYPE_CHECKING and imports in functions included."""
    return grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)


def test_the_simulated_org_needs_little_besides_python(graph: grimp.ImportGraph) -> None:
    own = {f"{PACKAGE}.testing", *graph.find_descendants(f"{PACKAGE}.testing")}
    needed = {imported for module in own for imported in graph.find_modules_directly_imported_by(module)}
    assert needed - own - sys.stdlib_module_names == {"cryptography", "fastavro", "grpc", "pytest"}


def test_no_module_is_named_after_nothing(graph: grimp.ImportGraph) -> None:
    parts = {part for module in graph.modules if module.startswith(PACKAGE) for part in module.split(".")}
    assert parts.isdisjoint({"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc"})


def imported_modules(file: Path) -> set[str]:
    """Every module that a file may import: of ``from a import b``, both ``a`` and ``a.b``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)


def test_no_test_module_is_imported() -> None:
    tests = {module_name(file) for file in TESTS if file.name.startswith("test_")}
    wrong = {module_name(file): sorted(tests & imported_modules(file)) for file in TESTS}
    assert {file: names for file, names in wrong.items() if names} == {}


def reached(file: Path) -> set[str]:
    """What a test imports of the package by itself, by the modules that it shares and by its ``conftest.py``."""
    seen: set[str] = set()
    names = {module_name(file), *(module_name(each) for each in above(file))}
    files = {module_name(each): each for each in TESTS}
    while left := names & files.keys() - seen:
        seen |= left
        names |= {name for module in left for name in imported_modules(files[module])}
    return {name.removeprefix(f"{PACKAGE}.") for name in names if name.startswith(f"{PACKAGE}.")}


def above(file: Path) -> list[Path]:
    found = [folder / "conftest.py" for folder in file.parents if folder.is_relative_to(REPOSITORY / "tests")]
    return [each for each in found if each.exists()]


@pytest.mark.parametrize(
    "room",
    sorted(each.name for each in (REPOSITORY / PACKAGE).iterdir() if each.is_dir() and each.name != "__pycache__"),
)
def test_a_test_lies_in_the_room_that_it_tests(room: str) -> None:
    tests = sorted((REPOSITORY / "tests" / room).rglob("test_*.py"))
    assert [module_name(file) for file in tests if room not in {name.split(".")[0] for name in reached(file)}] == []


def page() -> str:
    return (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")


def test_the_page_has_a_row_for_every_room() -> None:
    assert sorted(re.findall(r"^\| `([a-z]+)` \|", page(), re.MULTILINE)) == ROOMS


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", page()))
    homes = (REPOSITORY / PACKAGE, REPOSITORY / PACKAGE / "salesforce")
    assert [name for name in sorted(named) if not any((home / name).exists() for home in homes)] == []
