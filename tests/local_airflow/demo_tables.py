"""``make demo-tables``: a simulated org merged into a DuckDB database, changed, merged again, and queried."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.local_airflow.console import Console, table
from tests.repository import REPOSITORY

FOLDER = REPOSITORY / ".demo" / "tables"
QUERY = """\
SELECT industry, count(*) AS accounts, sum(annual_revenue) AS revenue
FROM account GROUP BY industry ORDER BY accounts DESC, industry LIMIT 5"""


def environment(folder: Path) -> None:
    """An Airflow home of the demo's own, and a connection to a database file.

    :param folder: for all that is written.
    """
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    warehouse = {"conn_type": "duckdb", "host": str(folder / "warehouse.duckdb")}
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
    }


def queried(sql: str, folder: Path) -> list[dict[str, Any]]:
    """The rows of a query by DuckDB itself.

    :param sql: the query.
    :param folder: that holds the database.
    """
    import duckdb

    with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
        result = database.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def demo(console: Console, folder: Path) -> None:
    """Run it.

    :param console: to say on what is done.
    :param folder: for all that is written.
    """
    from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook
    from airflow_provider_sfjwt.tables import merge
    from airflow_provider_sfjwt.testing import SimulatedOrg

    def in_step(step: str) -> str:
        extract = SalesforceJwtHook().extract(
            sobject="Account", output_path=(folder / step).as_uri(), include_deleted=True
        )
        console.say(f"{extract.records:,} rows extracted, proved complete by {folder.name}/{step}/_receipt.json")
        console.say(str(merge(extract, sql_conn_id="warehouse", table="account", naming="snake")))
        return extract.output_path

    with SimulatedOrg(records={"Account": 2000}, bulk_polls=0) as org:
        os.environ["AIRFLOW_CONN_SALESFORCE_JWT_DEFAULT"] = org.connection_json()
        with console.step("Merging 2,000 accounts of a simulated Salesforce org into a new table of DuckDB"):
            in_step("first")
        with console.step("Changing 20 of them, deleting 10 and adding 5; merging what there is now"):
            accounts = org.rows("Account")
            for row in accounts[:20]:
                org.update("Account", row["Id"], {"Industry": "Banking"})
            for row in accounts[-10:]:
                org.delete("Account", row["Id"])
            org.insert("Account", [{"Name": f"New account {number}"} for number in range(5)])
            second = in_step("second")
        with console.step("Merging the same extract once more, as a retry would"):
            console.say(str(merge(second, sql_conn_id="warehouse", table="account", naming="snake")))
        with console.step("Asking DuckDB"):
            console.say(QUERY)
            console.say(table(queried(QUERY, folder)))
        with console.step("Comparing the table with the org"):
            expected = {row["Id"]: row["Name"] for row in org.rows("Account") if not row["IsDeleted"]}
            found = {row["id"]: row["name"] for row in queried("SELECT id, name FROM account", folder)}
            if found != expected:
                raise SystemExit(f"The demo failed: {len(found)} rows in the table, {len(expected)} in the org")
            console.say(f"{len(found):,} rows in the table = {len(expected):,} accounts of the org, name by name")
            ledger = queried("SELECT records, inserted, updated, deleted FROM sfjwt_ledger ORDER BY applied_at", folder)
            console.say(table(ledger))


def main(arguments: Sequence[str] = ()) -> int:
    """Run the demo.

    :param arguments: the folder for all that is written; nothing for ``.demo/tables``.
    :return: exit status: 0 when the table equals the org.
    """
    folder = Path(arguments[0]) if arguments else FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment(folder)
    console = Console()
    demo(console, folder)
    print(f"The demo succeeded in {console.seconds:.0f} s. The database is {folder / 'warehouse.duckdb'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
