"""What Airflow learns of this provider: a wrong word takes down the discovery of every provider."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from airflow_provider_sfjwt.get_provider_info import get_provider_info
from airflow_provider_sfjwt.salesforce.auth.credentials import LABELS

INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((files("airflow") / name).read_text(encoding="utf-8"))
    return loaded


def test_airflows_schema_of_provider_info_is_kept() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


@pytest.mark.parametrize(
    "part", ["connection-types", "integrations", "hooks", "operators", "sensors", "triggers", "config", "asset-uris"]
)
def test_airflows_strict_schema_of_a_provider_is_kept(part: str) -> None:
    strict = schema("provider.yaml.schema.json")
    definitions = {"definitions": strict.get("definitions", {}), "$defs": strict.get("$defs", {})}
    assert part in INFO
    jsonschema.validate(INFO[part], {**strict["properties"][part], **definitions})


def test_a_wrong_word_in_the_form_would_be_found() -> None:
    part = schema("provider.yaml.schema.json")["properties"]["connection-types"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**CONNECTION, "ui-field-behaviour": {"hidden": []}}], part)


def test_the_package_is_named_as_indexes_name_it() -> None:
    from packaging.utils import canonicalize_name

    assert INFO["package-name"] == canonicalize_name(INFO["package-name"])
    (entry,) = [each for each in entry_points(group="apache_airflow_provider") if "sfjwt" in each.value]
    assert entry.dist is not None
    assert entry.dist.name == INFO["package-name"]
    assert entry.load() is get_provider_info


def test_every_field_is_called_in_errors_what_the_form_calls_it() -> None:
    relabelled = CONNECTION["ui-field-behaviour"]["relabeling"]
    form = {**relabelled, **{name: field["label"] for name, field in CONNECTION["conn-fields"].items()}}
    assert {name: label.partition(" (")[0] for name, label in form.items()} == LABELS


def test_help_says_where_to_find_what_is_needed() -> None:
    for name, field in CONNECTION["conn-fields"].items():
        assert len(field["description"]) > 10, name
    assert "Setup → " in CONNECTION["conn-fields"]["consumer_key"]["description"]


def test_a_masked_field_has_no_default() -> None:
    for name in ("proxy", "private_key", "key_passphrase", "consumer_secret"):
        assert "default" not in CONNECTION["conn-fields"][name]["schema"]


def test_the_port_stays_visible() -> None:
    assert "port" not in CONNECTION["ui-field-behaviour"]["hidden-fields"]


def test_every_name_leads_to_code() -> None:
    module, _, name = CONNECTION["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (CONNECTION["connection-type"], CONNECTION["hook-name"])
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO[kind]:
            for path in entry["python-modules"]:
                import_module(path)


@pytest.mark.parametrize("module", ["airflow_provider_sfjwt", "airflow_provider_sfjwt.get_provider_info"])
def test_discovery_imports_nothing(module: str) -> None:
    program = (
        f"import sys; before = set(sys.modules); import {module}; "
        "heavy = {'airflow', 'requests', 'httpx', 'cryptography', 'jwt', 'pyarrow', 'simple_salesforce'}; "
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_caller_may_change_what_it_gets() -> None:
    get_provider_info()["name"] = "changed"
    assert get_provider_info()["name"] == "Salesforce JWT"
