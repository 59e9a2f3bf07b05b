"""Extras in every form in which backends deliver them, and what is meant by those that nobody reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned, local_path
from airflow_provider_sfjwt.salesforce.auth.extras import LABELS, decode_extra, may_be_secret, meant_by, unread_extras

EXTRAS = {"consumer_key": "3MVG9abc", "http_timeout": 30}


@pytest.mark.parametrize(
    "extra", [EXTRAS, json.dumps(EXTRAS), json.dumps(json.dumps(EXTRAS)), f"\ufeff{json.dumps(EXTRAS)}"]
)
def test_extras_are_decoded(extra: Any) -> None:
    assert decode_extra(extra) == EXTRAS


@pytest.mark.parametrize("extra", [None, "", "  ", "null", {}, "{}", '""', '"  "'])
def test_nothing_is_no_extras(extra: Any) -> None:
    assert decode_extra(extra) == {}


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('{"a": 1,}', "is not JSON (line 1, column "),  # 9, or 8 from Python 3.13 on
        ("{'a': 1}", "is not JSON (line 1, column 2)"),
        ("[1]", "is JSON but not an object"),
        ("3", "is JSON but not an object"),
        (json.dumps("{'secret': 1}"), "is not JSON (line 1, column 2)"),
    ],
)
def test_extras_that_cannot_be_decoded_are_said_without_their_content(extra: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"is (not JSON|JSON but)") as caught:
        decode_extra(extra)
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)


def test_every_field_is_known_by_its_own_name_in_any_spelling() -> None:
    for name in LABELS:
        assert meant_by(name) == name
        assert meant_by(name.replace("_", "-").upper()) == name


def test_an_extra_that_nobody_needs_is_said() -> None:
    assert unread_extras(["security_token"]) == ("'security_token' is not read; signing in by key does not need it",)


def test_a_file_address_is_a_path_of_this_machine() -> None:
    for address in ("file:///keys/a%20b.key", "file://localhost/keys/a%20b.key", "FILE:/keys/a%20b.key"):
        assert local_path(address) == Path("/keys/a b.key")
    with pytest.raises(ValueError, match="names another machine"):
        local_path("file://nas/keys/a.key")


def test_names_that_mean_nothing_here_are_left_alone() -> None:
    assert meant_by("team") is None
    assert meant_by("refresh_token") is None
    assert unread_extras(LABELS) == tuple(
        f"'{name}' is not read as an extra; {LABELS[name]} (the field '{name}') is meant"
        for name in ("login", "host", "password", "port")
    )


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("private_key_passphrase", True),
        ("client_secret", True),
        ("api_token", True),
        ("proxies", True),
        ("team", False),
    ],
)
def test_what_may_be_secret_is_told_by_its_name(name: str, secret: bool) -> None:
    assert may_be_secret(name) is secret


@pytest.mark.parametrize(("entered", "text"), [("'a'", "a"), ("a'", "a'"), ("''", ""), ("“‘a’”", "a"), ("'", "'")])
def test_quotes_are_removed_in_pairs(entered: str, text: str) -> None:
    assert cleaned(entered) == text


def test_a_home_that_is_not_there_is_left_in_the_path() -> None:
    assert str(local_path("~nobody-of-this-name/key.pem")) == "~nobody-of-this-name/key.pem"


@pytest.mark.parametrize("extra", ["[" * 100_000, '{"http_timeout": ' + "1" * 10_000 + "}"])
def test_json_that_python_cannot_hold_is_said(extra: str) -> None:
    with pytest.raises(ValueError, match="nests too deep, or holds a number of thousands of digits"):
        decode_extra(extra)
