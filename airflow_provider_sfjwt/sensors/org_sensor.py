"""What the sensors have in common: who waits, how long, and what Airflow makes of the end."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator

from airflow_provider_sfjwt.compat import (
    AirflowSensorTimeout,
    AirflowSkipException,
    default_deferrable,
    settling_time,
)
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.tasks.errors import airflow_outcome, check_event

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sfjwt.arguments import OrgSpec
    from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
    from airflow_provider_sfjwt.triggers.org_trigger import OrgTrigger

#: Seconds between two pokes in the mode "reschedule", of which each signs in.
SHORTEST_RESCHEDULE = 60.0
#: What a template asks for that Airflow 3.3 does not have where it starts a task in the triggerer: the task would wait
#: for ever, or see nothing.
_NOT_IN_TRIGGERER = re.compile(r"xcom|\bti\b|task_instance|\bprev_|triggering_asset_events")


class OrgSensor(BaseSensorOperator):
    """Waits for something in an org.

    :param salesforce_conn_id: the connection.
    :param api_version: e.g. ``66.0``; None for the connection's, or else the newest.
    :param deferrable: whether the triggerer waits, without a worker slot and with one sign-in for all sensors. None:
        what ``[operators] default_deferrable`` says.
    :param start_from_trigger: whether the scheduler gives the task to the triggerer at once, without a worker.
    :raises ConfigurationError: for a sensor that cannot start in the triggerer as its author asked.
    """

    def __init__(
        self,
        *,
        salesforce_conn_id: str,
        api_version: str | None,
        deferrable: bool | None,
        start_from_trigger: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.salesforce_conn_id = salesforce_conn_id
        self.api_version = api_version
        self.deferrable = default_deferrable() if deferrable is None else deferrable
        self.start_from_trigger = start_from_trigger

    #: The dotted path of the trigger that waits.
    trigger_path: ClassVar[str]

    @property
    @abstractmethod
    def spec(self) -> OrgSpec:
        """The arguments with their checks."""

    @abstractmethod
    def trigger_arguments(self) -> dict[str, Any]:
        """What the trigger is made with."""

    @abstractmethod
    def look(self, org: ConnectedOrg) -> Any:
        """Look once.

        :param org: where.
        :return: the result of the task, or None while what is waited for is not there.
        """

    @abstractmethod
    def result(self, event: Mapping[str, Any]) -> Any:
        """The result of the task.

        :param event: what the trigger fired.
        :raises SalesforceError: when what was waited for ended badly.
        """

    def execute(self, context: Context) -> Any:
        """Wait on the worker, or leave it and let the triggerer wait.

        :param context: Airflow's.
        :return: what :meth:`result` says.
        """
        with airflow_outcome(self):
            self.spec.check()
            self._check_mode()
            if self.deferrable:
                self._defer(time.time() + self.timeout)
        return super().execute(context)

    def poke(self, context: Context) -> Any:
        """Look once, from the worker.

        :param context: Airflow's.
        """
        from airflow.sdk import PokeReturnValue

        from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

        with self._outcome(), SalesforceJwtHook(self.salesforce_conn_id, self.api_version).connect() as org:
            result = self.look(org)
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    def execute_complete(self, context: Context, event: Mapping[str, Any], deadline: float | None = None) -> Any:
        """Go on after the triggerer has waited.

        :param context: Airflow's.
        :param event: what the trigger fired.
        :param deadline: seconds since the epoch at which the waiting ends.
        :return: what :meth:`result` says.
        """
        if event["status"] == "timeout":
            raise AirflowSensorTimeout(event["message"])
        if event["status"] == "error" and event["retryable"] and self.silent_fail and deadline is not None:
            self.log.error("Looking failed, and the sensor goes on (silent_fail): %s", event["message"])
            self._defer(deadline)
        with self._outcome():
            check_event(event)
            return self.result(event)

    def _defer(self, deadline: float) -> NoReturn:
        from importlib import import_module

        module, _, name = self.trigger_path.rpartition(".")
        trigger: OrgTrigger = getattr(import_module(module), name)(
            **self.trigger_arguments(), deadline=deadline, not_before=time.time() + settling_time()
        )
        self.defer(trigger=trigger, method_name="execute_complete", kwargs={"deadline": deadline})
        raise RuntimeError("a task that defers does not go on")  # for the type checker: defer() raises

    @contextmanager
    def _outcome(self) -> Iterator[None]:
        """Errors as :func:`airflow_outcome` has them, but for a sensor that is skipped where it would fail for good."""
        try:
            with airflow_outcome(self):
                yield
        except SalesforceError as error:  # retryable, or kept for a retry_policy
            if self.never_fail or (self.soft_fail and not error.retryable):
                raise AirflowSkipException(str(error)) from None
            raise

    def _check_mode(self) -> None:
        """Warn of a sign-in at each poke, or refuse it where it would come too often.

        :raises ConfigurationError: for the mode "reschedule" with less than a minute between two pokes.
        """
        if self.deferrable or self.mode != "reschedule":
            return
        if self.poke_interval < SHORTEST_RESCHEDULE:
            raise ConfigurationError(
                {
                    "poke_interval": f"must be at least {SHORTEST_RESCHEDULE:g} s with mode='reschedule', where each "
                    "look is a process that signs in anew. Set deferrable=True, which signs in once for all sensors"
                },
                subject="the task",
            )
        self.log.warning(
            "mode='reschedule' starts a process and signs in to Salesforce at each poke. deferrable=True holds no "
            "worker slot either, and signs in once for all sensors."
        )

    def prepare_start_from_trigger(self) -> None:
        """Let the scheduler give the task to the triggerer, where its author asked for that.

        To be called last by the constructor: the scheduler reads it from the serialized DAG.

        :raises ConfigurationError: with what would not work there.
        """
        if not self.start_from_trigger:
            return
        from airflow.triggers.base import StartTriggerArgs

        if faults := self._faults_of_start():
            raise ConfigurationError(faults, subject=f"the task {self.task_id} with start_from_trigger=True")
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=self.trigger_path,
            next_method="execute_complete",
            trigger_kwargs=self.trigger_arguments(),
            # The scheduler counts from when it starts the task, which nobody here knows.
            timeout=timedelta(seconds=self.timeout),
        )

    def _faults_of_start(self) -> dict[str, str]:
        faults = {}
        for name in self.template_fields:
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                faults[name] = "must be text: another task's result is not there when the triggerer renders it"
            elif value is not None and ("{{" in value or "{%" in value) and (found := _NOT_IN_TRIGGERER.search(value)):
                faults[name] = (
                    f"uses '{found[0]}' in a template, which Airflow does not have in the triggerer: the task would "
                    "wait for ever or see nothing"
                )
            elif value is not None and value.endswith(tuple(self.template_ext)):
                faults[name] = "names a template file, which Airflow does not read in the triggerer; write it out"
        if self.silent_fail:
            faults["silent_fail"] = "needs a worker, which knows how much time is left"
        if self.execution_timeout is not None:
            faults["execution_timeout"] = "ends the waiting too, in this mode; give timeout alone"
        templated = {name for name in self.template_fields if "{" in str(getattr(self, name))}
        own = {name: fault for name, fault in self.spec.faults().items() if name not in templated}
        return {**own, **faults}
