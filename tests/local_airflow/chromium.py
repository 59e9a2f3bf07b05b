"""Headless Chromium, without a sandbox and without calls of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# No sandbox, since containers and CI run as root; the rest keeps Chromium from calling home.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium_at(executable: str) -> Iterator[Browser]:
    """A browser, for as long as the ``with`` block lasts.

    :param executable: path of Chromium.
    """
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        try:
            yield running
        finally:
            running.close()
