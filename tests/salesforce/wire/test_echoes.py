"""A secret that comes back is struck out, however it is written."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from airflow_provider_sfjwt.salesforce.wire.echoes import struck, without_echoes
from airflow_provider_sfjwt.salesforce.wire.flow import Request, Response

TOKEN = "00D5e000000abcd!AQ4AQFmx.pV3tG8wqk2_Jd9sLz7RrYc1uHn5oEb0iXyW6vT"
SECRET = 'p"ss/word+of & the <app>'
ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "as JSON": json.dumps,
    "for a URL": lambda text: quote(text, safe=""),
    "for a URL, in small letters": lambda text: quote(text, safe="").lower(),
    "for a URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "as HTML": html.escape,
    "in hexadecimal": lambda text: text.encode().hex(),
    "in hexadecimal capitals": lambda text: text.encode().hex().upper(),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in base64 after a word": lambda text: base64.b64encode(b"Bearer " + text.encode()).decode(),
    "in base64 after two": lambda text: base64.b64encode(b"x: Bearer " + text.encode() + b"&more").decode(),
    "in base64 after four": lambda text: base64.urlsafe_b64encode(b"tok=" + text.encode() + b"&").decode(),
    "cut short": lambda text: text[: len(text) - 9],
    "from its middle on": lambda text: text[9:],
}


def request(*secrets: str) -> Request:
    return Request("GET", "https://acme.my.salesforce.com/x", secrets=secrets)


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_an_echo_is_struck_out_in_any_encoding(encode: Callable[[str], str]) -> None:
    echo = encode(TOKEN)
    answer = without_echoes(request(TOKEN), Response(400, {"x-said": f"<{echo}>"}, f"before {echo} after".encode()))
    for text in (answer.body.decode(), answer.headers["x-said"]):
        assert "***" in text
        # What is left of a cut echo is less than a piece that is looked for.
        pieces = [echo[start : start + 24] for start in range(len(echo) - 23)]
        assert sum(piece in text for piece in pieces) == 0
    assert answer.body.startswith(b"before ")
    assert answer.body.endswith(b" after")


@pytest.mark.parametrize("encode", list(ENCODINGS.values())[:-2], ids=list(ENCODINGS)[:-2])
def test_a_secret_with_any_character_is_struck_out(encode: Callable[[str], str]) -> None:
    text = struck(f"x{encode(SECRET)}y", (SECRET,))
    assert "***" in text
    assert encode(SECRET)[3:-3] not in text


def test_several_echoes_leave_what_stands_between_them() -> None:
    assert (
        struck(f"{TOKEN} and {TOKEN}{TOKEN}, {TOKEN[:40]}.", (TOKEN, "other-secret"))
        == f"*** and ***, ***{TOKEN[24:40]}."
    )


def test_an_answer_without_an_echo_stays_the_same_object() -> None:
    answer = Response(400, {"date": "now"}, b"no echo")
    assert without_echoes(request(TOKEN), answer) is answer
    assert without_echoes(request(), answer) is answer


def test_what_is_too_short_for_a_secret_is_left() -> None:
    assert struck("a pass is a pass", ("pass", "")) == "a pass is a pass"
    assert struck("a phrase is one", ("phrase",)) == "a *** is one"


def test_of_a_large_good_answer_the_secret_as_it_was_sent_is_struck_out() -> None:
    rows = b"x" * 100_000
    answer = without_echoes(request(TOKEN), Response(200, {}, rows + TOKEN.encode() + rows))
    assert answer.body == rows + b"***" + rows
    same = Response(200, {}, rows)
    assert without_echoes(request(TOKEN), same) is same
