"""What commands print, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

#: The exit code of a command that could not begin.
UNUSABLE = 2
_PLAIN = str.maketrans({"→": ">", "…": "...", "–": "-", "—": "-", "’": "'", "✓": "ok", "✗": "x"})


def quietly(command: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """A command without Airflow's log lines and warnings.

    :param command: takes the arguments.
    """
    from airflow.utils.cli import suppress_logs_and_warning

    # Airflow logs to where commands print.
    quiet: Callable[[Namespace], None] = suppress_logs_and_warning(command)
    return quiet


def quoted(text: str) -> str:
    """Text as a shell takes it.

    :param text: one argument.
    """
    import shlex

    return shlex.quote(text)


def ended(text: str) -> str:
    """Text with a full stop at its end.

    :param text: a sentence.
    """
    return text if text.endswith((".", "!", "?")) else f"{text}."


def can_print(text: str, file: TextIO | None = None) -> bool:
    """Whether the terminal has the characters of a text.

    :param text: the text.
    :param file: where to; None for stdout.
    """
    import sys

    try:
        text.encode(getattr(file or sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def print_line(text: str, file: TextIO | None = None) -> None:
    """Print a line, with plainer characters where the terminal lacks some.

    :param text: the line.
    :param file: where to; None for stdout.
    """
    if not can_print(text, file):
        text = text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
    print(text, file=file)


def give_up(sentence: str) -> NoReturn:
    """End a command that could not begin.

    :param sentence: why, and what to do.
    :raises SystemExit: always, with the exit code 2.
    """
    import sys

    print(sentence, file=sys.stderr)
    raise SystemExit(UNUSABLE)
