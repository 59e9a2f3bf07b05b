"""What is said of arguments that are of another kind than they should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_sfjwt import arguments
from airflow_provider_sfjwt.arguments import Check, Spec, argument
from airflow_provider_sfjwt.exceptions import ConfigurationError

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
        (arguments.one_of("bulk", "rest"), "soap", "'soap' is not one of bulk, rest"),
        (arguments.one_of("bulk", "rest"), None, "must be text, not None"),
        (arguments.name, 5, "must be text, not int 5"),
        (arguments.flag, "false", "must be True or False, not str 'false'"),
        (arguments.text, 5, "must be text, not int 5"),
        (arguments.text, " ", "is empty"),
        (arguments.names, "Id,Name", "must be a list of names, not str 'Id,Name'"),
        (arguments.names, [], "is empty; name the fields, or leave it out for all of them"),
        (arguments.names, ["Id", None], "must hold names, not None"),
        (arguments.names, ["Id", "id", "Name"], "names Id, id more than once"),
        (arguments.folder, None, "must name a folder such as s3://conn_id@bucket/x/ds={{ ds }}, not None"),
        (
            arguments.folder,
            "None",
            "must name a folder such as s3://conn_id@bucket/x/ds={{ ds }}, not str 'None'",
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


@dataclass(frozen=True, kw_only=True)
class Parcel(Spec):
    receiver: str = argument(arguments.name)
    weight: int = argument(arguments.whole_number(1), default=1)
    wrapping: str = argument(arguments.text, default="paper", harmless=True)
    sender: str | None = None


class Counter:
    """What stands for an operator: it has the arguments, and more."""

    receiver, weight, wrapping, sender = "Ada", 2, "box", "not asked for"


def test_a_spec_reads_its_arguments_from_an_operator_by_their_names() -> None:
    assert Parcel.of(Counter()) == Parcel(receiver="Ada", weight=2, wrapping="box")
    assert Parcel.of(Counter(), weight=3, sender="me") == Parcel(receiver="Ada", weight=3, wrapping="box", sender="me")


def test_a_spec_is_never_filled_by_position_and_knows_its_fields() -> None:
    parcel: Any = Parcel
    with pytest.raises(TypeError):
        parcel("Ada")
    with pytest.raises(TypeError):
        parcel(receiver="Ada", colour="red")
    with pytest.raises(TypeError):
        parcel(weight=1)


def test_an_operator_without_one_of_the_arguments_is_a_mistake_of_ours() -> None:
    with pytest.raises(AttributeError, match="receiver"):
        Parcel.of(object())


def test_all_faults_of_a_spec_come_at_once_by_name() -> None:
    parcel = Parcel(receiver="", weight=0)
    assert parcel.faults() == {"receiver": "is empty", "weight": "must be at least 1"}
    with pytest.raises(ConfigurationError, match="the task: receiver: is empty; weight: must be at least 1") as caught:
        parcel.check()
    assert caught.value.fields == parcel.faults()
    Parcel(receiver="Ada").check()


def test_a_fingerprint_changes_with_every_argument_that_is_not_harmless() -> None:
    same = Parcel(receiver="Ada").fingerprint()
    assert Parcel(receiver="Ada", wrapping="box", sender="me").fingerprint() == same
    assert len({same, Parcel(receiver="Eve").fingerprint(), Parcel(receiver="Ada", weight=2).fingerprint()}) == 3


@pytest.mark.parametrize("value", ["66", "66.0", "v66.0", 66, 66.0, ""])
def test_an_api_version_in_any_spelling(value: Any) -> None:
    assert arguments.api_version(value) is None


def test_what_waits_takes_the_same_everywhere() -> None:
    spec: Any = arguments.JobSpec
    assert spec(salesforce_conn_id="None", api_version="x", deferrable="no", poll_interval=0, timeout="5").faults() == {
        "salesforce_conn_id": "is the text 'None', to which a template renders where it finds nothing",
        "api_version": "'x' is not an API version; give e.g. 66.0, or None for the connection's",
        "deferrable": "must be True or False, not str 'no'",
        "poll_interval": "must be more than 0 seconds",
        "timeout": "must be a number of seconds, not str '5'",
    }
