"""The little of SOQL that is written and read here."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.salesforce.api import soql

UTC = timezone.utc
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}__c", fullmatch=True)
#: Pieces of which SOQL is made, put together in ways in which it is not.
RUBBLE = st.lists(
    st.sampled_from(
        ["SELECT", "FROM", "(", ")", "'", "\\", ",", " ", "COUNT", "Id", "IN", "GROUP BY", "OFFSET 5", "\n"]
    )
).map("".join) | st.text(max_size=80)


def test_a_query_is_written() -> None:
    assert soql.select("Account", ["Id", "Owner.Name"]) == "SELECT Id, Owner.Name FROM Account"
    assert soql.select("Account", ["Id"], "Name = 'x'") == "SELECT Id FROM Account WHERE Name = 'x'"


def test_windows_that_follow_each_other_share_no_moment() -> None:
    later = NOON + timedelta(hours=1)
    assert (
        soql.within("SystemModstamp", NOON, later)
        == "SystemModstamp >= 2026-11-21T12:00:00Z AND SystemModstamp < 2026-11-21T13:00:00Z"
    )
    assert soql.within("SystemModstamp", None, NOON) == "SystemModstamp < 2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (NOON, "2026-11-21T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-11-21T12:00:00Z"),
        (NOON.replace(microsecond=999), "2026-11-21T12:00:00Z"),
        (NOON.replace(microsecond=1000), "2026-11-21T12:00:00.001Z"),
        (NOON.replace(microsecond=999_999), "2026-11-21T12:00:00.999Z"),
        (NOON.replace(year=999), "0999-11-21T12:00:00Z"),
    ],
)
def test_a_moment_is_written_in_utc(moment: datetime, written: str) -> None:
    assert soql.literal(moment) == written


@pytest.mark.parametrize(
    ("query", "sobject", "selected"),
    [
        ("SELECT Id, Name FROM Account", "Account", ["Id", "Name"]),
        ("select id from Invoice__c where a = 'SELECT x FROM y'", "Invoice__c", ["id"]),
        (
            "SELECT Id,\n  Owner.Name ,FORMAT(Amount) a\nFROM Opportunity",
            "Opportunity",
            ["Id", "Owner.Name", "a"],
        ),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "Account", ["Id"]),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)", "Account", ["Id"]),
        ("SELECT Id FROM Account WHERE Name = 'it\\'s FROM (here'", "Account", ["Id"]),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 200", "Account", []),
        ("SELECT toLabel(Status), toLabel(Priority) p FROM Case", "Case", ["Status", "p"]),
        ("SELECT FORMAT(convertCurrency( Amount )), DISTANCE(a, b, 'mi') FROM Order", "Order", ["Amount", "expr0"]),
        ("SELECT COUNT(Id), MAX(Amount) m, Name n FROM Group GROUP BY Name", "Group", ["expr0", "m", "n"]),
        ("SELECT TYPEOF What WHEN Account THEN Phone, Fax ELSE Name END, Id FROM Event", "Event", ["Id"]),
        ("SELECT Id AS a, Name AS b FROM Account AS x ORDER BY Name", "Account", ["a", "b"]),
        ("UPDATE Account", None, []),
        ("SELECT Id", None, []),
        ("", None, []),
    ],
)
def test_a_query_is_read(query: str, sobject: str | None, selected: list[str]) -> None:
    assert soql.sobject_of(query) == sobject
    assert [each.key for each in soql.selected(query)] == selected


@pytest.mark.parametrize(
    ("sources", "aliases"),
    [
        ("Account", {"account": ()}),
        ("Account a WHERE Name = 'FROM b'", {"account": (), "a": ()}),
        ("Account as a LIMIT 5", {"account": (), "a": ()}),
        ("Account USING SCOPE Mine", {"account": ()}),
        ("Order ORDER BY Id", {"order": ()}),
        ("Contact c, c.Account a, a.Owner", {"contact": (), "c": (), "a": ("Account",), "owner": ("Account", "Owner")}),
        ("Contact, Contact.Account AS Firm", {"contact": (), "firm": ("Account",)}),
    ],
)
def test_what_stands_for_objects_is_read(sources: str, aliases: dict[str, tuple[str, ...]]) -> None:
    assert soql.aliases(f"SELECT Id, (SELECT Id FROM Contacts x) FROM {sources}") == aliases


@given(NAMES, st.lists(NAMES, min_size=1, max_size=5))
def test_what_was_written_is_read(sobject: str, fields: list[str]) -> None:
    query = soql.select(sobject, fields, "a = 'SELECT b FROM c'")
    assert (soql.sobject_of(query), [each.path for each in soql.selected(query)]) == (sobject, fields)


@given(RUBBLE)
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(soql.selected(text), list)
    assert isinstance(soql.not_in_bulk(text), list)
    assert isinstance(soql.aliases(text), dict)
    sobject = soql.sobject_of(text)
    assert sobject is None or sobject in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT Id, Name FROM Account WHERE Name = 'x' ORDER BY Name LIMIT 5", []),
        ("SELECT Id FROM Account WHERE Name LIKE '%GROUP BY COUNT(Id) OFFSET 5%'", []),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)", []),
        ("SELECT Id FROM Account WHERE Id NOT IN ( SELECT AccountId FROM Contact )", []),
        ("SELECT Discount(x), Account__c FROM A", []),
        ("SELECT COUNT() FROM Account", ["COUNT()"]),
        ("select count(Id), Name from Account group by Name", ["count(Id)", "GROUP BY"]),
        ("SELECT MAX (Amount) FROM Opportunity", ["MAX (Amount)"]),
        ("SELECT Id FROM Account OFFSET 10", ["OFFSET"]),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", ["TYPEOF"]),
        ("SELECT FIELDS(STANDARD) FROM Account", ["FIELDS(STANDARD)"]),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", ["a parent-to-child sub-query"]),
        ("SELECT (SELECT Id FROM Contacts) FROM Account", ["a parent-to-child sub-query"]),
    ],
)
def test_what_bulk_does_not_run_is_named(query: str, found: list[str]) -> None:
    assert soql.not_in_bulk(query) == found


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("SELECT COUNT() FROM Account", True),
        ("\n select  count ( )\nfrom Account WHERE Name = 'x'", True),
        ("SELECT COUNT(Id) FROM Account", False),
        ("SELECT COUNT() total, Id FROM Account", False),
        ("SELECT Id FROM Account WHERE Name = 'SELECT COUNT() FROM'", False),
        ("", False),
    ],
)
def test_a_count_is_told_from_rows(query: str, count: bool) -> None:
    assert soql.is_count(query) is count


def test_functions_in_functions_are_followed_as_deep_as_anybody_writes_them() -> None:
    def column(depth: int) -> str | None:
        return soql.selected(f"SELECT {'FORMAT(' * depth}Amount{')' * depth} FROM Opportunity")[0].path

    assert column(10) == "Amount"
    assert column(11) is None
