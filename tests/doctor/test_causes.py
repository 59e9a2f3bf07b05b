"""Every cause of a refused sign-in has a verdict that says more than Salesforce does; ``-s`` prints them as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_sfjwt.salesforce.auth.diagnosis import CAUSES
from airflow_provider_sfjwt.salesforce.auth.key_pair import make_key_pair
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.doctor.checkups import TOKEN, exchanges, last, refusal


def page(status: int, title: str) -> Fault:
    body = f"<html><head><title>{title}</title></head></html>"
    return Fault(path=TOKEN, status=status, body=body, headers={"Content-Type": "text/html"}, times=None)


def switch(**values: Any) -> Callable[[SimulatedOrg], None]:
    return lambda org: [setattr(org, name, value) for name, value in values.items()] and None


#: Every cause of a refused sign-in: how it is brought about, what Salesforce then says, and the page of Setup.
APPS, HISTORY = "External Client App Manager", "Login History"
CASES: list[tuple[str, Callable[[SimulatedOrg], Any], dict[str, Any], str]] = [
    ("user hasn't approved this consumer", switch(permitted_users="self", user_approved=False), {}, APPS),
    ("user hasn't approved this consumer", switch(), {"login": "nobody@example.com"}, APPS),
    ("user is not admin approved", switch(user_approved=False), {}, APPS),
    ("audience is invalid", switch(), {"audience": "https://test.salesforce.com"}, "My Domain"),
    ("audience is invalid", switch(), {"audience": "https://login.salesforce.com/"}, "My Domain"),
    ("invalid assertion", lambda org: org.register_certificate(make_key_pair().certificate), {}, APPS),
    ("expired authorization code", lambda org: org.add_fault(refusal("invalid_grant", "expired authorization code")), {}, HISTORY),
    ("behind Salesforce's", switch(clock_offset=400), {}, ""),
    ("client identifier invalid", switch(), {"consumer_key": "3MVG9other"}, APPS),
    ("invalid client credentials", lambda org: org.add_fault(refusal("invalid_client", "invalid client credentials")), {}, APPS),
    ("grant type not supported", lambda org: org.add_fault(refusal("unsupported_grant_type", "grant type not supported")), {}, "My Domain"),
    ("must provide assertion", lambda org: org.add_fault(refusal("invalid_request", "must provide assertion")), {}, HISTORY),
    ("refresh_token scope is required", lambda org: org.add_fault(refusal("invalid_request", "refresh_token scope is required")), {}, APPS),
    ("not installed in this org", switch(app_installed=False), {}, APPS),
    ("ip restricted", switch(ip_restricted=True), {}, "Profiles"),
    ("login rate exceeded", switch(login_rate=0), {}, HISTORY),
    ("inactive_user", switch(user_active=False), {}, "Users"),
    ("inactive_org", switch(org_locked=True), {}, "Company Information"),
    ("rate_limit_exceeded", lambda org: org.add_fault(refusal("rate_limit_exceeded", "too many logins")), {}, HISTORY),
    ("authentication failure", lambda org: org.add_fault(refusal("invalid_grant", "authentication failure")), {}, HISTORY),
    ("brand_new", lambda org: org.add_fault(refusal("brand_new", "never seen before")), {}, HISTORY),
    ("Data Not Available", lambda org: org.add_fault(page(200, "Data Not Available")), {}, ""),
    ("Data Not Available", lambda org: org.add_fault(page(500, "Data Not Available")), {}, ""),
    ("http_503", lambda org: org.add_fault(page(503, "Down")), {}, ""),
    ("http_502", lambda org: org.add_fault(page(502, "Bad Gateway")), {}, ""),
    ("http_420", lambda org: org.add_fault(page(420, "Slow down")), {}, ""),
    ("http_429", lambda org: org.add_fault(page(429, "Slow down")), {}, ""),
    ("http_302", lambda org: org.add_fault(page(302, "Sign in")), {}, "My Domain"),
]  # fmt: skip


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, str, str, str]]]:
    """Prints what the cases below put into it."""
    rows: list[tuple[str, str, str, str]] = []
    yield rows
    print("\n\nEach cause of a refused sign-in, and what the doctor says of it:")
    for cause, verdict, remedy, sentence in rows:
        print(f"\n· {cause}\n    ✗ {verdict}\n    Remedy: {remedy}\n    In one sentence: {sentence}")


@pytest.mark.parametrize(("said", "bring_about", "fields", "setup_page"), CASES, ids=[case[0] for case in CASES])
def test_every_cause_has_its_remedy(
    said: str,
    bring_about: Callable[[SimulatedOrg], Any],
    fields: dict[str, Any],
    setup_page: str,
    org: SimulatedOrg,
    table: list[tuple[str, str, str, str]],
) -> None:
    bring_about(org)
    login = {"login": fields["login"]} if "login" in fields else {}
    step = last(org, {name: value for name, value in fields.items() if name != "login"}, **login)
    sentence = step.sentence()
    where = f" — Setup → {step.setup_page}" if step.setup_page else ""
    table.append((said, f"{step.detail} ({step.said})", step.remedy + where, sentence))
    assert (step.mark, step.setup_page) == ("failed", setup_page)
    assert said in step.said or said in step.detail
    # None says only what Salesforce said: the cause comes first, and there is something to do.
    cause = step.detail
    assert len(cause.split()) >= 5
    assert said not in cause or said.startswith("behind")
    assert len(step.remedy.split()) >= 4
    assert "\n" not in sentence
    assert sentence.startswith(cause)
    assert len(sentence) <= 300
    assert exchanges(org) <= 2
    assert org.logins == 0


def test_every_cause_that_is_known_has_its_short_remedy() -> None:
    assert all(10 < len(cause.short) < 130 for cause in CAUSES)
