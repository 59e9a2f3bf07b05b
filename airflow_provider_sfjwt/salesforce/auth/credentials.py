"""From the fields of a connection to credentials that can sign, with all faults reported at once."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.arguments import api_version_of
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.entered_text import cleaned, cleaned_username, local_path, passphrases
from airflow_provider_sfjwt.salesforce.auth.event_bus_endpoint import read_endpoint
from airflow_provider_sfjwt.salesforce.auth.extras import (
    LABELS,
    OWN_FIELDS,
    decode_extra,
    may_be_secret,
    meant_by,
    unread_extras,
)
from airflow_provider_sfjwt.salesforce.auth.instance import read_domains
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey, read_keys, secret_forms
from airflow_provider_sfjwt.salesforce.auth.login_url import PRODUCTION_AUDIENCE, default_audience, normalise_login_url
from airflow_provider_sfjwt.salesforce.wire.secret import Secret, hidden, sealed
from airflow_provider_sfjwt.salesforce.wire.settings import DEFAULT_TIMEOUT, TransportSettings

_SECRETS = ("key_passphrase", "consumer_secret", "proxy")
_REDACTED = "***"
#: What stands in every such key.
_PEM_MARKER = re.compile(r"-----[A-Z0-9 ]+-----|Proc-Type: 4,ENCRYPTED")
_KEY_MATERIAL = re.compile(r"[\w+/=%-]{8,}")
_LONGEST_TIMEOUT = 3600.0
#: A key store holds a handful of keys. A larger file is something else, and is not read into memory.
_LARGEST_KEY_FILE = 10 * 2**20
#: Longer than any path that people use, and shorter than any key that Salesforce takes.
_LONGEST_PATH = 500


@dataclass(frozen=True, repr=False)
class Credentials:
    """Who signs in, where, and with which keys. Immutable, and silent about its secrets.

    :param login_url: scheme, host and site path of the token endpoint.
    :param username: the Salesforce username, JWT ``sub``.
    :param consumer_key: the app's consumer key, JWT ``iss``.
    :param audience: JWT ``aud``.
    :param keys: what can sign, in the order to try.
    :param consumer_secret: for token introspection only; never sent with the grant.
    :param certificate: the PEM certificate uploaded to Salesforce, where the connection holds it.
    :param instance_domains: where an org may be, besides Salesforce's domains and the login URL's host.
    """

    login_url: str
    username: str
    consumer_key: str
    audience: str
    keys: tuple[SigningKey, ...]
    consumer_secret: hidden[str | None] = hidden(None)
    certificate: hidden[str | None] = hidden(None)  # people paste the private key here, too
    instance_domains: tuple[str, ...] = ()

    def __repr__(self) -> str:
        prints = ", ".join(key.fingerprint for key in self.keys)
        return f"Credentials({self.username} at {self.login_url}, audience {self.audience}, keys {prints})"

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two credentials the same sign-in. Holds no secret, so it can key a cache."""
        prints = (key.fingerprint for key in self.keys)
        domains = ",".join(self.instance_domains)
        return (self.login_url, self.consumer_key, self.username, self.audience, domains, *prints)


@dataclass(frozen=True)
class ConnectionSettings:
    """All that a connection says.

    :param credentials: who signs in.
    :param transport: how connections are made.
    :param api_version: e.g. ``66.0``, or None for the newest that the org and this package both know.
    :param unread: a clause for each extra that nobody reads, with the field that is meant.
    :param event_bus: host and port of the org's event bus.
    """

    credentials: Credentials
    transport: TransportSettings
    api_version: str | None
    unread: tuple[str, ...] = ()
    event_bus: str = read_endpoint(None)


def read_connection(
    *,
    login: str | None,
    password: str | None,
    host: str | None,
    port: int | str | None,
    extra: str | Mapping[str, Any] | None,
    subject: str = "the Salesforce JWT connection",
) -> ConnectionSettings:
    """Read the fields of a connection.

    :param login: the Salesforce username.
    :param password: the passphrase of the key or key store.
    :param host: the login URL.
    :param port: the port, used when the login URL names none; 0 and None mean none.
    :param extra: the extras, as JSON text or decoded. Numbers, booleans, text and null are all understood, since each
        secrets backend delivers another of them.
    :param subject: what to call the connection in an error.
    :raises ConfigurationError: with every fault at once, by the label of its field.
    """
    entered: Secret[dict[str, Any]] = Secret(
        {"login": login, "password": password, "host": host, "port": port, "extra": extra}
    )
    del login, password, host, port, extra
    return sealed(lambda: _Reader(**entered.reveal()).read(subject))


