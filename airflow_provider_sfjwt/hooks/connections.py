"""From an Airflow connection to its settings, masked and parsed once in a process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from airflow_provider_sfjwt.compat import AirflowNotFoundException, aconnection
from airflow_provider_sfjwt.compat.masking import mask
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.hooks.configuration import limits
from airflow_provider_sfjwt.hooks.connection_text import HOW_TO_WRITE, fault_of_reading, fault_of_variable
from airflow_provider_sfjwt.salesforce.auth.certificates import RENEWAL, read_certificate
from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings, connection_secrets, read_connection
from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned, local_path
from airflow_provider_sfjwt.salesforce.auth.extras import decode_extra
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, sealed

log = logging.getLogger(__name__)

#: Connections that are kept parsed. Parsing a key takes 30 ms of computing, and a triggerer runs a thousand triggers
#: over a handful of connections.
_KEPT = 32
_parsed: dict[str, ConnectionSettings] = {}
_CONN_TYPE = "salesforce_jwt"
#: What has been warned of in this process, so that a triggerer does not say it a thousand times.
_warned: set[str] = set()
#: Connections that are looked up at a time in one event loop: each lookup keeps the loop for a millisecond, and a
#: thousand may begin together.
_LOOKUPS_AT_ONCE = 8
_lookups_of: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def find_settings(hook: Any, conn_id: str, *, subject: str | None = None) -> ConnectionSettings:
    """Look a connection up and read it.

    :param hook: which Airflow looks connections up with.
    :param conn_id: its id.
    :param subject: what to call it in an error; None for its id.
    :raises ConfigurationError: with every fault, or when Airflow cannot read the variable that holds it.
    :raises AirflowNotFoundException: when there is no such connection.
    """
    try:
        connection = Secret(hook.get_connection(conn_id))
    except AirflowNotFoundException as error:
        raise _not_found(conn_id, error) from None
    return connection_settings(connection, conn_id, subject=subject)


def _not_found(conn_id: str, error: AirflowNotFoundException) -> Exception:
    fault = fault_of_variable(conn_id)
    if fault is not None:
        return ConfigurationError({"Connection": fault}, subject=f"connection '{conn_id}'")
    return AirflowNotFoundException(f"{error}, or Airflow cannot read it: {HOW_TO_WRITE}")


def connection_settings(connection: Secret[Any], conn_id: str, *, subject: str | None = None) -> ConnectionSettings:
    """Read a connection.

    A connection without a type, as JSON may leave it out, is read like one of this type; so is one of another type
    that has all fields.

    :param connection: an Airflow connection of either of its two classes, of which one shows its secrets in its
        ``repr``. Its extras are taken as text, since the two classes decode and mask them differently.
    :param conn_id: its id, for errors.
    :param subject: what to call it in an error; None for its id.
    :raises ConfigurationError: with every fault, by the labels of the form.
    """
    subject = subject or f"connection '{conn_id}'"
    fields = sealed(lambda: _fields_of(connection.reveal()))
    key = sealed(lambda: _fingerprint(conn_id, fields.reveal()))
    settings = _parsed.get(key)
    if settings is None:
        sealed(lambda: _mask(fields.reveal()))
        try:
            settings = sealed(lambda: read_connection(**fields.reveal(), subject=subject))
        except ConfigurationError as error:
            malformed = fault_of_variable(conn_id) if "Extra" in error.fields else None
            if fault := fault_of_reading(connection.reveal(), conn_id) or malformed:
                raise ConfigurationError({"Connection": fault}, subject=subject) from None
            if fault := _fault_of_type(connection.reveal()):
                raise ConfigurationError({"Connection Type": fault} | error.fields, subject=subject) from None
            raise
        settings = replace(settings, transport=replace(settings.transport, limits=limits()))
        if len(_parsed) >= _KEPT:
            _parsed.clear()
        _parsed[key] = settings
        _warn(settings, conn_id)
    return settings


async def aconnection_settings(hook: Any, conn_id: str) -> ConnectionSettings:
    """Look a connection up and read it, in an event loop.

    :param hook: which Airflow looks connections up with.
    :param conn_id: its id.
    :raises ConfigurationError: with every fault, by the labels of the form.
    :raises AirflowNotFoundException: when there is no such connection.
    """
    from asgiref.sync import sync_to_async

    async with _lookups_of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_LOOKUPS_AT_ONCE)):
        try:
            connection = Secret(await aconnection(hook, conn_id))
        except AirflowNotFoundException as error:
            raise _not_found(conn_id, error) from None
        # Reading a key takes 30 ms of computing, too long for an event loop.
        return await sync_to_async(connection_settings)(connection, conn_id)


def _fault_of_type(connection: Any) -> str | None:
    """What is wrong with the connection's type, which may be why its fields cannot be read."""
    given = str(getattr(connection, "conn_type", None) or "").strip()
    # A URI cannot hold an underscore in its scheme, so hyphens stand there.
    if given.lower().replace("-", "_") in ("", _CONN_TYPE):
        return None
    official = "; 'airflow-salesforce-jwt from-salesforce' converts it" if given == "salesforce" else ""
    return f"is '{given}' and should be '{_CONN_TYPE}'{official}"


