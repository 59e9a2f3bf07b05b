"""The pool in Airflow that the tasks of one org share: how many slots it has, and why."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_sfjwt.doctor.verdicts import Finding, failed, verdict_on, warned
from airflow_provider_sfjwt.exceptions import ConfigurationError, SalesforceError
from airflow_provider_sfjwt.salesforce.api import query
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

#: Makes a pool of a name, with slots and a description; returns the slots of one that was there, else None.
MakePool = Callable[[str, int, str], int | None]

#: Calls of 20 seconds or more that may run at once in an org, and in a Developer Edition or a trial.
#: https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-api.html
_LONG_CALLS, _LONG_CALLS_OF_A_TRIAL = 25, 5
#: How many of them Airflow's tasks take at most.
_SHARE = 0.6
_STEP = "pool"
_ORGANIZATION = "SELECT Id, OrganizationType, IsSandbox, TrialExpirationDate FROM Organization"


def pool_finding(org: ConnectedOrg, make: MakePool) -> Finding:
    """Make the pool, where there is none of its name, and explain it.

    :param org: that the user is signed in to.
    :param make: makes it.
    """
    try:
        (found,) = org.run(query.first_page, _ORGANIZATION).records
    except SalesforceError as error:
        return verdict_on(_STEP, error, None)
    is_small = not found["IsSandbox"] and bool(
        found["OrganizationType"] == "Developer Edition" or found["TrialExpirationDate"]
    )
    allowed = _LONG_CALLS_OF_A_TRIAL if is_small else _LONG_CALLS
    name, slots = f"salesforce_{found['Id']}", int(allowed * _SHARE)
    kind = "a Developer Edition or a trial" if is_small else "a production org or a sandbox"
    reason = (
        f"Salesforce lets {allowed} calls of 20 seconds or more run at once in {kind}, and takes no call beyond. With "
        f"one of them a task, {slots} slots leave {allowed - slots} to the org's other users"
    )
    try:
        there = make(name, slots, f"Salesforce org {found['Id']}: {reason}.")
    except ConfigurationError as error:
        return failed(_STEP, f"Pool {name} was not made. {error}")
    use = f"Give pool='{name}' to the tasks of this org; a deferred task gives its slot back"
    if there is None:
        return Finding(_STEP, True, f"Pool {name} with {slots} slots was made. {reason}. {use}")
    detail = f"Pool {name} is there with {there} slots, and stays as it is. {reason}. {use}"
    if there > slots:
        return warned(_STEP, detail, f"airflow pools set {name} {slots} 'one org', or leave it so")
    return Finding(_STEP, True, detail)
