"""From Salesforce into Delta tables. Needs the extra ``delta``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.tasks.errors import airflow_outcome
from airflow_provider_sfjwt.tasks.report.reporting import reporting
from airflow_provider_sfjwt.transfers.merging import MergeOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.tasks.lineage.moved import DataSet

__all__ = ["SalesforceToDeltaOperator"]


class SalesforceToDeltaOperator(MergeOperator):
    """Merges an extract into a Delta table on local files or S3, exactly once.

    The receipt is a transaction id of the commit that holds its rows: a retry finds it and changes nothing, and of two
    writers at the same time one is refused and retried. Memory grows with the table, since Delta rewrites the files
    that hold a changed row.

    :param table_uri: the table's folder, e.g. ``s3://conn_id@bucket/tables/accounts``, with a connection of the type
        ``aws``, or ``file:///lake/accounts``; created where there is none (templated).
    :param kwargs: the arguments of :class:`~airflow_provider_sfjwt.transfers.merging.MergeOperator`.
    """

    template_fields: Sequence[str] = (*MergeOperator.template_fields, "table_uri")

    def __init__(self, *, table_uri: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table_uri = table_uri

    def execute(self, context: Context) -> dict[str, Any]:
        """Merge the extract.

        :param context: Airflow's.
        :return: ``table``, ``data_sets``, ``already_applied``, ``columns_added``, and the counts of rows ``staged``,
            ``inserted``, ``updated`` (rows that are the same included) and ``deleted``.
        """
        from importlib.util import find_spec

        from airflow_provider_sfjwt.exceptions import ConfigurationError
        from airflow_provider_sfjwt.tables.delta import DeltaSpec, merge_into_delta

        with airflow_outcome(self), reporting(self, context, "merge") as draft:
            spec = DeltaSpec.of(self)
            spec.check()
            if find_spec("deltalake") is None:
                fault = "a Delta table needs deltalake: pip install 'airflow-provider-sfjwt[delta]'"
                raise ConfigurationError({"table_uri": fault}, subject="the task")
            draft.merge = merge_into_delta(spec, *_place(spec.table_uri))
            return draft.merge.summary()

    def _target(self) -> DataSet:
        from airflow_provider_sfjwt.tasks.lineage.moved import file_data_set

        return file_data_set(self.table_uri)


def _place(table_uri: str) -> tuple[str, dict[str, str]]:
    """A table's address and the options of its object store, as the ``deltalake`` package takes them."""
    from airflow_provider_sfjwt.compat import conn_id_of
    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.files.storage.paths import place_named, storage_path

    place = place_named(table_uri)
    if place.store == "file":
        return storage_path(table_uri).path, {}
    if not place.store.startswith("s3://"):
        fault = f"'{table_uri}' is neither on S3 nor on local files"
        raise ConfigurationError({"table_uri": fault}, subject="the task")
    return place.uri, _s3_options(conn_id_of(storage_path(table_uri)))


def _s3_options(conn_id: str | None) -> dict[str, str]:
    """The credentials of an Airflow connection of the type ``aws``; none for those of the machine."""
    if conn_id is None:
        return {}
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    hook: Any = AwsGenericHook(aws_conn_id=conn_id, client_type="s3")
    credentials = hook.get_credentials()
    endpoint = hook.conn_config.get_service_endpoint_url("s3")
    options = {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
        "AWS_REGION": hook.region_name,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true" if endpoint and endpoint.startswith("http://") else None,
    }
    return {name: value for name, value in options.items() if value}
