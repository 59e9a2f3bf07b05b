"""What a test scripts to go wrong: requests, ends of jobs, single records."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_sfjwt.testing.bulk.jobs import JobEndings
from airflow_provider_sfjwt.testing.dml.row_faults import RowFaults
from airflow_provider_sfjwt.testing.http.faults import FaultScript


@dataclass(frozen=True)
class Script:
    """The scripts of an org, each read by the part of the org that it concerns.

    :param requests: faults of the network and of answers.
    :param jobs: how jobs end.
    :param rows: locks, validation rules and assignment rules of records.
    """

    requests: FaultScript = field(default_factory=FaultScript)
    jobs: JobEndings = field(default_factory=JobEndings)
    rows: RowFaults = field(default_factory=RowFaults)
