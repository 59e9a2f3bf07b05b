"""Links to other sites: their form, since tests need no internet. ``make linkcheck`` looks them up."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.repository import REPOSITORY

SOURCES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "airflow_provider_sfjwt").rglob("*.py"),
    ]
)
_IN_MARKDOWN = re.compile(r"\]\((?P<link>[a-z]+:[^)]*)\)|<(?P<bare>https?:[^>]*)>")
#: An address that stands alone in a docstring or a comment: the source of what is said there.
_IN_CODE = re.compile(r"^[ #:]*(?P<link>https?://\S+?)[.,;]?$", re.MULTILINE)
_HOST = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}$")


def links(source: Path) -> list[str]:
    pattern = _IN_MARKDOWN if source.suffix == ".md" else _IN_CODE
    found = pattern.finditer(source.read_text(encoding="utf-8"))
    return [next(filter(None, link.groups())) for link in found]


def fault(link: str) -> str | None:
    """What is wrong with the form of a link."""
    parts = urlsplit(link)
    if parts.scheme != "https":
        return "is not https"
    if not _HOST.match(parts.netloc):
        return f"has the host {parts.netloc!r}"
    if re.search(r"[\s\"'`<>{}|\\^]", link):
        return "has a character that no address may have"
    return "has an empty part" if "//" in parts.path or parts.query.endswith("&") else None


def test_links_to_other_sites_are_well_formed() -> None:
    faults = {(str(source), link): fault(link) for source in SOURCES for link in links(source)}
    assert {place: wrong for place, wrong in faults.items() if wrong} == {}


def test_links_are_found() -> None:
    count = {suffix: sum(len(links(each)) for each in SOURCES if each.suffix == suffix) for suffix in (".md", ".py")}
    assert count[".md"] > 15
    assert count[".py"] > 100


@pytest.mark.parametrize(
    "link", ["http://example.com", "https://example", "https://a.com//b", "https://a.com/b c", "https://u:p@a.com/"]
)
def test_a_broken_form_is_found(link: str) -> None:
    assert fault(link)
