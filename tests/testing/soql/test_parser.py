"""SOQL: what it selects, what it refuses, and that no text breaks it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sfjwt.testing import Field, SimulatedOrg
from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.data.standard_objects import standard_objects
from airflow_provider_sfjwt.testing.data.store import Store
from airflow_provider_sfjwt.testing.http.messages import RefusalError
from airflow_provider_sfjwt.testing.settings import Settings
from airflow_provider_sfjwt.testing.soql.compiler import Compiler
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.parser import parse

SCHEMA = Schema(standard_objects())
STORE = Store(SCHEMA, ":memory:")
CONTEXT = Context.of(SCHEMA, Settings(), "", include_deleted=False)

THINGS = [
    {"Name": "a", "N__c": 1, "D__c": "1.5", "B__c": True, "On__c": "2024-01-01", "At__c": "2024-01-01T00:00:00Z"},
    {"Name": "B", "N__c": 2, "D__c": "-1.5", "B__c": False, "On__c": "2024-01-02", "At__c": "2024-01-02T00:00:00Z"},
    {"Name": "it's", "N__c": None, "D__c": None, "B__c": None, "On__c": None, "At__c": None},
    {"Name": "100%_\\", "N__c": 100, "D__c": "0.0001", "B__c": True, "On__c": "2030-05-05"},
]


@pytest.fixture
def things(org: SimulatedOrg) -> SimulatedOrg:
    fields = [Field("N__c", "int"), Field("D__c", "double", precision=18, scale=4), Field("B__c", "boolean")]
    org.define_object("Thing__c", [*fields, Field("On__c", "date"), Field("At__c", "datetime")])
    org.insert("Thing__c", THINGS)
    return org


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'A'", "a"),
        ("Name != 'a'", "B it's 100%_\\"),
        ("Name <> 'a' AND N__c > 1", "B 100%_\\"),
        ("name like 'I%'", "it's"),
        (r"Name = 'it\'s'", "it's"),
        (r"Name LIKE '100\%\_%'", "100%_\\"),
        (r"Name LIKE '%\\'", "100%_\\"),
        (r"Name = '100%_\\'", "100%_\\"),
        ("Name LIKE '_'", "a B"),
        ("N__c = null", "it's"),
        ("N__c != null AND N__c < 100", "a B"),
        ("N__c >= 1.5", "B 100%_\\"),
        ("D__c = 1.5", "a"),
        ("D__c < 0.00011 AND D__c > 0", "100%_\\"),
        ("D__c <= -1.5", "B"),
        ("D__c > 1e2", ""),
        ("B__c = true", "a 100%_\\"),
        ("B__c = FALSE", "B it's"),
        ("B__c != true", "B it's"),
        ("NOT N__c > 1", "a it's"),
        ("NOT (N__c = 1 OR Name = 'b')", "it's 100%_\\"),
        ("(N__c = 1 OR N__c = 2) AND B__c = true", "a"),
        ("N__c IN (1, 100)", "a 100%_\\"),
        ("N__c NOT IN (1, 100)", "B it's"),
        ("Name IN ('A', 'x', null)", "a"),
        ("N__c NOT IN (null)", "a B 100%_\\"),
        ("On__c >= 2024-01-02 AND On__c < 2025-01-01", "B"),
        ("At__c = 2024-01-01T01:00:00+01:00", "a"),
        ("At__c > 2024-01-01T00:00:00.5Z", "B"),
        ("On__c > TODAY", "100%_\\"),
        ("CreatedDate = TODAY", "a B it's 100%_\\"),
        ("CreatedDate = YESTERDAY", ""),
        ("CreatedDate = LAST_N_DAYS:2", "a B it's 100%_\\"),
        ("CreatedDate < TODAY", ""),
        ("CreatedDate != TODAY", ""),
        ("CreatedBy.Username LIKE 'integration%' AND Name = 'a'", "a"),
    ],
)
def test_where(things, client_of, where, expected):
    records = client_of(things).records(f"SELECT Name FROM Thing__c WHERE {where}")
    assert " ".join(record["Name"] for record in records) == expected


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("ORDER BY N__c", "it's a B 100%_\\"),
        ("ORDER BY N__c ASC NULLS LAST", "a B 100%_\\ it's"),
        ("ORDER BY N__c DESC NULLS LAST", "100%_\\ B a it's"),
        ("ORDER BY B__c DESC, Name DESC", "a 100%_\\ it's B"),
        ("ORDER BY Name LIMIT 1 OFFSET 1", "a"),
        ("LIMIT 0", ""),
    ],
)
def test_order_limit_offset(things, client_of, tail, expected):
    records = client_of(things).records(f"SELECT Name FROM Thing__c {tail}")
    assert " ".join(record["Name"] for record in records) == expected


def test_ids_compare_in_both_lengths_and_by_case(org, api):
    ids = [row["Id"] for row in org.rows("Account")]
    assert len(api.records(f"SELECT Id FROM Account WHERE Id = '{ids[0][:15]}'")) == 1
    assert len(api.records(f"SELECT Id FROM Account WHERE Id >= '{ids[10]}' AND Id < '{ids[20]}'")) == 10


def test_names_are_canonical_in_any_letter_case(api):
    record = api.records("select NAME, owner.NAME from ACCOUNT a limit 1")[0]
    assert set(record) == {"attributes", "Name", "Owner"}
    assert record["attributes"]["type"] == "Account"
    assert api.records("SELECT a.Name, Account.Phone FROM Account a LIMIT 1")


@pytest.mark.parametrize(
    ("soql", "code", "words"),
    [
        ("", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        ("SELECT FROM Account", "MALFORMED_QUERY", "ERROR at Row:1:Column:8\nunexpected token: 'FROM'"),
        ("SELECT Id FRM Account", "MALFORMED_QUERY", "unexpected token: 'Account'"),
        ("SELECT Id\nFROM Account\nWHRE x = 1", "MALFORMED_QUERY", "ERROR at Row:3:Column:6\nunexpected token: 'x'"),
        ("SELECT Id FROM Account WHERE Name = 'x", "MALFORMED_QUERY", "no viable alternative at character '''"),
        ("SELECT Id % FROM Account", "MALFORMED_QUERY", "line 1:10 no viable alternative at character '%'"),
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Foo.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path."),
        ("SELECT Id FROM Accout", "INVALID_TYPE", "sObject type 'Accout' is not supported."),
        ("SELECT Id FROM Account WHERE CreatedDate > '2024-01-01T00:00:00Z'", "INVALID_FIELD", "must be of type dateT"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2024-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Account WHERE Name = 1", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Visits__c = '1'", "INVALID_FIELD", "should not be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"),
        ("SELECT Id FROM Account WHERE Visits__c LIKE 'x'", "INVALID_FIELD", "should not be enclosed"),
        ("SELECT Id FROM Account WHERE Active__c > true", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on bool"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2024-13-01T00:00:00Z", "MALFORMED_QUERY", "2024-13-01T00:00:00Z"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY", "token: 'OR'"),
        ("SELECT Id, Id FROM Account", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT SUM(Name) FROM Account", "MALFORMED_QUERY", "does not support aggregate operator SUM"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 201", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY", "unexpected token: 'x'"),
        ("SELECT (SELECT Id FROM Foos) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Foos'"),
        (r"SELECT Id FROM Account WHERE Name = '\q'", "MALFORMED_QUERY", "Illegal escape"),
        ("SELECT COUNT(Id) FROM Account HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "unexpected token: 'HAVING'"),
        ("SELECT Whatever(Name) FROM Account", "NOT_IN_SIMULATOR", "the function Whatever()"),
        ("SELECT Id FROM Account WHERE CreatedDate = THIS_EON", "NOT_IN_SIMULATOR", "the date literal THIS_EON"),
        ("SELECT Id FROM Account FOR UPDATE", "NOT_IN_SIMULATOR", "FOR UPDATE"),
        ("SELECT Id FROM Account, Account.Contacts", "NOT_IN_SIMULATOR", "children after FROM"),
    ],
)
def test_refusals(api, soql, code, words):
    answer = api.query(soql)
    assert answer.status_code == 400, answer.text
    assert answer.json()[0]["errorCode"] == code
    assert words in answer.json()[0]["message"]


def test_caret_points_at_the_error(api):
    lines = api.query("SELECT Id,Name,BillingCity,IsDeleted FROM Accout").json()[0]["message"].split("\n")
    assert lines[1] == "Name,BillingCity,IsDeleted FROM Accout"
    assert lines[2] == " " * 32 + "^"
    assert lines[3] == "ERROR at Row:1:Column:43"


def test_too_complicated_filter(org, client_of):
    values = " OR ".join(["IsDeleted = true"] * 1500)
    answer = client_of(org).create_job(f"SELECT Id FROM Account WHERE {values}")
    assert answer.json()[0]["errorCode"] == "QUERY_TOO_COMPLICATED"


def runs_or_is_refused(text: str) -> None:
    try:
        compiled = Compiler(CONTEXT, parse(text)).compile()
    except RefusalError as refusal:
        assert refusal.status == 400
    else:
        STORE.select(compiled.sql, compiled.parameters)


@given(st.text())
def test_any_text_is_answered_or_refused(text):
    runs_or_is_refused(text)


WORDS = [
    "SELECT",
    "Id",
    "Name",
    ",",
    "FROM",
    "Account",
    "Contact",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    "=",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "LIKE",
    "IN",
    "'a'",
    "''",
    "1",
    "-2.5",
    "1e400",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "null",
    "true",
    "ORDER",
    "BY",
    "GROUP",
    "LIMIT",
    "OFFSET",
    "5",
    "99999999999",
    "COUNT()",
    "COUNT(",
    "Id",
    ")",
    "SUM(",
    "Visits__c",
    ")",
    "FIELDS(ALL)",
    "Owner.Name",
    "a.b.c",
    "TODAY",
    "LAST_N_DAYS:5",
    "LAST_N_DAYS:9999999999",
    "NULLS",
    "LAST",
    "DESC",
    "BillingAddress",
    "AnnualRevenue",
    "Score__c",
    "Active__c",
    "CreatedDate",
    "CustomerSince__c",
    "Description",
    "AS",
    "HAVING",
    "FOR",
    "USING",
    "HAVING COUNT(Id) > 1",
    "THIS_MONTH",
    "N_WEEKS_AGO:3",
    "USD5000",
    "USD5000.50",
    "10:00:00Z",
    "TYPEOF What WHEN Account THEN Phone ELSE Name END",
    "ROLLUP(",
    "CUBE(",
    "toLabel(",
    "FORMAT(",
    "convertCurrency(",
    "convertTimezone(",
    "CALENDAR_YEAR(",
    "DAY_ONLY(",
    "GROUPING(",
    "INCLUDES",
    "(SELECT AccountId FROM Contact)",
    "Regions__c",
    "WITH USER_MODE",
    "ALL ROWS",
    "SCOPE mine",
]


@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_words_of_soql_are_answered_or_refused(words):
    runs_or_is_refused("SELECT Id FROM Account " + " ".join(words))
    runs_or_is_refused(" ".join(words))


EXPRESSIONS = [
    "Id",
    "Name",
    "Industry",
    "AnnualRevenue",
    "Score__c",
    "Regions__c",
    "CreatedDate",
    "CustomerSince__c",
    "OwnerId",
    "Owner.Profile.Name",
    "BillingAddress",
    "toLabel(Industry)",
    "FORMAT(AnnualRevenue)",
    "FORMAT(convertCurrency(AnnualRevenue))",
    "convertCurrency(AnnualRevenue)",
    "CALENDAR_YEAR(CustomerSince__c)",
    "HOUR_IN_DAY(convertTimezone(CreatedDate))",
    "DAY_ONLY(CreatedDate)",
    "COUNT(Id)",
    "SUM(Score__c)",
    "MIN(Name)",
    "AVG(Visits__c)",
    "GROUPING(Industry)",
]
CONDITIONS = [
    "= null",
    "> 5",
    "= 'a'",
    "= THIS_YEAR",
    "> USD5",
    "= true",
    "< 2024-01-01",
    "NOT IN ('a', null)",
    "INCLUDES ('a;b')",
    "IN (SELECT AccountId FROM Contact)",
]
EXPRESSION = st.sampled_from(EXPRESSIONS)
CONDITION = st.tuples(EXPRESSION, st.sampled_from(CONDITIONS)).map(" ".join)


def listed(words: str, parts: st.SearchStrategy[str], joiner: str = ", ") -> st.SearchStrategy[str]:
    """A clause of one to three parts, or no clause."""
    joined = st.lists(parts, min_size=1, max_size=3).map(joiner.join)
    return st.one_of(st.just(""), joined.map(lambda text: f" {words} {text}"))


@given(
    st.lists(EXPRESSION, min_size=1, max_size=4),
    listed("WHERE", CONDITION, " AND "),
    listed("GROUP BY", EXPRESSION) | listed("GROUP BY ROLLUP(", EXPRESSION).map(lambda text: text and f"{text})"),
    listed("HAVING", CONDITION, " OR "),
    listed("ORDER BY", EXPRESSION),
)
def test_any_clauses_are_answered_or_refused(items, where, group_by, having, order_by):
    runs_or_is_refused(f"SELECT {', '.join(items)} FROM Account{where}{group_by}{having}{order_by}")


@given(st.lists(EXPRESSION, min_size=1, max_size=2, unique=True), st.booleans())
def test_any_groups_are_answered_or_refused(items, subtotals):
    listed_items = ", ".join(items)
    by = f"ROLLUP({listed_items})" if subtotals else listed_items
    having = f"HAVING COUNT(Id) > 0 AND {items[0]} != null"
    runs_or_is_refused(f"SELECT {listed_items}, COUNT(Id) n FROM Account GROUP BY {by} {having} ORDER BY {items[0]}")


OPERANDS = st.sampled_from([word for word in WORDS if word[0] in "'-0123456789ntTL"])


FIELD_NAMES = st.sampled_from([field.name for field in SCHEMA.get("Account").fields])
OPERATORS = st.sampled_from(["=", "!=", "<", ">=", "LIKE"])


@given(FIELD_NAMES, OPERATORS, OPERANDS)
def test_any_comparison_is_answered_or_refused(field, operator, operand):
    runs_or_is_refused(f"SELECT {field} FROM Account WHERE {field} {operator} {operand} ORDER BY {field}")


def test_days_count_from_the_orgs_clock(org, client_of):
    org.clock_offset = timedelta(days=3).total_seconds()
    org.insert("Lead", [{"LastName": "x", "Company": "y", "Status": "Open"}])
    org.clock_offset = 0
    client = client_of(org)
    assert len(client.records("SELECT Id FROM Lead WHERE CreatedDate > TODAY")) == 1
    assert len(client.records("SELECT Id FROM Lead WHERE CreatedDate = NEXT_N_DAYS:5")) == 1
