"""The folder of one data set: what may be written there, what is visible, and what is removed.

Parts come first and the receipt last. A re-run writes parts under new names, swaps the receipt, then removes the old
parts: readers that follow the receipt see the whole old data set or the whole new one. Until the receipt is written,
each finished page has a manifest beside its part, so that a retry fetches only the missing pages.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.files.data_sets.page_manifest import PageManifest
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.formats.registry import WRITTEN_EXTENSIONS, OutputFormat
from airflow_provider_sfjwt.files.storage.output_folder import OutputFolder
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, Writer, kind_of_receipt

if TYPE_CHECKING:
    from airflow_provider_sfjwt.files.storage.paths import StoragePath

#: A part that this package wrote: page, job, format. A job's id begins with 750 and has 15 or 18 characters; a route
#: without jobs makes up a stem, see :func:`made_up_stem`.
_JOB_ID = r"(?:750\w{12}(?:\w{3})?|[a-z]+\w{12})"
_OUR_PART = re.compile(rf"part-\d{{5,}}-(?P<job>{_JOB_ID})\.(?:{WRITTEN_EXTENSIONS})")
#: When Spark, DuckDB and Arrow read a folder, they skip names that begin with an underscore.
_OUR_MANIFEST = re.compile(rf"_page-\d{{5,}}-(?P<job>{_JOB_ID})\.json")


def made_up_stem(route: str) -> str:
    """What stands for the job in the names of parts, for a route that has no jobs.

    :param route: its name, in small letters.
    """
    return f"{route}{uuid.uuid4().hex[:12]}"


class DataSetFolder:
    """The folder that one run of a task owns.

    :param path: e.g. ``s3://conn_id@bucket/accounts/ds=2026-11-20``.
    :param argument: of the task, the one that names the folder.
    """

    def __init__(self, path: str, argument: str = "output_path") -> None:
        self._folder = OutputFolder(path, argument)
        self._argument = argument
        self.path = self._folder.path
        self._previous: tuple[Receipt | None] | None = None

    @property
    def previous_receipt(self) -> Receipt | None:
        """The receipt that was there when this was first asked, or None.

        :raises ConfigurationError: if it is the results folder of a load.
        """
        if self._previous is None:
            self._previous = (self._receipt_now(),)
        return self._previous[0]

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

    def part(self, page: int, job_id: str, file_format: OutputFormat) -> StoragePath:
        """The file for a page.

        :param page: its place in the result, from 0.
        :param job_id: the job.
        :param file_format: of the part.
        """
        return self._folder / f"part-{page:05d}-{job_id}.{file_format.extension}"

    def finish_page(self, manifest: PageManifest, job_id: str) -> None:
        """Record that a page is finished, so that a retry does not fetch it again.

        :param manifest: of the page, whose part is written.
        :param job_id: the job.
        """
        self._folder.write_whole(f"_page-{manifest.page:05d}-{job_id}.json", manifest.to_json())

    def finished_pages(self, job_id: str) -> dict[int, PageManifest]:
        """The pages of a job that earlier attempts finished and whose parts are still there, by their places.

        :param job_id: the job.
        """
        sizes = self._folder.sizes()
        finished = {}
        for name in sizes:
            match = _OUR_MANIFEST.fullmatch(name)
            if match is None or match["job"] != job_id:
                continue
            manifest = PageManifest.from_json((self._folder / name).read_text(encoding="utf-8"))
            if manifest is not None and sizes.get(manifest.part.name) == manifest.part.bytes:
                finished[manifest.page] = manifest
        return finished

    def holds(self, receipt: Receipt) -> bool:
        """Whether every part of a receipt is there, in its full size.

        :param receipt: of this folder.
        """
        sizes = self._folder.sizes()
        return all(sizes.get(part.name) == part.bytes for part in receipt.parts)

    def publish(self, receipt: Receipt) -> None:
        """Make a data set visible. This is the commit point: nothing after it can undo it.

        :param receipt: of the new parts, all of which are written.
        :raises ConfigurationError: if another task instance of the same DAG run has published there meanwhile.
        :raises SalesforceError: if somebody else has removed a part meanwhile. Nothing is published then.
        """
        self._refuse_conflict(self._receipt_now(), receipt.written_by)
        if not self.holds(receipt):
            raise SalesforceError(
                f"parts that were just written to {self.path} are gone: another run writes to the same folder. Nothing "
                "was published. Give each run a folder of its own.",
                retryable=True,
            )
        self._folder.write_whole(RECEIPT_NAME, receipt.to_json())

    def clear_replaced(self) -> None:
        """Remove all manifests, and the parts of earlier or broken runs, which the receipt does not list."""
        listed = self._listed()
        self._folder.remove(name for name in self._folder.sizes() if name not in listed and _job_of(name))

    def discard(self, job_id: str) -> None:
        """Remove the files of a job that failed, except parts that the current receipt lists.

        :param job_id: the job.
        """
        listed = self._listed()
        self._folder.remove(name for name in self._folder.sizes() if name not in listed and _job_of(name) == job_id)

    def _receipt_now(self) -> Receipt | None:
        text = self._folder.receipt_text()
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
        return {part.name for part in Receipt.from_json(text, self.path).parts}


def _job_of(name: str) -> str | None:
    """The job of a part or manifest that this package wrote, or None for any other file."""
    match = _OUR_PART.fullmatch(name) or _OUR_MANIFEST.fullmatch(name)
    return match["job"] if match else None
