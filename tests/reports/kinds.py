"""What others reported, by kind: an input, what 0.1.0 did with it, and what is right. A run prints it with its outcome."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

#: Kind, input, before, after. Kinds of the tests are in their names: ``test_R1_…``.
KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("R1", "1300.56172841 in a currency(18,2)", "the extract is red", "decimal128(38, 18), exact"),
    ("R1", "0.0033333333333333335 in a formula", "the extract is red", "rounded half-even, counted"),
    ("R1", "1.0E20 in a number", "the extract is red", "the column is float64, with a warning"),
    ("R2", "SELECT Type, Who.Type over REST", "green, Who.Type lost", "both columns"),
    ("R3", "totalSize -1", "the query fails", "`done` on the last page is the proof"),
    ("R4", "fields=['Id', 'Who.Type'] on Task", "no field Who.Type", "the fields of Name too, few calls"),
    ("R5", "toLabel(Status) st over REST", "no toLabel st", "the column st"),
    ("R6", "WHERE Id IN (900 ids) over REST", "414: no reason given", "the remedy is named"),
    ("R7", "a job Failed with QUERY_TIMEOUT", "final", "a retry, with a new job"),
    ("R8", "a bad date; bytes that are not UTF-8", "no name, or published", "column, record and remedy"),
    ("L1", "midnight in Berlin into a date", "the day before, green", "the day in its own zone"),
    ("L1", "2026-01-05T10:00:00 into a datetime", "sent, read as UTC or refused", "`timezone`, or a fault"),
    ("L2", "1001.0 from Parquet and from rows", "1001 and 1001.0: two records", "1001 from both"),
    ("L3", "a carriage return in an unquoted cell", "two records for one, green", "one record, or a fault"),
    ("L4", "NaN in one column, a bad day in another", "one fault", "both, each with row and column"),
    ("L5", "numpy, UUID, binary text", "refused in misleading words", "taken"),
    ("L6", "text echoed with LF before the key", "matches no row", "matched by the key"),
    ("L7", "one bad cell among a million rows", "nothing is sent", "on_invalid='skip' sends the others"),
    ("S1", "a URI that Airflow cannot read, at DEBUG", "advised, and logs the key", "the advice warns"),
    ("S2", "unknown_error: retry your request", "final", "retried"),
    ("S3", "from-salesforce of a My Domain", "login.salesforce.com", "its own login URL and audience"),
    ("S4", "salesforce_jwt://, a BOM, extra encoded twice", "Username: is missing", "Airflow cannot read it, and why"),
    ("S5", "HTTPS_PROXY that does not exist", "localhost is not known", "names proxy and variable"),
    ("S6", "an expired certificate", "advises the CA bundle", "says which failure"),
    ("S7", "x.scratch.my.salesforce.com", "audience login", "audience test"),
    ("S8", "a username in quotes", "nobody has allowed the user", "cleaned"),
    ("S9", "an extra named private_key_path_file", "passed over", "named, with the field that is meant"),
    ("S10", "a chain with the authority first", "belongs to another key", "the certificate of the key"),
    ("S11", "text around a key; wrapped base64", "damaged, or refused", "read"),
    ("U1", "40 objects mapped, one fails", "an event for each of the 40", "exactly the events of the 39"),
    ("U2", "pip install into an older Airflow", "upgrades it without a word", "the page pins; the extra is named"),
    ("U3", "example DAGs by CLI, REST and asset", "'ds' is undefined", "the run's own moment"),
    ("U4", "clear the task after a correction", "sends more than it says", "said as it is"),
    ("U5", "a refused query in the UI", "the remedy beyond the edge", "argument, reason, one exception"),
    ("U6", "a watermark run without rows", "an event", "none with emit_empty=False"),
    ("U7", "min_api_calls_left with none left", "403 at the describe", "waits"),
    ("U8", "the Test button", "a random connection id", "the connection's faults"),
    ("U9", "a green load with losses", "quiet", "one warning with counts and path"),
    ("U10", "execute({}) outside a run", "says: add outlets", "says: use dag.test()"),
    ("U11", "consumer_secret, introspect()", "form and page disagree", "they agree"),
    ("U12", "org.delete('Account', [ids])", "fails obscurely", "says: one record a call"),
    ("U13", "expand over [A, B], then [C, A, B]", "a full extract of each", "each goes on where it was"),
    ("U14", "100 objects in threads", "one describe after another", "at once"),
    ("U15", "a deferrable extract", "describes twice", "describes once"),
    ("U16", "the 92nd own object", "IndexError", "as many as wanted"),
    ("U17", "celery 5.7.0", "does not start", "the page says which versions do"),
    ("WINDOW", "window=(start, end) on the operator", "not there", "templated"),
)
_NAME = re.compile(r"tests/.*::test_([RLSU]\d+|window)_")


def kind_of(nodeid: str) -> str | None:
    """The kind that a test is about, or None."""
    match = _NAME.search(nodeid)
    return match[1].upper() if match else None


def table(passed: Iterable[str], failed: Iterable[str]) -> Iterator[str]:
    """The lines of the table: the kinds that were tried.

    :param passed: ids of tests that passed.
    :param failed: ids of tests that failed.
    """
    green, red = Counter(map(kind_of, passed)), Counter(map(kind_of, failed))
    yield f"{'kind':7}{'input':47}{'0.1.0':32}{'now':40}tests"
    for kind, what, before, after in KINDS:
        if green[kind] or red[kind]:
            outcome = f"{green[kind]} passed" + (f", {red[kind]} FAILED" if red[kind] else "")
            yield f"{kind:7}{what:47}{before:32}{after:40}{outcome}"
