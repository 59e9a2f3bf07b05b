"""Whatever is wrong with a connection, the doctor says what it is, which setting to change and where."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair, make_key_pair
from airflow_provider_sfjwt.testing import Fault, SimulatedOrg
from tests.doctor.checkups import TOKEN, checkup, exchanges, last, refusal, steps

NAMES = ["fields", "key", "certificate", "clock", "host", "exchange", "identity", "API limit"]


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    """Another key than the org's, and its certificate."""
    return make_key_pair()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


class TestAGoodConnection:
    def test_passes_every_step_and_signs_in_once(self, org: SimulatedOrg) -> None:
        taken = steps(org)
        assert list(taken) == NAMES
        assert all(step.passed for step in taken.values())
        assert [step.mark for step in taken.values()] == ["ok", "ok", "skipped", "ok", "ok", "ok", "ok", "ok"]
        assert exchanges(org) == 1
        assert taken["identity"].detail == (
            f"User {org.username} ({org.user_id}) of org {org.org_id} at {org.url}, scopes id api; "
            "API 67.0 is used, the org's newest is 68.0"
        )
        assert taken["API limit"].detail == "99,999 of 100,000 API calls left today"

    def test_is_told_in_one_sentence(self, org: SimulatedOrg) -> None:
        passed, sentence = checkup(org).verdict()
        assert passed
        assert sentence == (
            f"Signed in as {org.username} to org {org.org_id} at {org.url}, API 67.0; "
            "99,999 of 100,000 API calls left today."
        )

    def test_needs_no_identity_scope(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="/services/oauth2/userinfo", status=403, body="Bad_OAuth_Token"))
        assert f"User {org.username} ({org.user_id}) of org {org.org_id}" in steps(org)["identity"].detail

    def test_may_have_limits_that_salesforce_does_not_tell(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="*/limits", edit_json=lambda limits: {}, times=None))
        assert steps(org)["API limit"].mark == "skipped"
        assert checkup(org).verdict()[1].endswith("API 67.0.")


class TestFieldsAndKey:
    def test_all_faults_of_the_fields_come_at_once(self, org: SimulatedOrg) -> None:
        step = last(org, {"consumer_key": None, "http_timeout": "soon"}, login="")
        assert step.name == "fields"
        assert all(label in step.detail for label in ("Username: ", "Consumer key: ", "HTTP timeout: "))
        assert "of connection 'sf'" in step.remedy
        assert not org.requests

    def test_a_file_without_authorities_is_a_fault_of_the_fields_too(self, org: SimulatedOrg, tmp_path: Path) -> None:
        bundle = tmp_path / "authorities.pem"
        bundle.write_text("none")
        step = last(org, {"ca_bundle": str(bundle)})
        assert (step.name, step.mark) == ("fields", "failed")
        assert step.detail.startswith("CA bundle: ")

    def test_a_key_that_is_none_is_a_step_of_its_own(self, org: SimulatedOrg) -> None:
        taken = steps(org, {"private_key": "no key"})
        assert [step.mark for step in taken.values()] == ["ok", "failed"]
        assert taken["key"].detail.startswith("Private key: ")

    def test_a_repaired_key_is_warned_of(self, org: SimulatedOrg) -> None:
        step = steps(org, {"private_key": org.private_key.replace("\n", "\\n")})["key"]
        assert step.mark == "warning"
        assert "repaired on reading: escape sequences stood for characters" in step.detail

    def test_the_key_of_a_ring_that_served_is_named(self, org: SimulatedOrg, pair: KeyPair) -> None:
        first = steps(org, {"private_key": org.private_key + pair.private_key})
        assert first["key"].detail.endswith("; tried in this order")
        assert "with key 1 of 2, SHA256:" in first["exchange"].detail
        assert first["exchange"].mark == "ok"
        second = steps(org, {"private_key": pair.private_key + org.private_key})
        served = read_certificate(org.certificate).fingerprint
        assert f"with key 2 of 2, {served}" in second["exchange"].detail
        assert second["exchange"].mark == "warning"
        assert second["exchange"].remedy.startswith("Put that key first")

    def test_an_entry_of_a_key_store_is_named_by_its_alias(self, org: SimulatedOrg) -> None:
        import base64

        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            load_pem_private_key,
            pkcs12,
        )

        key = load_pem_private_key(org.private_key.encode(), None)
        certificate = x509.load_pem_x509_certificate(org.certificate.encode())
        encryption = BestAvailableEncryption(b"passphrase")
        store = pkcs12.serialize_key_and_certificates(b"acme", key, certificate, None, encryption)  # type: ignore[arg-type]
        taken = steps(org, {"private_key": base64.b64encode(store).decode()}, password="passphrase")
        assert "RSA 2048 bits, alias acme, SHA256:" in taken["key"].detail
        assert taken["API limit"].passed


