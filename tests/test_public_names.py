"""What users may write down: the modules, names and arguments that stay from one release to the next.

A module is public where it has ``__all__``, but for ``compat``, whose list is what it passes on from Airflow. Whoever
adds a public name adds it here; whoever has to take one out breaks somebody's DAG.
"""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.repository import EXAMPLES, REPOSITORY

PACKAGE = "airflow_provider_sfjwt"

NAMES: dict[str, set[str]] = {
    "assets": {"changed_window", "salesforce_asset"},
    "exceptions": {
        "ApiError",
        "AuthenticationError",
        "BulkJobAbortedError",
        "BulkJobError",
        "BulkJobFailedError",
        "BulkJobTimeoutError",
        "ConfigurationError",
        "ErrorItem",
        "NotFoundError",
        "ObjectsFailedError",
        "ProtocolError",
        "RecordsFailedError",
        "RequestLimitError",
        "SalesforceError",
        "SessionExpiredError",
        "TransportError",
    },
    "get_provider_info": {"get_provider_info"},
    "hooks.salesforce_jwt": {"SalesforceJwtHook"},
    "operators.extract": {"SalesforceExtractOperator"},
    "operators.load": {"SalesforceLoadOperator"},
    "operators.publish": {"SalesforcePublishOperator"},
    "operators.query": {"SalesforceQueryOperator"},
    "operators.rest": {"SalesforceApexRestOperator", "SalesforceRestOperator"},
    "operators.partitioned_extract": {"SalesforcePartitionedExtract"},
    "operators.sync": {"SalesforcePartitionedExtract", "SalesforceSyncGroup"},
    # Flows for hook.connect() and hook.aconnect().
    "salesforce.api.descriptions": {"Dated", "describe_global_since", "describe_since"},
    "salesforce.api.org": {
        "api_calls_left",
        "describe",
        "describe_global",
        "limits",
        "server_time",
        "wait_for_api_calls",
    },
    "salesforce.api.replication": {"SHORTEST_SPAN", "DeletedRecords", "deleted_records", "record_counts"},
    "salesforce.api.permissions": {"field_names", "user_permissions", "views_all_records"},
    "salesforce.api.query": {"QueryPage", "first_page", "next_page"},
    "testing": {"ApexError", "ApexRequest", "Fault", "Field", "LoggedRequest", "SimulatedOrg"},
    "sync": {"read_sync"},
    "tables": {"MergeReport", "merge"},
    "sensors.bulk_job": {"SalesforceBulkJobSensor"},
    "sensors.query": {"SalesforceQuerySensor"},
    "testing.pytest_plugin": {"salesforce_jwt_connection", "simulated_org"},
    "transfers.delta": {"SalesforceToDeltaOperator"},
    "transfers.parts": {"part_keys", "redshift_manifest"},
    "transfers.sql": {"SalesforceToSqlOperator", "SqlToFilesOperator", "SqlToSalesforceOperator"},
    "triggers.api_calls": {"SalesforceApiCallsTrigger"},
    "triggers.bulk_job": {"SalesforceBulkJobTrigger"},
    "triggers.bulk_load": {"SalesforceBulkLoadTrigger"},
    "triggers.changes": {"SalesforceChangesTrigger", "SalesforceEventsTrigger"},
    "triggers.query": {"SalesforceQueryTrigger"},
}

