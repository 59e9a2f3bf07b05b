"""From Salesforce into Delta tables. Needs the extra ``delta``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sfjwt.tasks.errors import airflow_outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["SalesforceToDeltaOperator"]


class SalesforceToDeltaOperator(BaseOperator):
    """Merges an extract into a Delta table on local files or S3, exactly once.

    The receipt is a transaction id of the commit that holds its rows: a retry finds it and changes nothing, and of two
    writers at the same time one is refused and retried. Memory grows with the table, since Delta rewrites the files
    that hold a changed row.

    :param source: what an extract's task returned, its folder or the path of its receipt, or a list of these; the older
        ones are merged first (templated).
    :param table_uri: the table's folder, e.g. ``s3://conn_id@bucket/tables/accounts``, with a connection of the type
        ``aws``, or ``file:///lake/accounts``; created where there is none (templated).
    :param mode: ``merge`` inserts and updates by key, ``append`` inserts every row.
    :param key: the column of the extract, or a list of columns, that tells rows apart.
    :param deleted: what a row with ``IsDeleted`` true does in a merge: ``delete`` removes the table's row, ``mark``
        keeps it with ``IsDeleted`` true, ``ignore`` leaves the table's row as it is.
    :param schema_evolution: ``add`` adds columns that the table lacks; ``fail`` refuses instead.
    :param naming: ``keep`` Salesforce's names as they are, or ``snake`` for ``owner_name``.
    :param column_mapping: the table's column by the extract's column; None leaves a column out (templated).
    :param columns: only these columns of the extract; None for all (templated).
    :param allow_older: whether a window that ends before the newest merged one is merged all the same.
    """

    template_fields: Sequence[str] = ("source", "table_uri", "column_mapping", "columns")
    ui_color = "#d8edff"

    def __init__(
        self,
        *,
        source: Any,
        table_uri: str,
        mode: str = "merge",
        key: str | Sequence[str] = "Id",
        deleted: str = "delete",
        schema_evolution: str = "add",
        naming: str = "keep",
        column_mapping: Mapping[str, str | None] | None = None,
        columns: Sequence[str] | None = None,
        allow_older: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.table_uri = table_uri
        self.mode = mode
        self.key = key
        self.deleted = deleted
        self.schema_evolution = schema_evolution
        self.naming = naming
        self.column_mapping = column_mapping
        self.columns = columns
        self.allow_older = allow_older

    def execute(self, context: Context) -> dict[str, Any]:
        """Merge the extract.

        :param context: Airflow's.
        :return: ``table``, ``data_sets``, ``already_applied``, ``columns_added``, and the counts of rows ``staged``,
            ``inserted``, ``updated`` (rows that are the same included) and ``deleted``.
        """
        from importlib.util import find_spec

        from airflow_provider_sfjwt.exceptions import ConfigurationError
        from airflow_provider_sfjwt.tables.delta import DeltaSpec, merge_into_delta

        with airflow_outcome(self):
            spec = DeltaSpec.of(self)
            spec.check()
            if find_spec("deltalake") is None:
                fault = "a Delta table needs deltalake: pip install 'airflow-provider-sfjwt[delta]'"
                raise ConfigurationError({"table_uri": fault}, subject="the task")
            return merge_into_delta(spec, *_place(spec.table_uri)).summary()


def _place(table_uri: str) -> tuple[str, dict[str, str]]:
    """A table's address and the options of its object store, as the ``deltalake`` package takes them."""
    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.files.storage.paths import is_local, storage_path

    path = storage_path(table_uri)
    if is_local(path):
        return path.path, {}
    if path.protocol not in ("s3", "s3a"):
        fault = f"'{table_uri}' is neither on S3 nor on local files"
        raise ConfigurationError({"table_uri": fault}, subject="the task")
    return f"s3://{path.bucket}/{path.key}", _s3_options(path.conn_id)


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
