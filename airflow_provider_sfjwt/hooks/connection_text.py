"""Why Airflow cannot read the text of a connection: said with line and column, and never with its content.

Airflow passes over a text that it cannot read, and reports that the connection is not defined. Its log at level DEBUG
has the reason, and the text with it.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

HOW_TO_WRITE = "JSON must begin with {, a URI with salesforce-jwt://"
_UNREADABLE = "Airflow cannot read this connection"
_VARIABLE = "AIRFLOW_CONN_"
#: What Airflow takes beside the extras; any other name makes the whole connection unreadable.
_AIRFLOWS_FIELDS = frozenset(
    {"conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra", "uri"}
)
_MARK = "\ufeff"


def fault_of_variable(conn_id: str) -> str | None:
    """Say what is wrong with the environment variable that holds a connection.

    :param conn_id: the connection's id.
    :return: a sentence without the variable's content; None where there is no such variable, or Airflow can read it.
    """
    variable = f"{_VARIABLE}{conn_id.upper()}"
    text = os.environ.get(variable)
    fault = None if text is None else fault_of_text(text)
    return None if fault is None else f"{_UNREADABLE}: the environment variable {variable} {fault}. {HOW_TO_WRITE}"


def fault_of_reading(connection: Any, conn_id: str) -> str | None:
    """Say that Airflow took a text for a URI and found nothing in it, as it does with an underscore in the scheme.

    :param connection: as Airflow read it.
    :param conn_id: the connection's id.
    :return: a sentence without the text; None where the connection has a type, a user or a host.
    """
    if any(getattr(connection, name, None) for name in ("conn_type", "login", "host")):
        return None
    found_nothing = f"{_UNREADABLE}: it found neither a type nor a user nor a host in it. {HOW_TO_WRITE}, with a hyphen"
    return fault_of_variable(conn_id) or found_nothing


def fault_of_text(text: str) -> str | None:
    """Say what is wrong with a connection's text.

    :param text: JSON or a URI, as Airflow's secrets backends hold it.
    :return: a clause without a full stop; None where Airflow can read it.
    """
    if text.startswith(_MARK):
        return "begins with a byte order mark (line 1, column 1): save it as UTF-8 without one"
    if not text.strip():
        return "is empty"
    if text.lstrip()[0] == "{":
        return _fault_of_json(text)
    if re.match(r"\s*[\"'`“‘]\s*[{“\"']|\s*[\"'`“‘]\s*[a-z_-]+://", text):
        return "stands in quotes (line 1, column 1): remove those around the whole text"
    if text.lstrip()[0] in "[\"'":
        return "is JSON, but not an object (line 1, column 1)"
    return _fault_of_uri(text)


def _fault_of_json(text: str) -> str | None:
    try:
        decoded = json.loads(text)
    except json.JSONDecodeError as error:
        return f"{_of_decoder(text, error)} (line {error.lineno}, column {error.colno})"
    if not isinstance(decoded.get("extra", {}) or {}, (dict, str)):
        return "has an extra that is not an object"
    extra = decoded.get("extra")
    if isinstance(extra, str) and extra.strip():
        fault = _fault_of_extra(extra)
        if fault:
            return fault
    foreign = [name for name in decoded if name not in _AIRFLOWS_FIELDS]
    if foreign:
        names = ", ".join(f"'{name}'" for name in foreign)
        return f"holds {names} beside conn_type, where only Airflow's own fields may stand: move it into extra"
    port = decoded.get("port")
    if port and not str(port).strip().isdecimal():
        return "has a port that is not a whole number"
    return None


def _of_decoder(text: str, error: json.JSONDecodeError) -> str:
    """The decoder's complaint in words that name what to change."""
    found = text[error.pos : error.pos + 1]
    if found in ("'", "‘", "’", "“", "”"):
        return 'is not JSON: strings and names stand in double quotes, "'
    if error.msg.startswith("Invalid control character"):
        return "is not JSON: a string holds a raw line break or tab; write \\n instead"
    if error.msg.startswith("Unterminated string"):
        return "is not JSON: a string that begins here has no end"
    if error.msg.startswith("Extra data"):
        return "is not JSON: something follows after the closing }"
    if found in ("T", "F", "N"):
        return "is not JSON: write true, false and null in small letters"
    if error.pos >= len(text.rstrip()):
        return "is not JSON: it is cut off"
    if error.msg.startswith(("Expecting property name", "Illegal trailing comma")):
        return "is not JSON: a name in double quotes is missing, or a comma stands before }"
    return f"is not JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _fault_of_extra(extra: str) -> str | None:
    try:
        decoded = json.loads(extra)
    except json.JSONDecodeError as error:
        return f"has an extra that {_of_decoder(extra, error)} (in extra: line {error.lineno}, column {error.colno})"
    if isinstance(decoded, str):
        return "has an extra that is encoded twice: give the object itself, or its JSON once"
    return None if isinstance(decoded, dict) else "has an extra that is not an object"


def _fault_of_uri(text: str) -> str | None:
    scheme = re.match(r"\s*([A-Za-z][\w.+-]*):/?/?", text)
    if scheme is None:
        return "is neither JSON nor a URI (line 1, column 1)"
    if "_" in scheme[1]:
        at = text.index("_") + 1
        return f"is a URI whose scheme has an underscore, which no scheme may have (line 1, column {at})"
    beyond = text.count("://")
    if beyond > 2:
        return "is a URI with more than two ://: write those inside values as %3A%2F%2F"
    authority = text.split("://", 1)[-1].split("/", 1)[0].split("?", 1)[0]
    if beyond == 2 and "@" in authority.split("://", 1)[0]:
        return "is a URI with https:// after the user: write the host as https%3A%2F%2F… or without https://"
    return None
