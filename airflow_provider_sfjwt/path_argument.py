"""Texts that name a place, judged before anything is opened."""

from __future__ import annotations

import re

_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")


def is_nothing(text: str) -> bool:
    """Whether a text is what `{{ params.folder }}` renders to where there is none.

    :param text: what was given.
    """
    return text.strip() in ("", "None")


def fault_of_place(text: str) -> str | None:
    """Say what is wrong with a path that is neither a URL nor absolute, or None.

    :param text: what was given.
    """
    if text.startswith("/") or _WITH_SCHEME.match(text):
        return None
    return (
        f"'{text}' is neither a URL nor an absolute path, and would mean another place on each worker; begin it with "
        "file:///, s3:// or the like"
    )
