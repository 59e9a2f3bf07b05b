"""From an Airflow connection to its settings, masked and parsed once in a process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow.sdk.log import mask_secret

from airflow_provider_sfjwt.auth.credentials import ConnectionSettings, connection_secrets, read_connection

#: Connections that are kept parsed. Parsing a key takes 30 ms of computing, and a triggerer runs a thousand triggers
#: over a handful of connections.
_KEPT = 32
_parsed: dict[str, ConnectionSettings] = {}


def connection_settings(connection: Any, conn_id: str) -> ConnectionSettings:
    """Read a connection.

    :param connection: an Airflow connection of either of its two classes. Its extras are taken as text, since the two
        classes decode and mask them differently.
    :param conn_id: its id, for errors.
    :raises ConfigurationError: with every fault, by the labels of the form.
    """
    fields = {name: getattr(connection, name) for name in ("login", "password", "host", "port", "extra")}
    key = _fingerprint(conn_id, fields)
    settings = _parsed.get(key)
    if settings is None:
        mask(*connection_secrets(password=fields["password"], extra=fields["extra"]))
        settings = read_connection(**fields, subject=f"connection '{conn_id}'")
        if len(_parsed) >= _KEPT:
            _parsed.clear()
        _parsed[key] = settings
    return settings


def mask(*secrets: str) -> None:
    """Tell Airflow's masker in this process, and in the one that writes the log.

    :param secrets: each is masked as it is and as a URL quotes it. Airflow masks none under five characters.
    """
    mask_secret([*secrets, *(quote(secret, safe="") for secret in secrets)])


def _fingerprint(conn_id: str, fields: dict[str, Any]) -> str:
    content = json.dumps([conn_id, fields], sort_keys=True, default=str)
    return hashlib.sha256(f"{content}{_key_file_state(fields['extra'])}".encode()).hexdigest()


def _key_file_state(extra: Any) -> str:
    """Changes with the file, so that a replaced key is read."""
    try:
        path = (json.loads(extra) if isinstance(extra, str) else extra or {})["key_file"]
        state = Path(path).stat()
    except (ValueError, TypeError, KeyError, OSError):
        return ""
    return f"{state.st_mtime_ns}:{state.st_size}"
