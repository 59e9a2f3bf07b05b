"""An answer of a simulated org that is held back, so that something can happen meanwhile."""

from __future__ import annotations

from threading import Event

from airflow_provider_sfjwt.testing import Fault, SimulatedOrg


class HeldAnswer:
    """An answer that an org holds back until it is released. The request has been processed.

    :param org: the org.
    :param method: of the request.
    :param path: as :class:`Fault` takes it.
    :param nth: of the requests that come from now on.
    """

    def __init__(self, org: SimulatedOrg, method: str, path: str, nth: int) -> None:
        self._reached, self._released = Event(), Event()
        org.add_fault(Fault(method=method, path=path, nth=nth, edit_headers=self._hold))

    def is_reached(self) -> bool:
        """Whether somebody waits for it."""
        return self._reached.is_set()

    def wait_until_reached(self) -> None:
        """Until somebody waits for it."""
        assert self._reached.wait(60)

    def release(self) -> None:
        """Let it go."""
        self._released.set()

    def _hold(self, headers: dict[str, str]) -> dict[str, str]:
        self._reached.set()
        self._released.wait(600)
        return headers
