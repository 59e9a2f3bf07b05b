"""A property that is computed once, as Python has it since 3.12."""

from __future__ import annotations

import threading

from airflow_provider_sfjwt.compat import cached_property


class Answer:
    """What is known once somebody has answered.

    :param answered: set by who answers.
    """

    def __init__(self, answered: threading.Event) -> None:
        self.asked = threading.Event()
        self.times = 0
        self._answered = answered

    @cached_property
    def value(self) -> int:
        """How often it was asked for."""
        self.asked.set()
        assert self._answered.wait(30)
        self.times += 1
        return self.times


def test_one_that_is_slow_does_not_hold_up_another() -> None:
    slow, other = Answer(threading.Event()), Answer(threading.Event())
    asker = threading.Thread(target=lambda: slow.value, daemon=True)
    asker.start()
    assert slow.asked.wait(30)
    other._answered.set()
    assert other.value == 1
    assert "value" not in vars(slow)
    slow._answered.set()
    asker.join(30)
    assert slow.value == 1


def test_it_is_computed_once() -> None:
    answered = threading.Event()
    answered.set()
    answer = Answer(answered)
    assert [answer.value, answer.value, answer.times] == [1, 1, 1]
    assert Answer.value.__doc__ == "How often it was asked for."
