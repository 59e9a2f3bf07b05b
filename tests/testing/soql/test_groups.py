"""Groups: aliases, HAVING, subtotals, and what Salesforce refuses."""

from __future__ import annotations

import pytest

from airflow_provider_sfjwt.testing import Field, SimulatedOrg

ROWS = [("a", "x", 1, "1.5"), ("a", "y", 2, "0.1"), ("b", "x", 3, "0.2"), ("b", "x", 4, None), ("c", None, None, None)]


@pytest.fixture
def items(org: SimulatedOrg) -> SimulatedOrg:
    fields = [
        Field("Kind__c"),
        Field("Place__c"),
        Field("N__c", "int"),
        Field("D__c", "currency", precision=9, scale=1),
    ]
    org.define_object("Item__c", fields)
    names = ("Kind__c", "Place__c", "N__c", "D__c")
    org.insert("Item__c", [dict(zip(names, row, strict=True)) for row in ROWS])
    return org


def found(api, soql: str) -> list[tuple[object, ...]]:
    """The values of every row, without attributes."""
    return [tuple(list(record.values())[1:]) for record in api.records(soql)]


@pytest.mark.parametrize(
    ("soql", "expected"),
    [
        (
            "SELECT Kind__c k, COUNT(Id) n FROM Item__c GROUP BY Kind__c ORDER BY Kind__c",
            [("a", 2), ("b", 2), ("c", 1)],
        ),
        (
            "SELECT Kind__c k, SUM(N__c) FROM Item__c GROUP BY Kind__c ORDER BY k DESC",
            [("c", None), ("b", 7), ("a", 3)],
        ),
        (
            "SELECT Kind__c FROM Item__c GROUP BY Kind__c HAVING COUNT(Id) > 1 ORDER BY Kind__c",
            [("a",), ("b",)],
        ),
        ("SELECT Kind__c FROM Item__c GROUP BY Kind__c HAVING SUM(D__c) > 1 AND Kind__c LIKE 'A'", [("a",)]),
        ("SELECT Kind__c FROM Item__c WHERE N__c > 1 GROUP BY Kind__c HAVING NOT MAX(N__c) > 2", [("a",)]),
        (
            "SELECT COUNT_DISTINCT(Place__c) d, COUNT(Place__c) n, COUNT(Id) FROM Item__c",
            [(2, 4, 5)],
        ),
        ("SELECT SUM(D__c), AVG(D__c), MIN(D__c), MAX(Kind__c) FROM Item__c", [(1.8, 0.6, 0.1, "c")]),
        ("SELECT Place__c FROM Item__c GROUP BY Place__c ORDER BY COUNT(Id) DESC LIMIT 1", [("x",)]),
        ("SELECT Place__c FROM Item__c GROUP BY Place__c ORDER BY Place__c NULLS LAST", [("x",), ("y",), (None,)]),
        (
            "SELECT Owner.Alias, COUNT(Id) FROM Item__c GROUP BY Owner.Alias",
            None,
        ),
    ],
)
def test_groups(items, client_of, soql: str, expected: list[tuple[object, ...]] | None) -> None:
    api = client_of(items)
    if expected is None:
        assert api.query(soql).json()[0]["errorCode"] == "INVALID_FIELD"
    else:
        assert found(api, soql) == expected


def test_names_of_unnamed_values(items, client_of) -> None:
    (record,) = client_of(items).records("SELECT COUNT(Id), MAX(N__c) top, MIN(N__c) FROM Item__c")
    assert record == {"attributes": {"type": "AggregateResult"}, "expr0": 5, "top": 4, "expr1": 1}


def test_subtotals(items, client_of) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_group_by_rollup.htm"""
    soql = "SELECT Kind__c, Place__c, COUNT(Id) n, GROUPING(Kind__c) k, GROUPING(Place__c) p FROM Item__c GROUP BY "
    order = " ORDER BY GROUPING(Kind__c), Kind__c, GROUPING(Place__c), Place__c"
    rolled = found(client_of(items), f"{soql}ROLLUP(Kind__c, Place__c){order}")
    assert rolled == [
        ("a", "x", 1, 0, 0),
        ("a", "y", 1, 0, 0),
        ("a", None, 2, 0, 1),
        ("b", "x", 2, 0, 0),
        ("b", None, 2, 0, 1),
        ("c", None, 1, 0, 0),
        ("c", None, 1, 0, 1),
        (None, None, 5, 1, 1),
    ]
    cubed = found(client_of(items), f"{soql}CUBE(Kind__c, Place__c){order}")
    assert sorted(map(str, cubed)) == sorted(
        map(str, [*rolled, (None, None, 1, 1, 0), (None, "x", 3, 1, 0), (None, "y", 1, 1, 0)])
    )


def test_subtotals_are_filtered_and_limited(items, client_of) -> None:
    api = client_of(items)
    soql = "SELECT Kind__c, COUNT(Id) n FROM Item__c GROUP BY ROLLUP(Kind__c)"
    assert found(api, f"{soql} HAVING COUNT(Id) > 4") == [(None, 5)]
    assert found(api, f"{soql} HAVING Kind__c = 'a'") == [("a", 2)]
    assert found(api, f"{soql} ORDER BY COUNT(Id) DESC LIMIT 1") == [(None, 5)]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Kind__c, COUNT(Id) FROM Item__c",
        "SELECT Kind__c FROM Item__c GROUP BY Place__c",
        "SELECT Kind__c, Kind__c FROM Item__c GROUP BY Kind__c",
        "SELECT COUNT(Id) n, SUM(N__c) n FROM Item__c",
        "SELECT COUNT() FROM Item__c GROUP BY Kind__c",
        "SELECT COUNT(), Kind__c FROM Item__c",
        "SELECT COUNT() n FROM Item__c",
        "SELECT Kind__c FROM Item__c GROUP BY Kind__c HAVING N__c > 1",
        "SELECT Kind__c FROM Item__c HAVING COUNT(Id) > 1",
        "SELECT Kind__c FROM Item__c WHERE COUNT(Id) > 1",
        "SELECT Kind__c FROM Item__c GROUP BY COUNT(Id)",
        "SELECT SUM(Kind__c) FROM Item__c",
        "SELECT GROUPING(Kind__c) FROM Item__c GROUP BY Kind__c",
        "SELECT GROUPING(N__c) FROM Item__c GROUP BY ROLLUP(Kind__c)",
        "SELECT COUNT(Id) FROM Item__c GROUP BY ROLLUP(Kind__c, Place__c, N__c, Name)",
        "SELECT (SELECT Id FROM Contacts), COUNT(Id) FROM Account",
        "SELECT FIELDS(STANDARD) FROM Item__c GROUP BY Kind__c",
        "SELECT MAX(toLabel(Industry)) FROM Account",
    ],
)
def test_wrong_groups(items, client_of, refusal, soql: str) -> None:
    assert refusal(client_of(items).query(soql)) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT COUNT() FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Industry FROM Account GROUP BY Industry",
        "SELECT CALENDAR_YEAR(CreatedDate) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)",
        "SELECT Id FROM Account OFFSET 1",
        "SELECT (SELECT Id FROM Contacts) FROM Account",
        "SELECT BillingAddress FROM Account",
        "SELECT TYPEOF What WHEN Account THEN Phone END FROM Task",
        "SELECT FIELDS(STANDARD) FROM Account",
    ],
)
def test_what_bulk_queries_may_not_say(api, refusal, soql: str) -> None:
    """https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries_soql.htm"""
    assert refusal(api.create_job(soql)) == (400, "API_ERROR")
    assert api.query(soql).status_code == 200
