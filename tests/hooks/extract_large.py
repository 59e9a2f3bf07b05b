"""One extract in a process of its own, so that its memory is that of the extract alone: prints JSON."""

from __future__ import annotations

import json
import sys

import airflow.sdk  # noqa: F401

from airflow_provider_sfjwt.operators.extract import SalesforceExtractOperator  # noqa: F401
from tests.benchmarks.resources import peak_bytes

#: What a worker has in memory before the task begins.
IMPORTED = peak_bytes()


def main(output_path: str) -> None:
    """Extract once. An error of ours is part of what is printed."""
    from airflow_provider_sfjwt.exceptions import SalesforceError
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

    try:
        receipt = SalesforceJwtHook().extract(sobject="Account", output_path=output_path, file_format="parquet")
        outcome = {"records": receipt.records, "bytes": sum(part.bytes for part in receipt.parts)}
    except SalesforceError as error:
        outcome = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({**outcome, "above": peak_bytes() - IMPORTED, "imported": IMPORTED}))


if __name__ == "__main__":
    main(sys.argv[1])
