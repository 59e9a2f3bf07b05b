"""What is said of arguments that are of another kind than they should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import Check

EARLY, LATE = datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc)
NAN = float("nan")


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (arguments.whole_number(1), 1),
        (arguments.whole_number(0, 9), 9),
        (arguments.number(0, 1), 0.5),
        (arguments.number(0, 1), 1),
        (arguments.number(above=0), 0.1),
        (arguments.flag, False),
        (arguments.text, "x"),
        (arguments.name, "Account"),
        (arguments.seconds, 0.05),
        (arguments.one_of("bulk", "rest"), "rest"),
        (arguments.names, ["Id", "Name"]),
        (arguments.names, ("Id",)),
        (arguments.folder, "/data/x"),
        (arguments.folder, "file:///data/x"),
        (arguments.folder, "s3://conn@bucket/x"),
        (arguments.window, (EARLY, LATE)),
        (arguments.window, [EARLY, EARLY]),
        (arguments.optional(arguments.text), None),
        (arguments.condition, ""),
        (arguments.condition, "Name != null"),
    ],
)
def test_what_is_right(check: Check, value: Any) -> None:
    assert check(value) is None


@pytest.mark.parametrize(
    ("check", "value", "said"),
    [
        (arguments.whole_number(1), 0, "must be at least 1"),
        (arguments.whole_number(0, 5000), 5001, "must be between 0 and 5,000"),
        (arguments.whole_number(1), "4", "must be a whole number, not str '4'"),
        (arguments.whole_number(1), True, "must be a whole number, not bool True"),
        (arguments.whole_number(1), 1.0, "must be a whole number, not float 1.0"),
        (arguments.whole_number(1), None, "must be a whole number, not None"),
        (arguments.number(0, 1), 1.1, "must be between 0 and 1"),
        (arguments.number(0, unit="seconds"), -1, "must be at least 0 seconds"),
        (arguments.number(above=0, unit="seconds"), 0, "must be more than 0 seconds"),
        (arguments.number(above=0, unit="seconds"), "30", "must be a number of seconds, not str '30'"),
        (arguments.number(), NAN, "must be a number, not float nan"),
        (arguments.number(), float("inf"), "must be a number, not float inf"),
        (arguments.seconds, None, "must be a number of seconds, not None"),
        (arguments.name, "None", "is the text 'None', to which a template renders where it finds nothing"),
        (arguments.name, "", "is empty"),
        (arguments.one_of("bulk", "rest"), "soap", "'soap' is none of bulk, rest"),
        (arguments.one_of("bulk", "rest"), None, "must be text, not None"),
        (arguments.name, 5, "must be text, not int 5"),
        (arguments.flag, "false", "must be True or False, not str 'false'"),
        (arguments.text, 5, "must be text, not int 5"),
        (arguments.text, " ", "is empty"),
        (arguments.names, "Id,Name", "must be a list of names, not str 'Id,Name'"),
        (arguments.names, [], "is empty; name the fields, or leave it out for all of them"),
        (arguments.names, ["Id", None], "must hold names, not None"),
        (arguments.names, ["Id", "id", "Name"], "names Id, id more than once"),
        (arguments.folder, None, "names no folder but None; give one such as s3://conn_id@bucket/x/ds={{ ds }}"),
        (
            arguments.folder,
            "None",
            "names no folder but str 'None'; give one such as s3://conn_id@bucket/x/ds={{ ds }}",
        ),
        (arguments.window, EARLY.isoformat(), "must be two moments, not str '2026-01-01T00:00:00+00:00'"),
        (arguments.window, (None, LATE), "must be two moments, not None"),
        (arguments.window, (EARLY, 5), "must be two moments, not int 5"),
        (
            arguments.window,
            (EARLY, LATE.replace(tzinfo=None)),
            "holds a moment without a time zone; give both with one, e.g. tzinfo=timezone.utc",
        ),
        (
            arguments.window,
            (LATE, EARLY),
            "ends at 2026-01-01 00:00:00+00:00, before it begins at 2026-01-02 00:00:00+00:00",
        ),
        (arguments.optional(arguments.text), "", "is empty"),
    ],
)
def test_what_is_wrong(check: Check, value: Any, said: str) -> None:
    assert check(value) == said


@pytest.mark.parametrize("path", ["data/x", "~/x", "./x", "x", "s3:"])
def test_a_folder_that_depends_on_the_worker(path: str) -> None:
    assert "is neither a URL nor an absolute path" in (arguments.folder(path) or "")


def test_a_long_value_is_cut() -> None:
    assert len(arguments.flag("x" * 500) or "") < 100


def test_faults_by_name() -> None:
    @dataclass
    class Order:
        many: Any = "4"
        few: Any = 1

    checks = {"many": arguments.whole_number(1), "few": arguments.whole_number(1)}
    assert arguments.faults_of(Order(), checks) == {"many": "must be a whole number, not str '4'"}
