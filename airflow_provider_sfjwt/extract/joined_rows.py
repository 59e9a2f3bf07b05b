"""The rows of one or several jobs, whose pages other tasks have fetched, as one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from airflow_provider_sfjwt.exceptions import ProtocolError, counted
from airflow_provider_sfjwt.extract.bulk_route import JobRows
from airflow_provider_sfjwt.extract.route import Origin, Result
from airflow_provider_sfjwt.files.values.columns import Column


class JoinedRows:
    """Rows of several jobs with the same columns, job after job.

    :param jobs: the rows of each; at least one.
    :param verify: whether each job's own count must equal its rows.
    """

    def __init__(self, jobs: Sequence[JobRows], *, verify: bool) -> None:
        self._jobs = jobs
        self._verify = verify

    @property
    def origin(self) -> Origin:
        """The job, or all of them."""
        first, *others = origins = tuple(each.origin for each in self._jobs)
        if not others:
            return first
        return Origin(
            transport=first.transport,
            title=f"jobs {', '.join(each.stem for each in origins)}",
            stem="",
            job_id=None,
            api_version=first.api_version,
            joined=origins,
        )

    def fetch(self) -> Result:
        """Fetch the pages that no other task has finished.

        :raises ProtocolError: when the pages of a job do not add up to its result, or jobs differ in their columns.
        """
        results = [self._proved(each) for each in self._jobs]
        first, *others = results
        if not others:
            return first
        if any(each.columns != first.columns for each in others):
            raise ProtocolError(f"the results of {self.origin.title} differ in their columns")
        rounded: Counter[str] = Counter()
        for each in results:
            rounded.update(each.rounded)
        counts = [each.counted for each in results if each.counted is not None]
        return Result(
            parts=tuple(part for each in results for part in each.parts),
            declared=sum(each.declared for each in results),
            counted=sum(counts) if len(counts) == len(results) else None,
            columns=first.columns,
            rounded=dict(rounded),
            api_calls=sum(each.api_calls for each in results),
            jobs=tuple(
                {"id": rows.origin.stem, "soql": rows.soql, "records": _records(result)}
                for rows, result in zip(self._jobs, results, strict=True)
            ),
        )

    def kept_in(self, columns: tuple[Column, ...]) -> JoinedRows:
        """The same rows, to be kept in columns of other types.

        :param columns: of the same names, in the same order.
        """
        return JoinedRows([each.kept_in(columns) for each in self._jobs], verify=self._verify)

    def _proved(self, rows: JobRows) -> Result:
        """The result of one job. Of several, each must be whole: too many rows of one could hide what another lacks."""
        result = rows.fetch()
        if len(self._jobs) > 1 and self._verify and result.counted != _records(result):
            raise ProtocolError(
                f"{rows.origin.title} is not complete: {counted(_records(result), 'row')} in its parts, and Salesforce "
                f"counted {result.counted}. If Salesforce's own figure is known to differ for this query, "
                "verify_job_count=False records it instead."
            )
        return result


def _records(result: Result) -> int:
    return sum(part.records for part in result.parts)
