"""What can go wrong on the way of an extract, as faults of the simulated org."""

from __future__ import annotations

import base64
import errno
import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileOpener

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg

FIRST_JOB = "7505e0000000001AAA"
JOB, LINKS, PAGES, QUERY = "*/jobs/query/750*AAA", "*/resultPages*", "*/results*", "*/query[/?]*"

Edit = Callable[[dict[str, str]], dict[str, str]]
#: What goes wrong: faults, or a function that brings it about.
Trouble = list[Fault] | Callable[[SimulatedOrg, Path], Any]


def on(path: str, nth: int = 1, times: int | None = None, **what: Any) -> Fault:
    """A fault that stays, unless told how often."""
    return Fault(method="GET", path=path, nth=nth, times=times, **what)


def refused(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "body": f'[{{"errorCode":"{code}","message":"as said"}}]'}


def saying(**headers: str) -> Edit:
    return lambda given: {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}


def job(**changes: Any) -> dict[str, Any]:
    return {"edit_json": lambda answer: {**answer, **changes}}


def without_last_row(body: bytes) -> bytes:
    return body[: body.rindex(b"\n", 0, -1) + 1]


def without_last_cell(body: bytes) -> bytes:
    return body[: body.rindex(b",")]


def twice(body: bytes) -> bytes:
    return body + body[body.index(b"\n") + 1 :]


def other_order(body: bytes) -> bytes:
    return body.replace(b'"Id","Name"', b'"Name","Id"')


def text_for_number(body: bytes) -> bytes:
    return re.sub(rb'"[0-9.]+","(2026-11-01)', rb'"a lot","\1', body, count=1)


def lost(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if "NumberOfRecords" not in name}


# -- what a list of faults cannot say --------------------------------------------------------------------------------


def cut_within_gzip(org: SimulatedOrg, folder: Path, times: int | None = 1) -> None:
    """The answer is whole by HTTP's framing; it is the compressed body that ends too early."""
    org.gzip = False

    def halved(body: bytes) -> bytes:
        return gzip.compress(body)[: len(body) // 12]

    org.add_fault(on(PAGES, 2, times, edit_body=halved, edit_headers=saying(Content_Encoding="gzip")))


def same_page_again(org: SimulatedOrg, folder: Path) -> None:
    """Under the locator of the second page come the rows of the first, which are as many."""
    first: list[bytes] = []

    def repeat(body: bytes) -> bytes:
        first.append(body)
        return first[0]

    org.add_fault(on(PAGES, 1, 2, edit_body=repeat))


def one_page_more(org: SimulatedOrg, folder: Path) -> None:
    """The list of pages names the second one twice, by locators that differ."""

    def longer(answer: dict[str, Any]) -> dict[str, Any]:
        links = answer["resultPages"]
        path, locator = links[1]["resultUrl"].split("locator=")
        same = base64.b64encode(b"0" + base64.b64decode(locator + "==")).decode().rstrip("=")
        return {**answer, "resultPages": [*links, {"resultUrl": f"{path}locator={same}"}]}

    org.add_fault(on(LINKS, edit_json=longer))


def locator_loop(org: SimulatedOrg, folder: Path) -> None:
    seen: list[str] = []

    def repeat(headers: dict[str, str]) -> dict[str, str]:
        seen.append(headers["Sforce-Locator"])
        return {**headers, "Sforce-Locator": seen[0]}

    org.add_fault(on(PAGES, edit_headers=repeat))


def links_loop(org: SimulatedOrg, folder: Path) -> None:
    def repeat(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "resultPages": [*answer["resultPages"], answer["resultPages"][0]]}

    org.add_fault(on(LINKS, edit_json=repeat))


def same_rows_again(org: SimulatedOrg, folder: Path) -> None:
    first: list[Any] = []

    def repeat(page: dict[str, Any]) -> dict[str, Any]:
        first.append(page["records"])
        return {**page, "records": first[0]}

    org.add_fault(on(QUERY, 1, 2, edit_json=repeat))


def cursor_loop(org: SimulatedOrg, folder: Path) -> None:
    """No rows any more, and always the same page to come."""
    first: list[dict[str, Any]] = []

    def repeat(page: dict[str, Any]) -> dict[str, Any]:
        first.append(page)
        return page if len(first) == 1 else {**first[0], "records": []}

    org.add_fault(on(QUERY, edit_json=repeat))


def four_threads_expired(org: SimulatedOrg, folder: Path) -> None:
    """All four requests are on their way when the session ends, and each of them is refused."""
    org.add_fault(on(PAGES, 1, 1, delay=0.2, expire_session=True))
    org.add_fault(on(PAGES, 2, 3, delay=0.4))


def full_disk(org: SimulatedOrg, folder: Path) -> None:
    """The disk is full when the third part is written, and has room again after that."""
    write = LocalFileOpener.write

    def refuse(file: LocalFileOpener, data: Any) -> Any:
        if "part-00002" not in file.path:
            return write(file, data)
        LocalFileOpener.write = write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file.path)

    LocalFileOpener.write = refuse