def _fields_of(connection: Any) -> Secret[dict[str, Any]]:
    return Secret({name: getattr(connection, name) for name in ("login", "password", "host", "port", "extra")})


def _mask(fields: dict[str, Any]) -> None:
    mask(*_also_in_urls(connection_secrets(password=fields["password"], extra=fields["extra"])))


def _also_in_urls(secrets: tuple[str, ...]) -> dict[str, None]:
    """Add how a connection's URI writes them, which a task may log by way of ``get_uri()`` or ``os.environ``."""
    return dict.fromkeys(form for secret in secrets for form in (secret, quote(secret, safe=""), quote(secret)))


def _warn(settings: ConnectionSettings, conn_id: str) -> None:
    """Write into the task's log what works today and will not, or only just does; once in a process."""
    credentials = settings.credentials
    repairs = dict.fromkeys(repair for key in credentials.keys for repair in key.repairs)
    if repairs:
        _warn_once(
            f"Connection '{conn_id}': the private key is damaged and was repaired on reading ({', '.join(repairs)}). "
            "Paste it again, or name its file in Key file."
        )
    if settings.unread:
        _warn_once(f"Connection '{conn_id}': these extras have no effect: {'; '.join(settings.unread)}.")
    if not credentials.certificate:
        return
    prints = [key.fingerprint for key in credentials.keys]
    try:
        fault = read_certificate(credentials.certificate, fingerprints=prints).fault(datetime.now(timezone.utc))
    except ConfigurationError as error:
        # Signing in does not need it, so that the task may well succeed.
        _warn_once(f"Connection '{conn_id}': Certificate: {next(iter(error.fields.values()))}.")
        return
    if fault:
        _warn_once(f"Connection '{conn_id}': {fault[0].lower()}{fault[1:]}. So that sign-ins go on: {RENEWAL}.")


def _warn_once(sentence: str) -> None:
    if sentence not in _warned:
        _warned.add(sentence)
        log.warning("%s", sentence)


def _fingerprint(conn_id: str, fields: dict[str, Any]) -> str:
    content = json.dumps([conn_id, fields], sort_keys=True, default=str)
    return hashlib.sha256(f"{content}{_key_file_state(fields['extra'])}".encode()).hexdigest()


def _key_file_state(extra: Any) -> str:
    """Changes with the file, so that a replaced key is read."""
    try:
        path = decode_extra(extra)["key_file"]
        state = local_path(cleaned(path)).stat()
    except (ValueError, TypeError, KeyError, OSError):
        return ""
    return f"{state.st_mtime_ns}:{state.st_size}"
