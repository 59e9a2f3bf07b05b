"""What a test scripts: faults of the network, ends of jobs, locks, validation and assignment rules."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from airflow_provider_sfjwt.testing.bulk.jobs import Ending, Jobs
from airflow_provider_sfjwt.testing.data.record_ids import canonical_id, record_id
from airflow_provider_sfjwt.testing.data.schema import Schema
from airflow_provider_sfjwt.testing.dml.row_faults import AssignmentRule, Predicate, Troubles, Where
from airflow_provider_sfjwt.testing.http.faults import Fault, FaultScript
from airflow_provider_sfjwt.testing.settings import Switches


class Scripted(Switches):
    """The part of an org by which a test lets things go wrong."""

    _faults: FaultScript
    _jobs: Jobs
    _schema: Schema
    _troubles: Troubles
    _rule_numbers: itertools.count[int]

    def approve(self, approved: bool = True) -> None:
        """Allow the user to use the app, or stop allowing it."""
        self.user_approved = approved

    def fail_next_job(self, message: str, kind: str = "query", after_batches: int = 0) -> None:
        """Let the next job that is created end as Failed with this errorMessage.

        :param kind: ``query`` or ``ingest``.
        :param after_batches: of a load: internal batches that are saved first, see ``bulk_batch_rows``.
        """
        self._jobs.endings.setdefault(kind, []).append(Ending("Failed", message, after_batches))

    def abort_next_job(self, kind: str = "query", after_batches: int = 0) -> None:
        """Let the next job that is created end as Aborted, as when an admin stops it.

        :param kind: ``query`` or ``ingest``.
        :param after_batches: of a load: internal batches that are saved first.
        """
        self._jobs.endings.setdefault(kind, []).append(Ending("Aborted", "", after_batches))

    def lock_records(self, sobject: str, where: Where = None, times: int | None = 1) -> None:
        """Let loads of matching records fail with UNABLE_TO_LOCK_ROW.

        :param where: values by field name (a list: any of them), or a function of the record as it would become,
            Python values by field name; None: every record.
        :param times: attempts that fail, for each record; None: all.
        :raises KeyError: for an unknown object.
        """
        self._troubles.lock(self._schema.get(sobject), where, times)

    def add_validation_rule(self, sobject: str, broken: Predicate, message: str, fields: Sequence[str] = ()) -> None:
        """Refuse to save records with FIELD_CUSTOM_VALIDATION_EXCEPTION.

        :param broken: true, as Salesforce's error condition formula is, for a record that may not be saved. It gets
            the record as it would become: Python values by field name.
        :param fields: API names of the fields that the error is shown at; none: at the top.
        :raises KeyError: for an unknown object.
        """
        self._troubles.add_rule(self._schema.get(sobject), broken, message, tuple(fields))

    def add_assignment_rule(self, sobject: str, owner: str, active: bool = True) -> str:
        """Give new records to a user: by ``assignmentRuleId`` of a load or the header ``Sforce-Auto-Assign``.

        :param owner: id of the user.
        :param active: whether it works for requests that name no rule.
        :return: the rule's id.
        :raises KeyError: for an unknown object.
        """
        made = AssignmentRule(record_id("01Q", next(self._rule_numbers)), canonical_id(owner) or owner, active)
        self._troubles.add_assignment(self._schema.get(sobject), made)
        return made.id

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong from now on, see :class:`Fault`."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Let everything go right again; locks, rules and scripted ends of jobs stay."""
        self._faults.clear()
