"""An Airflow whose settings change while it lives."""

from __future__ import annotations

from collections.abc import Mapping

from tests.local_airflow.processes import ChildProcess, stop_all
from tests.local_airflow.stack import COMPONENTS, LocalAirflow

#: The processes that read connections for tasks and triggers: LocalExecutor's workers are children of the scheduler.
_READERS = ("scheduler", "triggerer")


class ReconfiguredAirflow(LocalAirflow):
    """A running Airflow, of which the workers and the triggerer can be started anew with other variables.

    One Airflow can have one custom secrets backend at a time, and a whole new one takes three times as long to come up.
    """

    _times = 0

    def reconfigure(self, env: Mapping[str, str]) -> None:
        """End scheduler and triggerer, and start them with further variables.

        :param env: the variables, until the next time.
        """
        kept = [child for child in self._children if child.name not in _READERS]
        stop_all([child for child in self._children if child.name in _READERS])
        self._children = kept
        self._times += 1
        for name in _READERS:
            log = self.home.logs / "components" / f"{name}-{self._times}.log"
            command = self.home.command(*COMPONENTS[name])
            self._children.append(ChildProcess(name, command, env={**self.home.env, **env}, log=log))