class TestCertificate:
    def test_one_that_belongs_to_the_key_is_shown_with_its_end(self, org: SimulatedOrg) -> None:
        step = steps(org, {"certificate": org.certificate})["certificate"]
        assert step.mark == "ok"
        assert "CN=sfjwt simulated org, SHA256:" in step.detail
        assert "it belongs to the key" in step.detail

    def test_one_of_another_key_fails_before_anything_is_sent(self, org: SimulatedOrg, pair: KeyPair) -> None:
        step = last(org, {"certificate": pair.certificate})
        assert (step.name, step.mark, step.setup_page) == ("certificate", "failed", "External Client App Manager")
        assert read_certificate(pair.certificate).fingerprint in step.detail
        assert read_certificate(org.certificate).fingerprint in step.detail
        assert not org.requests

    def test_a_file_wins_over_the_field(self, org: SimulatedOrg, pair: KeyPair) -> None:
        taken = steps(org, {"certificate": pair.certificate}, certificate=org.certificate.encode())
        assert taken["certificate"].mark == "ok"

    def test_what_is_no_certificate_is_said_by_its_source(self, org: SimulatedOrg) -> None:
        assert last(org, {"certificate": "none"}).detail.startswith("Certificate: this is not a certificate")
        assert last(org, certificate=b"none").detail.startswith("--certificate: this is not a certificate")

    @pytest.mark.parametrize(
        ("begins", "days", "mark", "said"),
        [
            (-400, 365, "failed", "The certificate ended on "),
            (2, 365, "failed", "The certificate is not valid before "),
            (-346, 365, "warning", "in 18 days"),
        ],
    )
    def test_its_dates_are_judged(self, org: SimulatedOrg, begins: int, days: int, mark: str, said: str) -> None:
        own = make_key_pair(days=days, now=datetime.now(timezone.utc) + timedelta(days=begins))
        org.register_certificate(own.certificate)
        step = steps(org, {"private_key": own.private_key, "certificate": own.certificate})["certificate"]
        assert step.mark == mark
        assert said in step.detail
        assert "airflow-salesforce-jwt keygen" in step.remedy


