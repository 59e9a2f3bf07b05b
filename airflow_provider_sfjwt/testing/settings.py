"""What a test may change about an org while it runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Generic, Protocol, TypeVar

_T = TypeVar("_T")


@dataclass
class Settings:
    """Settings of the org, read anew by every request. ``SimulatedOrg`` has each of them as an attribute.

    :param rest_page_size: rows of a REST query page.
    :param bulk_page_size: rows of a Bulk result page.
    :param bulk_polls: number of GETs of a job that answer InProgress before JobComplete; 0: complete at once.
    :param daily_api_requests: calls before REQUEST_LIMIT_EXCEEDED.
    :param daily_bulk_query_jobs: Bulk query jobs before the org refuses more.
    :param daily_bulk_batches: internal batches of loads before the org processes no more rows.
    :param beyond_allocation: what becomes of the rows past it: ``lost`` (no result set has them) or ``unprocessed``.
    :param bulk_batch_rows: rows of an internal batch of a load; what a batch has saved stays saved.
    :param bulk_poll_seconds: a poll of a load begins no batch after this many seconds, so a very large load takes
        more polls.
    :param bulk_upload_bytes: largest size of a load's data, in base64 as Salesforce measures it.
    :param refuse_second_upload: a second PUT of data is refused; False: it is taken, and closing the job is refused.
    :param hard_delete_allowed: whether the user has the permission Bulk API Hard Delete.
    :param api_enabled: whether the user has the permission API Enabled; False: every call is refused.
    :param view_setup: whether the user has the permission View Setup and Configuration.
    :param view_all_data: whether the user has the permission View All Data. It changes no query: there is no sharing.
        Without it, change events may be read of ``view_all_objects`` alone.
    :param view_all_objects: names of objects on which the user has View All.
    :param gzip: answer compressed where the client accepts it.
    :param session_seconds: seconds that an unused access token lives.
    :param permitted_users: the app's policy: ``admin`` (users are approved by an admin) or ``self``.
    :param user_approved: whether the user may use the app.
    :param user_active: False: the user is deactivated.
    :param ip_restricted: True: log-ins from here are refused.
    :param org_locked: True: the org takes no log-ins.
    :param app_installed: False: the app is unknown here, as after a sandbox refresh.
    :param login_rate: token exchanges an hour; None: no limit.
    :param jwt_access_tokens: tokens are JWTs instead of opaque texts.
    :param clock_offset: seconds by which the org's clock is ahead of this machine's.
    :param time_zone: of the user, IANA name: where days begin for date literals and ``convertTimezone()``.
    :param fiscal_year_start_month: calendar month in which the fiscal year begins, 1 to 12.
    :param currency_rates: units of each currency for one of the first, which is the org's and the user's.
    :param uncounted_objects: names of objects whose REST queries answer ``totalSize`` -1, as those of big objects do.
    :param replicated_ids: ids that the resources ``deleted`` and ``updated`` give before EXCEEDED_ID_LIMIT.
    :param in_flight_since: start of a transaction that still runs; ``latestDateCovered`` does not pass it. None: none.
    """

    rest_page_size: int = 2000
    bulk_page_size: int = 100_000
    bulk_polls: int = 1
    daily_api_requests: int = 100_000
    daily_bulk_query_jobs: int = 10_000
    daily_bulk_batches: int = 15_000
    beyond_allocation: str = "lost"
    bulk_batch_rows: int = 10_000
    bulk_poll_seconds: float = 3.0
    bulk_upload_bytes: int = 150_000_000
    refuse_second_upload: bool = True
    hard_delete_allowed: bool = False
    api_enabled: bool = True
    view_setup: bool = True
    view_all_data: bool = True
    view_all_objects: Collection[str] = ()
    gzip: bool = True
    session_seconds: int = 7200
    permitted_users: str = "admin"
    user_approved: bool = True
    user_active: bool = True
    ip_restricted: bool = False
    org_locked: bool = False
    app_installed: bool = True
    login_rate: int | None = None
    jwt_access_tokens: bool = False
    clock_offset: float = 0.0
    time_zone: str = "UTC"
    fiscal_year_start_month: int = 1
    currency_rates: Mapping[str, float] = field(default_factory=lambda: {"USD": 1.0, "EUR": 0.9, "JPY": 150.0})
    uncounted_objects: Collection[str] = ()
    replicated_ids: int = 600_000
    in_flight_since: datetime | None = None

    def now(self) -> datetime:
        """Return the org's time, UTC."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.clock_offset)


class HasSettings(Protocol):
    """What shows its settings as attributes of its own."""

    _settings: Settings


class Setting(Generic[_T]):
    """An attribute that is read from and written to the settings of its object."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, found: HasSettings | None, owner: type) -> _T:
        value: _T = getattr(Settings() if found is None else found._settings, self._name)
        return value

    def __set__(self, found: HasSettings, value: _T) -> None:
        setattr(found._settings, self._name, value)
