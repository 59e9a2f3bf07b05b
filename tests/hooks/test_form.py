"""The connection's form as the UI gets it: of the provider's metadata, and before Airflow 3.2 of the hook's methods."""

from __future__ import annotations

from airflow_provider_sfjwt.compat import has_declarative_forms
from airflow_provider_sfjwt.get_provider_info import get_provider_info
from airflow_provider_sfjwt.hooks.salesforce_jwt import SalesforceJwtHook

(DEFINED,) = get_provider_info()["connection-types"]
METHODS = {"get_connection_form_widgets", "get_ui_field_behaviour"}


def test_the_hook_has_the_methods_only_where_airflow_needs_them() -> None:
    """Later versions warn of them."""
    assert bool(METHODS & vars(SalesforceJwtHook).keys()) != has_declarative_forms()


def test_the_form_is_made_of_the_same_definition() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    [form] = [each for each in HookMetaService.hook_meta_data() if each.connection_type == DEFINED["connection-type"]]
    assert (form.hook_name, form.hook_class_name) == (DEFINED["hook-name"], DEFINED["hook-class-name"])
    fields = form.extra_fields or {}
    shown = {name: (field["schema"]["title"], field["description"]) for name, field in fields.items()}
    assert shown == {name: (field["label"], field["description"]) for name, field in DEFINED["conn-fields"].items()}
    masked = {name for name, field in fields.items() if field["schema"].get("format") == "password"}
    assert masked == {"key_passphrase", "consumer_secret"}
    standard = form.standard_fields
    assert standard is not None
    assert (standard.login.title, standard.host.title) == ("Username", "Login URL")
    assert standard.url_schema.hidden
    assert not standard.port.hidden