#: The parameters of public classes and methods by ``module:name``, in the order of their signatures.
PARAMETERS: dict[str, str] = {
    "assets:salesforce_asset": "sobject salesforce_conn_id mode options",
    "hooks.salesforce_jwt:SalesforceJwtHook": "salesforce_conn_id api_version",
    "hooks.salesforce_jwt:SalesforceJwtHook.publish": "self event events id_field",
    "hooks.salesforce_jwt:SalesforceJwtHook.query": "self soql include_deleted",
    "hooks.salesforce_jwt:SalesforceJwtHook.request": "self method resource params json",
    "operators.extract:SalesforceExtractOperator": (
        "output_path sobject soql fields where window file_format compression numbers include_deleted incremental cursor_field "
        "commit_lag parallel_pages transport min_api_calls_left verify_job_count list_parts emit_empty deferrable poll_interval timeout "
        "salesforce_conn_id api_version kwargs"
    ),
    "operators.load:SalesforceLoadOperator": (
        "sobject operation source external_id_field column_mapping null_policy max_failed_records max_failed_ratio "
        "results_path parallel_jobs row_retries group_by transport assignment_rule_id file_format delimiter encoding header "
        "on_invalid timezone trim min_api_calls_left dry_run deferrable poll_interval timeout salesforce_conn_id "
        "api_version kwargs"
    ),
    "operators.partitioned_extract:SalesforcePartitionedExtract": (
        "group_id output_path sobject soql fields where window ranges shares file_format compression numbers "
        "include_deleted incremental cursor_field commit_lag parallel_pages min_api_calls_left verify_job_count "
        "list_parts emit_empty inlets outlets deferrable poll_interval timeout salesforce_conn_id api_version kwargs"
    ),
    "operators.publish:SalesforcePublishOperator": "event events id_field salesforce_conn_id api_version kwargs",
    "operators.query:SalesforceQueryOperator": "soql include_deleted max_rows salesforce_conn_id api_version kwargs",
    "operators.rest:SalesforceRestOperator": (
        "path method query payload headers idempotent response_check response_filter max_result_bytes "
        "salesforce_conn_id api_version kwargs"
    ),
    "sensors.bulk_job:SalesforceBulkJobSensor": (
        "job_id job_type deferrable start_from_trigger salesforce_conn_id api_version "
        "salesforce_conn_id api_version deferrable start_from_trigger kwargs"
    ),
    "sensors.query:SalesforceQuerySensor": (
        "soql at_least condition include_deleted deferrable start_from_trigger salesforce_conn_id api_version "
        "salesforce_conn_id api_version deferrable start_from_trigger kwargs"
    ),
    "sync:read_sync": "root sobject",
    "tables:merge": "receipt sql_conn_id table arguments",
    "transfers.delta:SalesforceToDeltaOperator": (
        "table_uri source mode key deleted schema_evolution naming column_mapping columns allow_older kwargs"
    ),
    "transfers.sql:SalesforceToSqlOperator": (
        "sql_conn_id table ledger_table lock_timeout nul_characters allow_empty source mode key deleted schema_evolution "
        "naming column_mapping columns allow_older kwargs"
    ),
    "transfers.sql:SqlToFilesOperator": "sql sql_conn_id output_path parameters kwargs",
    "transfers.sql:SqlToSalesforceOperator": (
        "sql sql_conn_id parameters staging_path keep_staged results_table row_key sobject operation source "
        "external_id_field column_mapping null_policy max_failed_records max_failed_ratio results_path parallel_jobs "
        "row_retries group_by transport assignment_rule_id file_format delimiter encoding header on_invalid timezone "
        "trim min_api_calls_left dry_run deferrable poll_interval timeout salesforce_conn_id api_version kwargs"
    ),
    "testing:Fault": (
        "method path nth times status body headers reset cut_after cut_at expire_session delay edit_json edit_body "
        "edit_headers lose_answer"
    ),
    "testing:Field": (
        "name type label length precision scale nillable createable updateable calculated unique external_id id_lookup "
        "name_field defaulted_on_create picklist_values reference_to relationship_name child_relationship compound "
        "csv_as_double picklist_labels"
    ),
    "testing:SimulatedOrg": (
        "port tls sandbox database records modified_between rest_page_size bulk_page_size bulk_polls private_key "
        "api_versions daily_api_requests gzip session_seconds sites jwt_access_tokens"
    ),
}

