"""The rows of a query in memory, as an Arrow table or a data frame: an extract whose files are read and removed.

Needs the extra ``parquet``; a data frame also needs pandas.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.extract.extraction import Extraction
from airflow_provider_sfjwt.extract.spec import ExtractSpec
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def arrow_table(org: ConnectedOrg, soql: str, include_deleted: bool, transport: str) -> pa.Table:
    """Run a query and return its rows, proved complete as an extract is.

    :param org: where the query runs.
    :param soql: a query of plain fields.
    :param include_deleted: whether rows in the recycle bin and archived activities are returned too.
    :param transport: ``rest``, ``bulk`` or ``auto``.
    :return: columns by field name, parents' as ``Owner.Name``; exact decimals, UTC moments.
    :raises ConfigurationError: for a query whose rows are not a table, and where pyarrow is not installed.
    """
    with TemporaryDirectory(prefix="salesforce-") as folder:
        spec = ExtractSpec(
            soql=soql, output_path=f"file://{folder}/rows", include_deleted=include_deleted, transport=transport
        )
        receipt = Extraction(org, spec).run()
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts = [pq.read_table(Path(folder) / "rows" / part.name, memory_map=False) for part in receipt.parts]
        return pa.concat_tables(parts)


def data_frame(table: pa.Table) -> pd.DataFrame:
    """Make a data frame of a table, with Arrow's types: whole numbers stay whole beside nulls, decimals stay exact.

    :param table: of any columns.
    :raises ConfigurationError: where pandas is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise ConfigurationError({"query_pandas": "needs pandas: pip install pandas"}, subject="the hook")
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)
