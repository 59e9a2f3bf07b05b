"""The documentation as a site: Sphinx over the Markdown that also reads well where the code is hosted."""

import os
import re
import tempfile
from pathlib import Path

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="sfjwt-docs-"))  # importing Airflow writes there

from airflow_provider_sfjwt import __version__

project, author, release = "airflow-provider-sfjwt", "its contributors", __version__
extensions, html_theme, html_title = ["myst_parser", "sphinx.ext.autodoc"], "furo", f"{project} {release}"
myst_heading_anchors, python_maximum_signature_line_length = 4, 80
autodoc_member_order, autodoc_typehints = "bysource", "none"
# Names of others, and inner ones, are not looked up, so that a build needs no network.
nitpick_ignore_regex = [("py:.*", r"(?!airflow_provider_sfjwt\.(hooks|operators|sensors|transfers|triggers|exceptions)\.).*")]
linkcheck_timeout, linkcheck_retries, linkcheck_anchors = 30, 2, False  # anchors of many sites are made by scripts
# Addresses that are shown, not led to; and pages of the repository, which may not be public.
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|login\.salesforce\.com|test\.salesforce\.com|[^/]*acme)"]
suppress_warnings = ["misc.highlighting_failure"]  # diagrams are drawn where the code is hosted

#: The site's order, that of a person's day. A page of docs/ that has no place here comes last.
CONTENTS = {
    "Begin": ["install", "salesforce_setup", "connection", "secrets_backends", "keygen", "migrating", "upgrading"],
    "Recipes": ["recipes"],
    "Tasks": [
        "operators/query",
        "operators/extract",
        "operators/partitioned_extract",
        "operators/sync",
        "operators/sync_changes",
        "operators/load",
        "operators/sql_to_salesforce",
        "operators/rest",
        "operators/publish",
        "watching",
        "sensors",
        "hook",
    ],
    "Guarantees": ["operators/extract_guarantees", "operators/load_guarantees"],
    "Data": ["reading_data_sets", "reading_a_sync", "query_engines", "tables", "loaders"],
    "When something is wrong": ["doctor", "errors"],
    "Run it": ["operations", "executors", "report", "metrics", "logs", "lineage"],
    "Test": ["testing_your_dags", "simulated_org"],
    "Reference": ["operators/extract_reference", "operators/load_reference", "reference"],
    "Know more": ["benchmarks", "soak", "architecture", "decisions/index"],
}
_LISTED = {"index", *(page for pages in CONTENTS.values() for page in pages)}
CONTENTS["Know more"] += sorted({page.stem for page in Path(__file__).parent.glob("*.md")} - _LISTED)
#: Modules whose names people import, on the page of reference.
PUBLIC = ["hooks.salesforce_jwt", *(f"operators.{name}" for name in ("query", "extract", "sync", "load", "rest", "publish")),
          *(f"sensors.{name}" for name in ("query", "bulk_job")), "exceptions"]
PUBLIC += ["transfers.sql", "transfers.delta", "transfers.merging", "transfers.parts", "tables"]
PUBLIC += ["sync", "assets", "triggers.bulk_job", "triggers.bulk_load", "triggers.api_calls", "triggers.changes"]
_PYPROJECT = Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8")
# A link to a file outside docs/ leads to the repository; while that has no address, it is its label alone.
REPOSITORY = re.findall(r'^repository = "(.*)"', _PYPROJECT, re.MULTILINE)[0]
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?:example_dags|tests)\b[^)]*|[A-Z]+\.md[^)]*)\)")


def _toctree(caption: str, pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def _read(app: object, page: str, source: list[str]) -> None:
    """Add what a site has and a file has not: the order of pages, addresses, the reference."""
    text = _OUTSIDE.sub(rf"[\1]({REPOSITORY}/blob/HEAD/\2)" if REPOSITORY else r"\1", source[0])
    if page == "index":
        text += "".join(_toctree(caption, pages) for caption, pages in CONTENTS.items())
    if page == "decisions/index":
        text += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"
    if page == "reference":
        for name in PUBLIC:
            module = f".. automodule:: airflow_provider_sfjwt.{name}\n   :members:\n   :undoc-members:"
            text += f"\n## {name}\n\n```{{eval-rst}}\n{module}\n```\n"
    source[0] = text


def setup(app: object) -> None:
    """Take part in the build."""
    app.connect("source-read", _read)  # type: ignore[attr-defined]
