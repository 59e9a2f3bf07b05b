"""The API calls of its 24 hours that an org keeps for its other users."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from airflow_provider_sfjwt.exceptions import RequestLimitError


@dataclass(frozen=True)
class Reserve:
    """How many calls must be left.

    :param calls: their number.
    :param percent: the same as a share of the org's allocation; 0 where ``calls`` says it.
    """

    calls: int = 0
    percent: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.calls or self.percent)

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.percent else f"{self.calls}"

    def of(self, allowed: int | None) -> int:
        """How many calls it is.

        :param allowed: the org's allocation for 24 hours; None where it is not known yet.
        """
        return ceil((allowed or 0) * self.percent / 100) if self.percent else self.calls


@dataclass(frozen=True)
class Rule:
    """The stricter one of what a task and what Airflow's configuration leave to others.

    :param least: how many calls must be left.
    :param name: of what says so, with its value.
    :param remedy: what to do where fewer are left.
    """

    least: int
    name: str
    remedy: str

    @classmethod
    def stricter(cls, at_least: int | None, reserve: Reserve, allowed: int | None) -> Rule:
        """Choose it.

        :param at_least: a task's ``min_api_calls_left``; None for no such limit.
        :param reserve: of the configuration.
        :param allowed: the org's allocation for 24 hours; None where it is not known yet.
        """
        reserved = reserve.of(allowed)
        if reserved <= (at_least or 0):
            name = f"min_api_calls_left={at_least}"
            return cls(at_least or 0, name, "Run again later, or lower min_api_calls_left.")
        share = f" ({reserved})" if reserve.percent else ""
        remedy = "Run again later, or lower org_reserve in the section [salesforce_jwt] of Airflow's configuration."
        return cls(reserved, f"[salesforce_jwt] org_reserve={reserve}{share}", remedy)

    def broken(self, left: int | None, allowed: int | None, more: str = "") -> RequestLimitError:
        """The error where fewer calls are left.

        :param left: how many are; None for none.
        :param allowed: the org's allocation for 24 hours.
        :param more: what is needed besides, for the message.
        """
        counted = "no" if left is None else f"{left} of its {allowed}"
        return RequestLimitError(
            f"the org has {counted} API calls of 24 hours left, fewer than {self.name}{more}",
            remedy=self.remedy,
            setup_page="Company Information",
            status=403,
            method="GET",
            path="limits",
            retryable=True,
        )