HOOK = (
    "get_conn query describe limits request extract load publish read_receipt part_keys test_connection introspect revoke connect "
    "aconnect conn_name_attr default_conn_name conn_type hook_name"
)
ORG = (
    "abort_next_job add_assignment_rule add_fault add_field add_validation_rule api_calls app_installed approve "
    "beyond_allocation bulk_batch_rows bulk_page_size bulk_poll_seconds bulk_polls bulk_upload_bytes certificate "
    "clear_faults clock_offset close connection_json daily_api_requests daily_bulk_batches daily_bulk_query_jobs "
    "define_object delete expire_cursors expire_sessions fail_next_job gzip hard_delete_allowed hide_field insert "
    "ip_restricted issue_session jobs jwt_access_tokens lock_records login_history login_rate logins org_locked "
    "permitted_users private_key refuse_second_upload register_certificate requests rest_page_size rows "
    "session_seconds start start_event_bus stop update url user_active user_approved user_id username"
)


def public_modules() -> dict[str, set[str]]:
    """The names in ``__all__`` of each module of the package that has it."""
    found = {}
    for file in (REPOSITORY / PACKAGE).rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
                path = file.relative_to(REPOSITORY / PACKAGE).with_suffix("")
                names = ast.literal_eval(node.value)
                assert len(names) == len(set(names)), file
                found[".".join(path.parts).removesuffix(".__init__")] = set(names)
    return found


def test_public_modules_and_their_names_are_those_written_here() -> None:
    found = public_modules()
    found.pop("compat", None)
    assert found == NAMES


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_there_and_documented(module: str) -> None:
    imported = import_module(f"{PACKAGE}.{module}")
    for name in NAMES[module]:
        assert getattr(imported, name).__doc__, f"{module}.{name}"


@pytest.mark.parametrize("module", ["operators", "sensors", "transfers", "triggers"])
def test_every_module_with_a_class_for_authors_is_public(module: str) -> None:
    classes = {
        f"{module}.{file.stem}"
        for file in (REPOSITORY / PACKAGE / module).glob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.startswith("Salesforce")
    }
    public = {name for name in NAMES if name.startswith(f"{module}.")}
    assert classes == {name for name in public if any(each[0].isupper() for each in NAMES[name])}


def _resolved(name: str) -> Any:
    module, _, path = name.partition(":")
    value: Any = import_module(f"{PACKAGE}.{module}")
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _parameters(value: Any) -> list[str]:
    """Of a callable; where a class hands them on, those of its own first, then those of our class below it."""
    names = list(inspect.signature(value).parameters)
    classes = value.__mro__[1:] if isinstance(value, type) else ()
    below = next((each for each in classes if "__init__" in vars(each)), None)
    if below is None or not below.__module__.startswith(PACKAGE) or names[-1:] != ["kwargs"]:
        return names
    return [*names[:-1], *_parameters(below)]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_keep_their_names_and_order(name: str) -> None:
    assert " ".join(_parameters(_resolved(name))) == PARAMETERS[name]


def test_the_hook_keeps_its_methods() -> None:
    assert set(dir(_resolved("hooks.salesforce_jwt:SalesforceJwtHook"))) >= set(HOOK.split())


def test_the_simulated_org_keeps_its_public_face() -> None:
    org = SimulatedOrg(records={})
    try:
        assert set(dir(org)) >= set(ORG.split())
    finally:
        org.close()


def imported_names(file: Path) -> set[tuple[str, str]]:
    """What a file imports of the package: pairs of a module and a name, wherever in the file the import stands."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            found |= {(node.module.partition(".")[2], alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names if alias.name.split(".")[0] == PACKAGE}
    return found


#: What the documentation shows to authors: example DAGs, and the code that its pages include.
SHOWN = [*sorted(EXAMPLES.glob("*.py")), *sorted((REPOSITORY / "tests/examples").glob("users_*.py"))]
SHOWN += [REPOSITORY / "tests/examples/running_flows.py", REPOSITORY / "tests/examples/reading_data_sets.py"]


@pytest.mark.parametrize("file", SHOWN, ids=lambda file: file.name)
def test_what_is_shown_to_authors_imports_public_names_only(file: Path) -> None:
    private = {
        (module, name)
        for module, name in imported_names(file)
        if name not in NAMES.get(module, ()) and f"{module}.{name}" not in NAMES
    }
    assert private == set()