def connection_secrets(*, password: str | None, extra: str | Mapping[str, Any] | None) -> tuple[str, ...]:
    """Every text under which a log could show a secret of a connection, for a masker.

    :param password: the passphrase.
    :param extra: the extras, as JSON text or decoded; unreadable extras are one secret.
    :return: each line of the private key, so that the key is masked however its lines are joined, and every other
        secret. As few as that takes and the shortest first, since the masker builds its pattern again for each.
    """
    entered = Secret((password, extra))
    del password, extra
    return sealed(lambda: _secrets_in(*entered.reveal()))


def _secrets_in(password: str | None, extra: str | Mapping[str, Any] | None) -> tuple[str, ...]:
    try:
        values = decode_extra(extra)
    except ValueError:
        return (str(extra),)
    named = {name for name in values if name in _SECRETS or (name not in LABELS and may_be_secret(name))}
    entered = [str(value) for value in (password, *(values[name] for name in sorted(named))) if value]
    secrets = {form for each in entered for form in passphrases(each) if form}
    if isinstance(values.get("private_key"), str):
        secrets.update(_not_made_of_others(secret_forms(values["private_key"])))
    return tuple(sorted(secrets, key=len))


def _not_made_of_others(forms: Iterable[str]) -> list[str]:
    """Leave out every form that shows nothing once the shorter ones in it are masked."""
    kept: list[str] = []
    for form in sorted(forms, key=len):
        rest = _PEM_MARKER.sub("", form)
        for shorter in kept:
            rest = rest.replace(shorter, " ")
        if _KEY_MATERIAL.search(rest):
            kept.append(form)
    return kept


