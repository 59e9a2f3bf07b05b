"""What is published: a wheel built out of the source distribution, and what package indexes show of it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.distribution import EMPTY, REPOSITORY_ADDRESS, published, with_addresses
from tests.repository import REPOSITORY

pytestmark = pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="missing: hatchling")

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


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
    metadata, _ = published(tmp_path, with_addresses(pyproject))

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
