"""The connection's form in Python, for Airflow before 3.2, made of the definition that later versions read."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from airflow_provider_sfjwt.compat import has_declarative_forms
from airflow_provider_sfjwt.get_provider_info import get_provider_info

HookClass = TypeVar("HookClass", bound=type)


def with_form(hook: HookClass) -> HookClass:
    """Give a hook the two methods that Airflow before 3.2 asks for a form.

    Later versions read the provider's metadata, and warn of the methods.

    :param hook: the class; its ``conn_type`` names the definition.

    https://airflow.apache.org/docs/apache-airflow/3.1.8/howto/connection.html
    """
    if not has_declarative_forms():
        hook.get_connection_form_widgets = classmethod(_widgets)  # type: ignore[attr-defined]
        hook.get_ui_field_behaviour = classmethod(_behaviour)  # type: ignore[attr-defined]
    return hook


def _widgets(hook: Any) -> dict[str, Any]:
    """The extra fields, each a line of text. Airflow 3.1 shows neither sections nor several lines."""
    # Airflow has put its own in their place by now, where the two are not installed.
    import wtforms

    kinds = {"password": wtforms.PasswordField}
    return {
        name: kinds.get(field["schema"].get("format"), wtforms.StringField)(
            field["label"], description=field["description"]
        )
        for name, field in _definition(hook)["conn-fields"].items()
    }


def _behaviour(hook: Any) -> dict[str, Any]:
    """What becomes of Airflow's own fields, by the names that the method has for them."""
    return {name.replace("-", "_"): deepcopy(what) for name, what in _definition(hook)["ui-field-behaviour"].items()}


def _definition(hook: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in get_provider_info()["connection-types"] if each["connection-type"] == hook.conn_type
    )
    return found
