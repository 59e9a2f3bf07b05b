"""The folder of one data set: what may be written there, what is visible, and what is removed.

Parts come first and the receipt last. A re-run writes parts under new names, swaps the receipt, then removes the old
parts: readers that follow the receipt see the whole old data set or the whole new one. Until the receipt is written,
each finished page has a manifest beside its part, so that a retry fetches only the missing pages.

Two attempts of one task may be alive at once: a worker that was not heard of goes on while Airflow has begun anew. So
a part never changes once it has its name, and no two attempts write under one name. An attempt removes what was there
when it began and what it wrote, and nothing that a receipt lists. Where another one has published since, it ends.
"""

from __future__ import annotations

import csv
import json
import re
import time
import uuid
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from io import TextIOWrapper
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.compat import cached_property
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.data_sets.receipt import DELETION_COLUMNS, Receipt
from airflow_provider_sfjwt.files.formats.registry import WRITTEN_EXTENSIONS, OutputFormat, WrittenPage
from airflow_provider_sfjwt.files.formats.result_page import ANY_PAGE, PageLimits
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, OutputFile, Writer, kind_of_receipt
from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath
    from airflow_provider_sfjwt.files.values.columns import Column
    from airflow_provider_sfjwt.salesforce.wire.flow import Body

#: A part that this package wrote: page, job, attempt, format. A job's id begins with 750 and has 15 or 18 characters; a
#: route without jobs makes up a stem, see :func:`made_up_stem`. An attempt adds a word of its own where another one may
#: have the name without it. Deleted records have a file of their own; after an underscore Spark would not read it.
_JOB_ID = r"(?:750\w{12}(?:\w{3})?|[a-z]+\w{12})"
_PART = rf"(?:part|deleted)-\d{{5,}}-(?P<job>{_JOB_ID})(?:_[0-9a-f]{{8}})?\.(?:{WRITTEN_EXTENSIONS})"
_OUR_PART = re.compile(_PART)
#: When Spark, DuckDB and Arrow read a folder, they skip names that begin with an underscore.
_MANIFEST = rf"_page-(?P<page>\d{{5,}})-(?P<job>{_JOB_ID})\.json"
_OUR_MANIFEST = re.compile(_MANIFEST)
#: What several tasks know of a job whose pages they share.
_SHARED_JOB = rf"_job-(?P<job>{_JOB_ID})\.json"
_OUR_SHARED_JOB = re.compile(_SHARED_JOB)
#: A file that is being written, or that a process which died was writing.
_OUR_DRAFT = re.compile(
    rf"\.(?:{_PART}|{_MANIFEST.replace('<job>', '<its_job>')}|{_SHARED_JOB.replace('<job>', '<shared_job>')}"
    r"|_receipt\.json|writable|\.writable-[0-9a-f]{32})-[0-9a-f]{32}"
)
#: Manifests that are read at once.
_READ_AT_ONCE = 16
#: Seconds that may lie between the last look at the receipt and its replacement; after more, it is looked at again.
_MOST_BETWEEN = 2.0


def made_up_stem(route: str) -> str:
    """What stands for the job in the names of parts, for a route that has no jobs.

    :param route: its name, in small letters.
    """
    return f"{route}{uuid.uuid4().hex[:12]}"


class OtherAttemptError(SalesforceError):
    """Somebody else has published in the folder since this attempt began, or has removed its parts."""


@dataclass(frozen=True)
class _Found:
    """What was in the folder when this attempt began.

    :param receipt: or None.
    :param text: of the receipt.
    :param names: of all files.
    """

    receipt: Receipt | None
    text: str | None
    names: frozenset[str]


