"""Airflow's page of connections, as somebody with a mouse and a keyboard uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page

from tests.local_airflow.chromium import chromium_at

_PASTE = "document => navigator.clipboard.writeText(document)"


@contextmanager
def browser(executable: str, url: str) -> Iterator[Page]:
    """A page of headless Chromium, with a clipboard.

    :param executable: path of Chromium.
    :param url: of Airflow.
    """
    with chromium_at(executable) as running:
        context: BrowserContext = running.new_context(viewport={"width": 1100, "height": 1600})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{url}/connections")
        yield page


@dataclass(frozen=True)
class Form:
    """What somebody types into the form of a new connection.

    :param conn_id: its id.
    :param standard: values of Airflow's own fields by name.
    :param sections: by heading: values of the provider's fields by name. A value of several lines is pasted.
    """

    conn_id: str
    standard: Mapping[str, str]
    sections: Mapping[str, Mapping[str, str]]


def add_connection(page: Page, form: Form, pictures: Path | None = None) -> None:
    """Press "Add Connection", choose "Salesforce JWT", fill in and save.

    :param page: of connections.
    :param form: what to fill in.
    :param pictures: folder for a picture of the filled form, or None.
    """
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Connection ID").fill(form.conn_id)
    dialog.get_by_role("combobox").fill("Salesforce JWT")
    dialog.get_by_role("option", name="Salesforce JWT", exact=True).click()
    for name, value in form.standard.items():
        dialog.locator(f"[name={name}]").fill(value)
    for heading, values in form.sections.items():
        dialog.get_by_role("button", name=heading, exact=True).click()
        for name, value in values.items():
            _enter(page, dialog.locator(f"[name=element_{name}]"), value)
    if pictures is not None:
        _picture(page, dialog, pictures / "connection_form.png")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")


def edit_connection(page: Page, conn_id: str, standard: Mapping[str, str]) -> None:
    """Open a connection, change some of Airflow's own fields and save; everything else is left as the form shows it.

    :param page: of connections.
    :param conn_id: which.
    :param standard: new values by name.
    """
    row = page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))
    row.get_by_role("button", name="Edit Connection").click()
    dialog = page.get_by_role("dialog")
    for name, value in standard.items():
        dialog.locator(f"[name={name}]").fill(value)
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")


def press_test_button(page: Page, conn_id: str, picture: Path | None = None) -> str:
    """Press the Test button of a connection.

    :param page: of connections.
    :param conn_id: which.
    :param picture: file for a picture of what Airflow shows, or None.
    :return: what Airflow shows for some seconds, title and text.
    """
    row = page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))
    row.get_by_role("button", name="Test Connection").click()
    toast = page.locator("[data-scope=toast][data-part=root]").filter(has_text="Test Connection")
    toast.first.wait_for()
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        toast.first.screenshot(path=picture, animations="disabled")
    return toast.first.inner_text()


def _enter(page: Page, field: Locator, value: str) -> None:
    """Type one line, paste several: as a person does, by way of the clipboard."""
    if "\n" not in value:
        field.fill(value)
        return
    page.evaluate(_PASTE, value)
    field.click()
    page.keyboard.press("Control+V")


def _picture(page: Page, dialog: Locator, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    for field in dialog.locator("textarea").all():
        field.evaluate("field => { field.scrollTop = 0; field.blur(); }")
    dialog.screenshot(path=file, animations="disabled")
