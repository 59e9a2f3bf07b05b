from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sfjwt.compat import has_state_stores
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
from airflow_provider_sfjwt.tasks.watermark import Watermark
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.operators.airflow_run import StateStore, run_to_end
from tests.operators.extract_task import ACCOUNTS, extract, rows_of, watermark

ALIAS = AssetAlias("salesforce")
CONTACTS = Asset(uri="salesforce://salesforce_jwt_default/Contact")
#: The key of release 0.1.0 for a task that is not mapped.
KEY = "watermark.adhoc_airflow.extract.SystemModstamp"


def reached(context: dict[str, Any], asset: Asset = ACCOUNTS) -> str | None:
    """How far the task's watermark got."""
    [state] = context["asset_state_store"][asset].values.values() or [{}]
    return state.get("reached")


class OutletEvent:
    """What Airflow offers to a task for one outlet."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[str, dict[str, Any]]] = []

    def add(self, asset: Asset, extra: dict[str, Any]) -> None:
        self.added.append((asset.uri, extra))


@pytest.fixture
def context(context: dict[str, Any]) -> dict[str, Any]:
    stores = {asset: StateStore() for asset in (ACCOUNTS, CONTACTS)}
    events = {asset: OutletEvent() for asset in (ACCOUNTS, CONTACTS, ALIAS)}
    return {**context, "asset_state_store": stores, "outlet_events": events}


def instance(context: dict[str, Any], index: int, run_id: str = "run") -> dict[str, Any]:
    """The context of an instance of a mapped task."""
    ti = SimpleNamespace(
        dag_id="dag", run_id=run_id, task_id="extract", map_index=index, xcom_push=lambda **entry: None
    )
    return {**context, "task_state_store": StateStore(), "ti": ti}


@pytest.mark.parametrize("deferrable", [False, True])
def test_each_run_takes_what_came_since_the_last(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, deferrable: bool
) -> None:
    first = run_to_end(watermark(tmp_path / "1", deferrable=deferrable), context)
    assert first["records"] == 1000
    new = org.insert("Account", [{"Name": "new"}, {"Name": "newer"}])
    org.clock_offset = 590
    second = run_to_end(watermark(tmp_path / "2", deferrable=deferrable), context)
    assert sorted(row["Id"] for row in rows_of(tmp_path / "2")) == sorted(new)
    assert second["window"][0] == first["window"][1]
    assert reached(context) == second["window"][1]


def test_the_asset_in_outlets_still_works_and_its_event_has_the_result(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    result = run_to_end(watermark(tmp_path, inlets=[], outlets=[ACCOUNTS]), context)
    assert reached(context) == result["window"][1]
    assert context["outlet_events"][ACCOUNTS].extra == result


def test_a_watermark_of_release_0_1_0_is_taken_over(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    before = {"reached": "2026-11-01T00:00:00+00:00", "where": None, "include_deleted": False}
    context["asset_state_store"][ACCOUNTS].set(KEY, before)
    result = run_to_end(watermark(tmp_path), context)
    assert result["window"][0] == "2026-11-01T00:00:00+00:00"
    assert list(context["asset_state_store"][ACCOUNTS].values) == [KEY]
    assert reached(context) == result["window"][1]


def test_a_watermark_of_a_position_says_nothing_of_the_object_there(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    before = {"reached": "2026-11-01T00:00:00+00:00", "where": None, "include_deleted": False}
    context["asset_state_store"][ACCOUNTS].set(f"{KEY}.0", before)
    result = run_to_end(watermark(tmp_path), instance(context, 0))
    assert result["window"][0] == "1999-01-01T00:00:00+00:00"


def test_two_connections_do_not_share_a_watermark(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", org.connection_json())
    other = Asset(uri="salesforce://other/Account")
    context["asset_state_store"][other] = StateStore()
    for number, conn_id in enumerate(("salesforce_jwt_default", "other")):
        task = watermark(tmp_path / str(number), inlets=[ACCOUNTS, other], salesforce_conn_id=conn_id)
        assert run_to_end(task, context)["records"] == 1000
    assert reached(context, other)


def test_U13_the_position_among_mapped_instances_does_not_matter(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    assets = {"Account": ACCOUNTS, "Contact": CONTACTS}

    def run(run_id: str, index: int, sobject: str) -> dict[str, Any]:
        path = tmp_path / f"{sobject}{index}"
        task = watermark(path, sobject=sobject, fields=["Id"], inlets=list(assets.values()), outlets=[ALIAS])
        result: dict[str, Any] = run_to_end(task, instance(context, index, run_id))
        return result

    first = {sobject: run("first", index, sobject) for index, sobject in enumerate(assets)}
    second = {sobject: run("second", index, sobject) for index, sobject in enumerate(reversed(assets))}
    for sobject, asset in assets.items():
        assert second[sobject]["window"][0] == first[sobject]["window"][1]
        assert list(context["asset_state_store"][asset].values) == [KEY]
    emitted = [uri for uri, _ in context["outlet_events"][ALIAS].added]
    assert emitted == [ACCOUNTS.uri, CONTACTS.uri, CONTACTS.uri, ACCOUNTS.uri]
    results = [*first.values(), *second.values()]
    assert [extra for _, extra in context["outlet_events"][ALIAS].added] == results


def test_rows_that_may_still_be_committed_are_left_for_the_next_run(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.insert("Account", [{"Name": "just now"}])
    result = run_to_end(watermark(tmp_path, commit_lag=300), context)
    assert result["records"] == 1000
    behind = datetime.now(timezone.utc) - datetime.fromisoformat(result["window"][1])
    assert timedelta(seconds=299) <= behind < timedelta(seconds=330)


def test_a_failed_run_moves_nothing_and_emits_nothing(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    org.add_fault(
        Fault(path="*/jobs/query/7*AAA", times=None, edit_json=lambda job: {**job, "numberRecordsProcessed": 1})
    )
    with pytest.raises(AirflowFailException):
        run_to_end(watermark(tmp_path, outlets=[ALIAS], transport="bulk"), context)
    assert context["asset_state_store"][ACCOUNTS].values == {}
    assert context["outlet_events"][ALIAS].added == []


def test_a_late_retry_does_not_move_it_back(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    task = watermark(tmp_path)
    far = datetime(2026, 11, 20, tzinfo=timezone.utc)
    with SalesforceJwtHook().connect() as connected:
        for end in (far, far - timedelta(days=1)):
            Watermark(context, task, ExtractSpec.of(task), connected).advance((end - timedelta(days=1), end))
    assert reached(context) == far.isoformat()


def test_an_org_whose_clock_is_a_little_behind_the_watermark_gives_no_rows_and_no_step_back(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path / "1"), context)
    before = reached(context)
    org.clock_offset = -590
    assert run_to_end(watermark(tmp_path / "2"), context)["records"] == 0
    assert reached(context) == before


def test_two_tasks_over_one_object_do_not_share_a_watermark(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    counts = []
    for task_id, where in (("first", "Name < 'Account 5'"), ("second", "Name >= 'Account 5'")):
        operator = watermark(tmp_path / task_id, where=where)
        operator.task_id = task_id
        counts.append(run_to_end(operator, context)["records"])
    assert sum(counts) == 1000
    assert all(counts)


def test_dots_in_the_ids_of_dags_and_groups_are_told_apart(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    for dag_id, task_id in (("sales.daily", "extract"), ("sales", "daily.extract")):
        with DAG(dag_id):
            operator = watermark(tmp_path / dag_id)
        operator.task_id = task_id
        assert run_to_end(operator, context)["records"] == 1000
    assert list(context["asset_state_store"][ACCOUNTS].values) == [
        "watermark.sales:daily.extract.SystemModstamp",
        "watermark.sales.daily.extract.SystemModstamp",
    ]


@pytest.mark.parametrize(
    "state",
    [
        "2026-11-01T00:00:00+00:00",
        {"reached": "2026-11-01"},
        {"reached": None},
        {"reached": "yesterday"},
        {"where": None},
        7,
    ],
)
def test_a_watermark_that_somebody_broke_is_named_and_not_passed_over(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, state: Any
) -> None:
    context["asset_state_store"][ACCOUNTS].set(KEY, state)
    with pytest.raises(
        AirflowFailException, match=rf"the key '{KEY}' in the state of the asset .* holds .* Set 'reach"
    ):
        run_to_end(watermark(tmp_path / "1"), context)
    assert org.jobs == {}


def test_a_changed_condition_is_refused_since_its_rows_were_never_seen(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path / "1", where="Name < 'Account 5'"), context)
    with pytest.raises(AirflowFailException, match="says nothing of the rows that"):
        run_to_end(watermark(tmp_path / "2"), context)


def test_another_org_behind_the_connection_is_refused(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path / "1"), context)
    store = context["asset_state_store"][ACCOUNTS]
    store.set(KEY, {**store.get(KEY), "org_id": "00D000000000001EAA"})
    with pytest.raises(AirflowFailException, match="the watermark is of org 00D000000000001EAA"):
        run_to_end(watermark(tmp_path / "2"), context)


def test_clearing_a_run_fetches_the_rows_that_it_replaces_again(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    run_to_end(watermark(tmp_path), context)
    cleared = run_to_end(watermark(tmp_path), context)
    assert cleared["records"] == 1000
    assert len(rows_of(tmp_path)) == 1000


@pytest.mark.parametrize(("emit_empty", "events"), [(True, 2), (False, 1)])
def test_U6_an_empty_window_emits_an_event_only_where_that_is_wanted(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, emit_empty: bool, events: int
) -> None:
    for number, records in enumerate((1000, 0)):
        task = watermark(tmp_path / str(number), outlets=[ALIAS], emit_empty=emit_empty)
        assert run_to_end(task, context)["records"] == records
    assert [uri for uri, _ in context["outlet_events"][ALIAS].added] == [ACCOUNTS.uri] * events


def test_a_full_extract_emits_the_event_of_its_object_too(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path
) -> None:
    whole = extract(tmp_path / "whole", sobject=None, fields=None, soql="SELECT Id FROM Contact", outlets=[ALIAS])
    result = run_to_end(whole, context)
    assert context["outlet_events"][ALIAS].added == [(CONTACTS.uri, result)]


@pytest.mark.parametrize(
    ("arguments", "index", "says"),
    [
        pytest.param(
            *({"inlets": []}, -1),
            r'incremental: add inlets=\[Asset\(uri="salesforce://salesforce_jwt_default/Account"\)\]',
            marks=pytest.mark.skipif(
                not has_state_stores(), reason="missing: Airflow 3.3, which keeps state of assets"
            ),
        ),
        (
            {"outlets": [ACCOUNTS, CONTACTS]},
            0,
            r'outlets: set outlets=\[AssetAlias\("salesforce"\)\] and move .*/Contact',
        ),
        ({"outlets": [ACCOUNTS], "emit_empty": False}, -1, r'outlets: set outlets=\[AssetAlias\("salesforce"\)\]'),
    ],
)
def test_assets_that_would_report_what_did_not_happen_are_refused(
    org: SimulatedOrg, context: dict[str, Any], tmp_path: Path, arguments: dict[str, Any], index: int, says: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"^{says}"):
        run_to_end(watermark(tmp_path, **arguments), instance(context, index))
    assert not org.jobs


def test_a_mapped_instance_may_name_its_own_asset(org: SimulatedOrg, context: dict[str, Any], tmp_path: Path) -> None:
    result = run_to_end(watermark(tmp_path, inlets=[], outlets=[ACCOUNTS]), instance(context, 0))
    assert context["outlet_events"][ACCOUNTS].extra == result


@pytest.mark.parametrize("incremental", ["watermark", "data_interval"])
def test_U10_outside_a_run_it_says_how_to_get_one(org: SimulatedOrg, tmp_path: Path, incremental: str) -> None:
    with pytest.raises(AirflowFailException, match=r"needs a task run.*use dag\.test\(\)"):
        extract(tmp_path, incremental=incremental, inlets=[ACCOUNTS]).execute({})