class Dateless(BaseHTTPRequestHandler):
    """Answers everything with nothing, and does not say when."""

    def do_GET(self) -> None:
        self.send_response_only(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing."""


@pytest.fixture
def dateless() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Dateless) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class TestClockAndHost:
    @pytest.mark.parametrize(
        ("offset", "mark", "said"),
        [
            (0.0, "ok", "Within a second of Salesforce's"),
            (30.0, "ok", "s behind Salesforce's"),
            (100.0, "warning", "s behind Salesforce's"),
            (-100.0, "warning", "s ahead of Salesforce's"),
            (400.0, "failed", "s behind Salesforce's"),
            (-400.0, "failed", "s ahead of Salesforce's"),
        ],
    )
    def test_the_clocks_are_compared_before_anybody_signs_in(
        self, org: SimulatedOrg, offset: float, mark: str, said: str
    ) -> None:
        org.clock_offset = offset
        taken = steps(org)
        assert taken["clock"].mark == mark
        assert said in taken["clock"].detail
        assert ("NTP" in taken["clock"].remedy) is (mark != "ok")
        assert exchanges(org) == (0 if mark == "failed" else 1)

    def test_without_a_date_they_are_not(self, org: SimulatedOrg, dateless: str) -> None:
        taken = steps(org, host=dateless)
        assert taken["clock"].mark == "skipped"
        assert taken["host"].passed
        assert "Something other than Salesforce answers" in taken["exchange"].detail

    def test_any_answer_tells_the_time(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="/services/data/", status=404))
        assert steps(org)["clock"].mark == "ok"

    @pytest.mark.parametrize(
        ("host", "extra", "said"),
        [
            ("http://127.0.0.1:9", {}, "127.0.0.1:9 refuses the connection"),
            ("https://no-such-host.invalid", {}, "name no-such-host.invalid is not known"),
            ("https://acme.my.salesforce.com", {"proxy": "http://u:hidden-pw@127.0.0.1:9"}, "127.0.0.1:9, the proxy in field Proxy, ref"),
            ("https://acme.my.salesforce.com", {"proxy": "{url}"}, "lets nobody through to acme.my.salesforce.com"),
            ("{url}", {"http_timeout": 0.05}, "does not answer"),
            ("https{url}", {}, "does not speak TLS"),
        ],
    )  # fmt: skip
    def test_what_is_in_the_way_is_told_apart(self, org: SimulatedOrg, host: str, extra: Any, said: str) -> None:
        org.add_fault(Fault(path="/services/data/", delay=0.3, times=2))
        host = host.replace("https{url}", org.url.replace("http:", "https:")).replace("{url}", org.url)
        extra = {name: org.url if value == "{url}" else value for name, value in extra.items()}
        taken = list(checkup(org, extra, host=host, port=None).findings())
        assert [step.name for step in taken[-2:]] == ["clock", "host"]
        assert taken[-2].mark == "skipped"
        assert said in taken[-1].detail
        assert "Proxy" in taken[-1].remedy or "Login URL" in taken[-1].remedy
        assert "hidden-pw" not in str(taken)

    def test_a_certificate_that_is_not_trusted(self) -> None:
        with SimulatedOrg(records={}, tls=True) as org:
            step = last(org, {"ca_bundle": None})
            assert "shows a TLS certificate of an authority that is not trusted here" in step.detail
            assert "CA bundle" in step.remedy
            assert last(org).passed

    def test_a_connection_that_breaks(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path=TOKEN, reset=True, times=None))
        step = last(org)
        assert step.name == "exchange"
        assert f"connection to {org.url.removeprefix('http://')} broke" in step.detail
        assert exchanges(org) == 2

    def test_nobody_waits_as_long_as_a_server_asks(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="/services/data/", status=503, headers={"Retry-After": "3600"}))
        waited: list[float] = []
        examined = checkup(org, sleep=waited.append)
        assert examined.verdict()[0]
        assert waited == [5.0]

    def test_one_outage_that_passes_is_borne(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path=TOKEN, reset=True))
        assert last(org).passed


class TestAfterTheExchange:
    def test_a_session_that_is_dead_at_once_is_not_made_again(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="*/limits", expire_session=True))
        step = last(org)
        assert step.detail.startswith("The session is dead at once")
        assert step.setup_page == "Session Settings"
        assert exchanges(org) == 1

    def test_an_expired_session_while_the_identity_is_asked(self, org: SimulatedOrg) -> None:
        body = '[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]'
        org.add_fault(Fault(path="/services/oauth2/userinfo", status=401, body=body, times=None))
        assert last(org).setup_page == "Session Settings"

    def test_an_api_version_that_the_org_does_not_have(self, org: SimulatedOrg) -> None:
        step = last(org, {"api_version": "31.0"})
        assert step.detail == "The org does not offer API version 31.0, but 58.0 to 68.0"
        assert last(org, {"api_version": "31.0"}, api_version="60.0").passed

    def test_versions_that_nobody_understands(self, org: SimulatedOrg) -> None:
        org.add_fault(Fault(path="/services/data/", nth=2, edit_json=lambda versions: "none"))
        assert last(org, {"api_version": "60.0"}).passed

    def test_an_answer_that_is_not_salesforces(self, org: SimulatedOrg) -> None:
        org.add_fault(
            Fault(path="/services/data/", nth=2, status=200, body="<html>", headers={"Content-Type": "text/html"})
        )
        step = last(org)
        assert (step.name, step.mark) == ("identity", "failed")
        assert step.remedy.endswith("check Proxy and Login URL.")

    def test_a_user_without_the_api(self, org: SimulatedOrg) -> None:
        body = '[{"errorCode":"API_CURRENTLY_DISABLED","message":"API is currently disabled for this user"}]'
        org.add_fault(Fault(path="*/limits", status=403, body=body))
        step = last(org)
        assert step.setup_page == "Permission Sets"
        assert "'API Enabled'" in step.remedy

    def test_few_calls_left_are_a_warning_and_none_a_failure(self, org: SimulatedOrg) -> None:
        org.api_calls = 95_000
        assert last(org).mark == "warning"
        org.daily_api_requests = 10
        step = last(org)
        assert (step.mark, step.setup_page) == ("failed", "Company Information")
        assert step.said == "REQUEST_LIMIT_EXCEEDED"


class TestOtherAudiences:
    WRONG = {"audience": "https://wrong.example.com"}  # noqa: RUF012

    def test_are_not_tried_unless_asked_for(self, org: SimulatedOrg) -> None:
        assert last(org, self.WRONG).name == "exchange"
        assert exchanges(org) == 1

    def test_the_one_that_salesforce_accepts_is_named(self) -> None:
        with SimulatedOrg(records={}, sandbox=True) as org:
            step = last(org, self.WRONG, try_audiences=True)
            assert step.detail == (
                "Salesforce accepts the audience https://test.salesforce.com (2 more rows in the user's login history)"
            )
            assert step.remedy == "Set Audience in the connection to https://test.salesforce.com"
            assert exchanges(org) == 3
            step = last(org, {"audience": "https://login.salesforce.com"}, try_audiences=True)
            assert "(1 more row in the user's login history)" in step.detail

    def test_the_field_is_emptied_where_the_default_fits(self, org: SimulatedOrg) -> None:
        step = last(org, self.WRONG, try_audiences=True)
        assert "(1 more row in the user's login history)" in step.detail
        assert step.remedy == "Empty Audience in the connection"

    def test_one_that_only_leads_to_the_next_refusal_is_told_with_it(self, org: SimulatedOrg) -> None:
        org.approve(False)
        step = last(org, self.WRONG, try_audiences=True)
        assert "login.salesforce.com, but refuses the sign-in for another reason (invalid_app_access" in step.detail

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (refusal("invalid_grant", "login rate exceeded"), "no further sign-in for the moment"),
            (Fault(path=TOKEN, reset=True, times=None), "connection"),
            (Fault(path=TOKEN, status=400, body='{"error":"invalid_grant","error_description":"audience is invalid"}', times=None), "accepts no other audience either (3 more rows"),
        ],
    )  # fmt: skip
    def test_the_tries_end_early(self, org: SimulatedOrg, fault: Fault, said: str) -> None:
        org.add_fault(refusal("invalid_grant", "audience is invalid"))
        org.add_fault(replace(fault, nth=2))
        step = last(org, self.WRONG, try_audiences=True)
        assert (step.name, step.mark) == ("audiences", "failed")
        assert said in step.detail


def test_no_secret_is_ever_shown(org: SimulatedOrg, pair: KeyPair) -> None:
    encrypted = make_key_pair(passphrase="canary-passphrase")
    org.register_certificate(encrypted.certificate)
    secrets = {
        "private_key": encrypted.private_key,
        "consumer_secret": "canary-secret",
        "certificate": encrypted.certificate,
    }
    shown = []
    for extra in ({}, {"audience": "x"}, {"private_key": pair.private_key}, {"certificate": pair.private_key}):
        for password in ("canary-passphrase", "canary-wrong"):
            examined = checkup(org, secrets | extra, password=password, try_audiences=True)
            shown += [json.dumps([asdict(step), step.sentence(), repr(step)]) for step in examined.findings()]
            shown.append(str(examined.verdict()))
    canaries = [
        *encrypted.private_key.splitlines()[1:-1],
        *pair.private_key.splitlines()[1:-1],
        "canary-",
        "00D5e0000000001!",
    ]
    assert not [canary for canary in canaries if canary in "".join(shown)]
    assert any("API calls left" in text for text in shown)
