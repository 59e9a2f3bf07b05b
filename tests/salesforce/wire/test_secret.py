"""A secret shows itself to nobody, and sealed work lets no frame of its own out."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from airflow_provider_sfjwt.salesforce.wire.secret import Secret, asealed, hidden, sealed

CANARY = "canary-of-a-secret"


@dataclass(frozen=True)
class Holder:
    name: str
    key: hidden[str] = hidden("none")


@dataclass(frozen=True)
class Strict:
    key: hidden[str] = hidden()


def test_a_secret_is_shown_by_nothing() -> None:
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret}", repr([secret])):
        assert CANARY not in shown
    for save in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            save(secret)
    assert not hasattr(secret, "__dict__")


def test_secrets_are_compared_by_what_they_hide() -> None:
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("another")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY)}) == 1


def test_a_hidden_field_is_read_as_any_other_and_kept_as_a_secret() -> None:
    holder = Holder("a", CANARY)
    assert holder.key == CANARY
    assert replace(holder, name="b").key == CANARY
    assert Holder("a").key == "none"
    assert holder == Holder("a", CANARY)
    assert vars(holder)["key"] == Secret(CANARY)
    assert CANARY not in str(vars(holder))
    with pytest.raises(TypeError, match="key"):
        Strict()  # type: ignore[call-arg]
    assert Strict(CANARY).key == CANARY


def failing() -> str:
    secret = CANARY
    try:
        raise KeyError(secret)
    except KeyError:
        raise ValueError("what happened") from OSError(secret)


async def afailing() -> str:
    return failing()


def through_sealed(work: Callable[[], str]) -> BaseException:
    with pytest.raises(ValueError, match="what happened") as caught:
        sealed(work)
    return caught.value


def test_sealed_work_returns_and_raises_without_its_frames() -> None:
    assert sealed(lambda: CANARY) == CANARY
    error = through_sealed(failing)
    assert (error.__cause__, error.__context__) == (None, None)
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[-1] == "sealed"
    assert "failing" not in names


async def test_sealed_work_of_an_event_loop_does_the_same() -> None:
    async def fine() -> str:
        return CANARY

    assert await asealed(fine) == CANARY
    work: Callable[[], Awaitable[str]] = afailing
    with pytest.raises(ValueError, match="what happened") as caught:
        await asealed(work)
    assert caught.value.__context__ is None
    assert "failing" not in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, MemoryError])
def test_what_strikes_from_outside_leaves_without_frames_too(kind: type[BaseException]) -> None:
    def struck() -> None:
        raise kind

    with pytest.raises(kind) as caught:
        sealed(struck)
    assert "struck" not in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_an_error_loses_the_request_that_a_library_hung_on_it() -> None:
    class LibraryError(Exception):
        def __init__(self) -> None:
            super().__init__("what happened")
            self.request, self._request, self.response, self.other = CANARY, CANARY, CANARY, 1

    def failing_library() -> None:
        raise LibraryError

    with pytest.raises(LibraryError) as caught:
        sealed(failing_library)
    assert vars(caught.value) == {"request": None, "_request": None, "response": None, "other": 1}