class DataSetFolder:
    """The folder that one run of a task owns, as one attempt of it sees it.

    :param path: e.g. ``s3://conn_id@bucket/accounts/ds=2026-11-20``.
    :param argument: of the task, the one that names the folder.
    """

    def __init__(self, path: str, argument: str = "output_path") -> None:
        self._folder = OutputFolder(path, argument)
        self._argument = argument
        self.path = self._folder.path
        #: When each part was begun and finished, in seconds of the monotonic clock, by its name.
        self.part_times: dict[str, tuple[float, float]] = {}
        self._own: set[str] = set()
        self._published: str | None = None
        self._word = uuid.uuid4().hex[:8]

    @property
    def previous_receipt(self) -> Receipt | None:
        """The receipt that was there when this was first asked, or None.

        :raises ConfigurationError: if it is the results folder of a load.
        """
        return self._found.receipt

    @cached_property
    def _found(self) -> _Found:
        text = self._folder.receipt_text()
        return _Found(self._understood(text), text, frozenset(self._folder.sizes()))

    def prepare(self, file_format: OutputFormat, writer: Writer | None = None) -> None:
        """Check that the folder can be written and that no file in it could be mistaken for a part of this data set.

        :param file_format: of the parts to come.
        :param writer: the task instance that is going to write them; None outside a task.
        :raises ConfigurationError: if it cannot be written, holds somebody else's parts, is the results folder of a
            load, or holds the data set of another task instance of the same DAG run.
        """
        self._folder.prove_writable()
        names = set(self._folder.sizes())
        self._refuse_conflict(self.previous_receipt, writer)
        listed = {part.name for part in self.previous_receipt.parts} if self.previous_receipt else set()
        foreign = [
            name
            for name in sorted(names - listed)
            if name.startswith("part-") and name.endswith(f".{file_format.extension}") and not _OUR_PART.fullmatch(name)
        ]
        if foreign:
            raise ConfigurationError(
                {
                    self._argument: f"{self.path} already holds {foreign[0]}, which could be mistaken for a part of "
                    "this data set. Give the run a folder of its own, e.g. …/ds={{ ds }}"
                },
                subject="the task",
            )

    def write_page(
        self,
        page: int,
        job_id: str,
        file_format: OutputFormat,
        body: Body,
        columns: Sequence[Column],
        limits: PageLimits = ANY_PAGE,
    ) -> WrittenPage:
        """Write a page into a new part, whose name no other attempt has.

        :param page: its place in the result, from 0.
        :param job_id: the job.
        :param file_format: of the part.
        :param body: as :meth:`OutputFormat.write_page` takes it.
        :param columns: the same.
        :param limits: the same.
        """
        part, began = self.part(page, job_id, file_format), time.monotonic()
        written = file_format.write_page(part, body, columns, limits, new_word=self._word)
        self.part_times[written.part.name] = (began, time.monotonic())
        self.wrote(written.part.name)
        return written

    def write_deletions(
        self, deleted: Iterable[tuple[str, datetime | None]], file_format: OutputFormat, writer: Writer | None = None
    ) -> OutputFile:
        """Write which records were deleted into a file beside the parts, which the receipt's ``deletes`` will list.

        :param deleted: the id of each, and the moment up to which its states are void; None where that is all of them.
        :param file_format: of the file, the same as that of the parts.
        :param writer: the task instance; None outside a task.
        :raises ConfigurationError: as :meth:`prepare` does.
        """
        self.prepare(file_format, writer)
        path = self._folder / f"deleted-00000-{made_up_stem('deleted')}.{file_format.extension}"
        with TemporaryFile() as body:
            text = TextIOWrapper(body, encoding="utf-8", newline="", write_through=True)
            lines = csv.writer(text)
            lines.writerow(column.name for column in DELETION_COLUMNS)
            lines.writerows((record, "" if when is None else sent_moment(when)) for record, when in deleted)
            body.seek(0)
            part = file_format.write_page(path, body, DELETION_COLUMNS).part
            text.detach()
        self.wrote(part.name)
        return part

    def wrote(self, name: str) -> None:
        """Take note of a part, which this attempt may then remove.

        :param name: of the part.
        """
        self._own.add(name)

    def part(self, page: int, job_id: str, file_format: OutputFormat) -> StoragePath:
        """The file for a page. Where it is there already when the page is written, the part gets another name.

        :param page: its place in the result, from 0.
        :param job_id: the job.
        :param file_format: of the part.
        """
        stem, ending = f"part-{page:05d}-{job_id}", file_format.extension
        # An object store replaces an object without a word. The first attempt at a job alone has the plain names there.
        if job_id in self._jobs_found:
            stem = f"{stem}_{self._word}"
        if f"{stem}.{ending}" in self._own:
            stem = f"part-{page:05d}-{job_id}_{uuid.uuid4().hex[:8]}"
        return self._folder / f"{stem}.{ending}"

    def finish_page(self, manifest: PageManifest, job_id: str) -> None:
        """Record that a page is finished, so that a retry does not fetch it again.

        :param manifest: of the page, whose part is written.
        :param job_id: the job.
        """
        name = f"_page-{manifest.page:05d}-{job_id}.json"
        self._own.add(name)
        self._folder.write_whole(name, manifest.to_json())

    def finished_pages(self, job_id: str, pages: Container[int] | None = None) -> dict[int, PageManifest]:
        """The pages of a job that are finished and whose parts are still there, by their places.

        :param job_id: the job.
        :param pages: the places that are asked for; None for all.
        """
        sizes = self._folder.sizes()
        matches = [match for name in sizes if (match := _OUR_MANIFEST.fullmatch(name)) and match["job"] == job_id]
        names = [match[0] for match in matches if pages is None or int(match["page"]) in pages]
        with ThreadPoolExecutor(max_workers=_READ_AT_ONCE) as pool:  # an object store takes its time for each
            texts = pool.map(lambda name: (self._folder / name).read_text(encoding="utf-8"), names)
            manifests = [manifest for text in texts if (manifest := PageManifest.from_json(text)) is not None]
        return {each.page: each for each in manifests if sizes.get(each.part.name) == each.part.bytes}

    @property
    def is_local(self) -> bool:
        """Whether it is on a file system of this machine."""
        return self._folder.is_local

    def share_job(self, job_id: str, content: Mapping[str, Any]) -> None:
        """Write down what other tasks must know of a job whose pages they share.

        :param job_id: the job.
        :param content: as JSON takes it.
        """
        self._folder.write_whole(f"_job-{job_id}.json", json.dumps(content) + "\n")

    def shared_job(self, job_id: str) -> Any:
        """Read what :meth:`share_job` wrote.

        :param job_id: the job.
        :return: None where it is not there: another folder has the name on this machine, or a new extract replaced it.
        """
        try:
            return decode_json((self._folder / f"_job-{job_id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    @cached_property
    def _jobs_found(self) -> set[str | None]:
        """The jobs of which an object store had files when this attempt began."""
        return set() if self._folder.is_local else {_job_of(name) for name in self._found.names}

    def holds(self, receipt: Receipt) -> bool:
        """Whether every part of a receipt is there, in its full size.

        :param receipt: of this folder.
        """
        sizes = self._folder.sizes()
        return all(sizes.get(part.name) == part.bytes for part in receipt.files)

    def publish(self, receipt: Receipt) -> None:
        """Make a data set visible. This is the commit point: nothing after it can undo it.

        :param receipt: of the new parts, all of which are written.
        :raises ConfigurationError: if another task instance of the same DAG run has published there meanwhile.
        :raises OtherAttemptError: retryable, if another attempt has published there since this one began, or has
            removed a part. Nothing is published then.
        """
        text = receipt.to_json()
        with self._folder.alone():
            while True:
                looked = time.monotonic()
                self._refuse_other_attempt(receipt)
                if time.monotonic() - looked < _MOST_BETWEEN:  # this process was not stopped meanwhile
                    break
            self._folder.write_whole(RECEIPT_NAME, text)
        self._published = text

    def clear_replaced(self, shared: Collection[str] = ()) -> None:
        """Remove the parts of earlier and broken runs, and all manifests, as far as they were there when this began.

        Later files may belong to an attempt that is alive. Where another one has published since, all stays.

        :param shared: jobs whose pages several tasks fetched. Their later files go as well: a task that goes on finds
            its job gone, and removes what it writes after this.
        """
        with self._folder.alone():
            text = self._folder.receipt_text()
            if text == (self._published or self._found.text):
                later = {name for name in self._folder.sizes() if _job_of(name) in shared} if shared else set[str]()
                self._remove(self._found.names | self._own | later)

    def discard(self, *job_ids: str) -> None:
        """Remove the files of jobs that failed, except parts that the current receipt lists.

        :param job_ids: the jobs.
        """
        with self._folder.alone():
            self._remove(name for name in self._found.names | self._own if _job_of(name) in job_ids)

    def discard_own(self) -> None:
        """Remove what this attempt has written, except parts that the current receipt lists."""
        with self._folder.alone():
            self._remove(self._own)

    def _remove(self, names: Iterable[str]) -> None:
        listed, there = self._listed(), self._folder.sizes()
        self._folder.remove(name for name in set(names) & there.keys() - listed if _is_ours(name))

    def _refuse_other_attempt(self, receipt: Receipt) -> None:
        """Fail where another attempt has published since this one began, or where parts are gone."""
        text = self._folder.receipt_text()
        now = self._understood(text)
        self._refuse_conflict(now, receipt.written_by)
        if now is not None and text != self._found.text:
            other = "another attempt of this task" if now.written_by == receipt.written_by else "another run"
            raise OtherAttemptError(
                f"{other} has published in {self.path} since this attempt began: {now.records} records"
                f"{f' of job {now.job_id}' if now.job_id else ''}. They stand, and nothing was published now. "
                "If two runs write there, give each a folder of its own",
                retryable=True,
            )
        if not self.holds(receipt):
            raise OtherAttemptError(
                f"parts that were just written to {self.path} are gone: another run writes to the same folder. Nothing "
                "was published. Give each run a folder of its own.",
                retryable=True,
            )

    def _understood(self, text: str | None) -> Receipt | None:
        if text is None:
            return None
        if kind_of_receipt(text) == "load":
            message = f"{self.path} is the results folder of a load. Give the extract a folder of its own"
            raise ConfigurationError({self._argument: message}, subject="the task")
        return Receipt.from_json(text, self.path)

    def _refuse_conflict(self, receipt: Receipt | None, writer: Writer | None) -> None:
        """Fail a task that would replace what its own DAG run extracted: both would be green, one data set lost."""
        if receipt is None or writer is None or not writer.conflicts_with(receipt.written_by):
            return
        raise ConfigurationError(
            {
                self._argument: f"{self.path} holds what {receipt.written_by} extracted in this same DAG run, and "
                f"{writer} would replace it. Give each a folder of its own: add e.g. "
                "{{ ti.task_id }}/{{ ti.map_index }} to the path"
            },
            subject="the task",
        )

    def _listed(self) -> set[str]:
        """The parts of the current receipt, read again: another attempt may have published meanwhile."""
        text = self._folder.receipt_text()
        if text is None or kind_of_receipt(text) == "load":
            return set()
        return {part.name for part in Receipt.from_json(text, self.path).files}


def sent_moment(moment: datetime) -> str:
    """A moment as Salesforce writes it in CSV.

    :param moment: timezone-aware.
    """
    utc = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def _job_of(name: str) -> str | None:
    """The job of a file that this package wrote for one, or None for any other file."""
    match = _OUR_PART.fullmatch(name) or _OUR_MANIFEST.fullmatch(name) or _OUR_SHARED_JOB.fullmatch(name)
    return match["job"] if match else None


def _is_ours(name: str) -> bool:
    """Whether this package wrote a file that is not a receipt."""
    return _job_of(name) is not None or _OUR_DRAFT.fullmatch(name) is not None