class _Reader:
    """Reads field after field and collects what is wrong with each."""

    def __init__(self, *, extra: str | Mapping[str, Any] | None, **fields: Any) -> None:
        self._faults: dict[str, str] = {}
        try:
            extras = decode_extra(extra)
        except ValueError as error:
            extras = {}
            self._faults["Extra"] = str(error)
        self._names = tuple(extras)
        self._values = {**{name: extras.get(name) for name in LABELS if name not in OWN_FIELDS}, **fields}

    def read(self, subject: str) -> ConnectionSettings:
        username = self._required("login", "the Salesforce username of the integration user", cleaned_username)
        consumer_key = self._required("consumer_key", "it is on the app's OAuth settings page in Salesforce Setup")
        port = self._number("port", int, lambda value: 0 <= value <= 65535, "a port between 1 and 65535")
        login_url = self._login_url(port)
        audience = self._text("audience")
        api_version = self._api_version()
        transport = TransportSettings(
            timeout=self._number(
                "http_timeout", float, lambda value: 0 < value <= _LONGEST_TIMEOUT, "seconds, above 0 and up to 3600"
            )
            or DEFAULT_TIMEOUT,
            ca_bundle=self._authorities(),
            proxy=self._proxy(),
        )
        keys = self._keys()
        certificate, secret = self._text("certificate"), self._text("consumer_secret")
        domains, event_bus = self._instance_domains(), self._event_bus()
        if self._faults or not (username and consumer_key and login_url):
            meant = [clause for clause in unread_extras(self._names) if "meant" in clause]
            hints = {"Extra": "; ".join(meant)} if meant else {}
            raise ConfigurationError(hints | self._faults, subject=subject)
        credentials = Credentials(
            login_url=login_url,
            username=username,
            consumer_key=consumer_key,
            audience=audience or default_audience(login_url),
            keys=keys,
            consumer_secret=secret,
            certificate=certificate,
            instance_domains=domains,
        )
        return ConnectionSettings(credentials, transport, api_version, unread_extras(self._names), event_bus)

    def _fault(self, name: str, sentence: str) -> None:
        self._faults.setdefault(LABELS[name], sentence)

    def _text(self, name: str, clean: Callable[[str], str] = cleaned) -> str | None:
        value = self._values[name]
        if isinstance(value, (dict, list)):
            self._fault(name, "holds a list or an object; enter text")
            return None
        text = "" if value is None else clean(str(value))
        if text == _REDACTED:
            self._fault(name, "holds ***, the mark under which Airflow hides a secret; enter the value again")
            return None
        return text or None

    def _required(self, name: str, where: str, clean: Callable[[str], str] = cleaned) -> str | None:
        text = self._text(name, clean)
        if text is None:
            fields = ("private_key", "key_file") if name == "private_key" else (name,)
            alike = next((each for each in self._names if each not in LABELS and meant_by(each) in fields), None)
            self._fault(name, f"is missing; {where}" + (f" (is it the extra '{alike}'?)" if alike else ""))
        return text

    def _login_url(self, port: int | None) -> str | None:
        try:
            return normalise_login_url(self._text("host") or PRODUCTION_AUDIENCE, port)
        except ValueError as error:
            self._fault("host", str(error))
            return None

    def _number(self, name: str, kind: Callable[[float], Any], valid: Callable[[Any], bool], expected: str) -> Any:
        text = self._text(name)
        if text is None:
            return None
        try:
            number = float(text)
            if not math.isfinite(number) or kind(number) != number or not valid(number):
                raise ValueError
        except ValueError:
            self._fault(name, f"is not a number that can be used; enter {expected}")
            return None
        return kind(number)

    def _api_version(self) -> str | None:
        text = self._text("api_version")
        try:
            return api_version_of(text)
        except ValueError as error:
            self._fault("api_version", str(error))
            return None

    def _instance_domains(self) -> tuple[str, ...]:
        try:
            return read_domains(self._text("instance_domains") or "")
        except ValueError as error:
            self._fault("instance_domains", str(error))
            return ()

    def _event_bus(self) -> str:
        try:
            return read_endpoint(self._text("pubsub_endpoint"))
        except ValueError as error:
            self._fault("pubsub_endpoint", str(error))
            return ""

    def _proxy(self) -> str | None:
        text = self._text("proxy")
        if text is not None and not _is_proxy_address(text):
            self._fault(
                "proxy",
                "is not an http:// or https:// address of a proxy; enter e.g. http://proxy.acme.com:3128, and write a "
                "special character of its password as % and two digits",
            )
        return text

    def _path(self, name: str, *, folder: str = "") -> Path | None:
        """The path of a file, or of a folder where a sentence says what a folder has to hold."""
        text = self._text(name)
        if text is None:
            return None
        if len(text) > _LONGEST_PATH or "-----" in text or not text.isprintable():
            # Not shown: it may well be the key.
            self._fault(name, "holds something other than a path; enter the path of a file")
            return None
        try:
            path = local_path(text)
        except ValueError as error:
            self._fault(name, str(error))
            return None
        if os.path.isdir(path):  # noqa: PTH112 - before Python 3.12 Path raises where a folder may not be searched
            if folder and any(path.glob("*.0")):
                return path
            self._fault(name, f"{path} is a folder; enter the path of a file{folder and f', or of {folder}'}")
            return None
        if not os.path.isfile(path):  # noqa: PTH113
            self._fault(name, f"there is no file {path} to be read on the machine where this runs")
            return None
        return path

    def _authorities(self) -> str | None:
        path = self._path("ca_bundle", folder="a folder that `openssl rehash` was run in")
        return None if path is None else str(path)

    def _passphrases(self, name: str) -> tuple[str | None, ...]:
        # Blanks at its ends may belong to it, so it is tried as it is first.
        return passphrases(str(self._values[name])) if self._text(name) is not None else (None,)

    def _keys(self) -> tuple[SigningKey, ...]:
        of_store, of_key = self._passphrases("password"), self._passphrases("key_passphrase")
        alias, material = self._text("key_alias"), self._key_material()
        if material is None:
            return ()
        source, content = material
        faults: dict[str, str] = {}
        for passphrase, key_passphrase in product(of_store, of_key):
            options = {"passphrase": passphrase, "key_alias": alias, "key_passphrase": key_passphrase}
            try:
                return read_keys(content, source=source, **options)
            except ConfigurationError as error:
                faults = faults or error.fields
        self._faults = {**faults, **self._faults}
        return ()

    def _key_material(self) -> tuple[str, str | bytes] | None:
        """What to read the key from, by the label of its field."""
        pasted, path = self._text("private_key", str.strip), self._path("key_file")
        if pasted and path:
            self._fault("key_file", "is set and Private key too; keep one of them")
            return None
        if pasted:
            return LABELS["private_key"], pasted
        if path:
            return self._read_key_file(path)
        if not {LABELS["private_key"], LABELS["key_file"]} & self._faults.keys():
            self._required("private_key", "paste the key, or name a file on the worker in Key file")
        return None

    def _read_key_file(self, path: Path) -> tuple[str, bytes] | None:
        try:
            if path.stat().st_size > _LARGEST_KEY_FILE:
                self._fault("key_file", f"{path} is larger than any key store")
                return None
            return LABELS["key_file"], path.read_bytes()
        except OSError as error:
            self._fault("key_file", f"{path} cannot be read on the machine where this runs: {error.strerror}")
            return None


def _is_proxy_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        # A character of the password that should have been escaped ends the host too early, or makes a port of it.
        whole = parts.port != 0 and parts.path in ("", "/") and not (parts.query or parts.fragment)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and whole and not re.search(r"\s", text)
