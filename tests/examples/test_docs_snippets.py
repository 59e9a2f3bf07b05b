from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.repository import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
_INCLUDE = re.compile(r"<!-- include: (?P<file>\S+?)#(?P<region>\w+) -->")
_NOT_RUN = re.compile(r"<!-- not run: .+ -->")
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


def region(file: str, name: str) -> str:
    """The lines between the marks of a file, without their common indent."""
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    found = re.findall(rf"^ *# \[START {name}\]\n(.*?)^ *# \[END {name}\]$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{file} has {len(found)} regions {name}"
    return undented(found[0])


def undented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    shared = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[shared:] for line in lines).rstrip()


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Of each fenced block: its language, its body and the line before it."""
    text = page.read_text(encoding="utf-8")
    return [
        (block["language"], undented(block["body"]), text[: block.start()].rstrip("\n").rpartition("\n")[2].strip())
        for block in _BLOCK.finditer(text)
    ]


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_is_included_from_tested_files(page: Path) -> None:
    for language, body, before in blocks(page):
        include = _INCLUDE.fullmatch(before)
        if include:
            assert body == region(include["file"], include["region"]), before
        elif language == "python":
            assert _NOT_RUN.fullmatch(before), f"{name(page)}: a python block is neither included nor marked:\n{body}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_include_stands_before_a_block(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    marks = [line for line in lines if _INCLUDE.fullmatch(line.strip())]
    assert len(marks) == sum(bool(_INCLUDE.fullmatch(before)) for _, _, before in blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page: Path) -> None:
    prose = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [link["target"] for link in _LINK.finditer(prose)]
    relative = [target for target in targets if not re.match(r"[a-z]+:", target)]
    broken = [target for target in relative if not resolves(page, unquote(target))]
    assert broken == []


def resolves(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    return not anchor or anchor in anchors(file)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", found["text"].lower()).replace(" ", "-") for found in _HEADING.finditer(text)}
