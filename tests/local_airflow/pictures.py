"""``python -m tests.local_airflow.pictures``: the pictures of reports that the documentation shows, made anew."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.local_airflow.chromium import chromium_at
from tests.local_airflow.console import Console, end_on_signals
from tests.local_airflow.report_pages import (
    DAG_ID,
    NARROW,
    OVERVIEW,
    TASKS,
    WIDE,
    add_accounts,
    address,
    picture,
    prepare,
    shown,
)
from tests.local_airflow.stack import LocalAirflow
from tests.repository import REPOSITORY

_RUNS = 4
_LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((WIDE, "light"), (NARROW, "dark"))


def main() -> int:
    """Run the DAG some times, and take a picture of each of its pages in each look.

    :return: exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.local_airflow.pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "docs/images", help="for the pictures")
    parser.add_argument("--wait", action="store_true", help="leave Airflow running until Ctrl-C")
    options = parser.parse_args()
    executable = os.environ.get("SFJWT_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        print("missing: Chromium (SFJWT_CHROMIUM, or chromium on the PATH)", file=sys.stderr)
        return 1
    end_on_signals()
    console = Console()
    now = datetime.now(timezone.utc).replace(microsecond=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatedOrg(
            records={"Account": 2_400},
            modified_between=(now - timedelta(hours=40), now),
            bulk_page_size=400,
            bulk_polls=2,
        ) as org,
    ):
        env = {"SFJWT_EXAMPLE_OUTPUT": (Path(folder) / "output").as_uri()}
        with LocalAirflow(Path(folder) / "home", [REPOSITORY / "tests/system/dags"], env=env) as airflow:
            airflow.add_connection("salesforce_jwt_default", org.connection_json())
            prepare(org)
            for number in range(_RUNS):
                with console.step(f"Run {number + 1} of {_RUNS}"):
                    run_id = airflow.trigger(DAG_ID)
                    airflow.wait_for_run(DAG_ID, run_id=run_id, may_fail=True)
                    add_accounts(org, 150 * (number % 3 + 1))
            pages = {name: address(airflow.url, run_id, task_id) for task_id, name in TASKS.items()}
            pages[OVERVIEW] = f"{airflow.url}/salesforce-jwt/"
            with chromium_at(executable) as browser:
                for width, scheme in _LOOKS:
                    with shown(browser, airflow.url, width=width, scheme=scheme) as page:
                        for name, url in pages.items():
                            page.goto(url)
                            picture(page, options.folder / f"{name}_{width}.png")
            print("\n".join(pages.values()))
            if options.wait:
                input("Enter ends it. ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
