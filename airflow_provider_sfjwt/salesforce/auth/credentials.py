"""From the fields of a connection to credentials that can sign, with every fault told at once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_sfjwt.arguments import api_version_of
from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.auth.keys import SigningKey, read_keys, secret_forms
from airflow_provider_sfjwt.salesforce.auth.login_url import PRODUCTION_AUDIENCE, default_audience, normalise_login_url
from airflow_provider_sfjwt.salesforce.wire.settings import DEFAULT_TIMEOUT, TransportSettings

#: Every field by its name in the connection, with its label in the form.
LABELS = {
    "login": "Username",
    "host": "Login URL",
    "password": "Key or key-store passphrase",
    "port": "Port",
    "consumer_key": "Consumer key",
    "private_key": "Private key",
    "key_file": "Key file",
    "key_alias": "Key alias",
    "key_passphrase": "Key passphrase",
    "audience": "Audience",
    "certificate": "Certificate",
    "consumer_secret": "Consumer secret",
    "api_version": "API version",
    "ca_bundle": "CA bundle",
    "proxy": "Proxy",
    "http_timeout": "HTTP timeout",
}
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
    """

    login_url: str
    username: str
    consumer_key: str
    audience: str
    keys: tuple[SigningKey, ...]
    consumer_secret: str | None = None
    certificate: str | None = None

    def __repr__(self) -> str:
        prints = ", ".join(key.fingerprint for key in self.keys)
        return f"Credentials({self.username} at {self.login_url}, audience {self.audience}, keys {prints})"

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two credentials the same sign-in. Holds no secret, so it can key a cache."""
        prints = (key.fingerprint for key in self.keys)
        return (self.login_url, self.consumer_key, self.username, self.audience, *prints)


@dataclass(frozen=True)
class ConnectionSettings:
    """All that a connection says.

    :param credentials: who signs in.
    :param transport: how connections are made.
    :param api_version: e.g. ``66.0``, or None for the newest that the org and this package both know.
    """

    credentials: Credentials
    transport: TransportSettings
    api_version: str | None


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
    return _Reader(login=login, password=password, host=host, port=port, extra=extra).read(subject)


def connection_secrets(*, password: str | None, extra: str | Mapping[str, Any] | None) -> tuple[str, ...]:
    """Every text under which a log could show a secret of a connection, for a masker to be told.

    :param password: the passphrase.
    :param extra: the extras, as JSON text or decoded; unreadable extras are one secret.
    :return: each line of the private key, so that the key is masked however its lines are joined, and every other
        secret. As few as that takes and the shortest first, since the masker builds its pattern anew for each.
    """
    try:
        values = _decode_extra(extra)
    except ValueError:
        return (str(extra),)
    named = (password, *(values.get(name) for name in ("key_passphrase", "consumer_secret", "proxy")))
    secrets = {str(value) for value in named if value}
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
            extras = _decode_extra(extra)
        except ValueError as error:
            extras = {}
            self._faults["Extra"] = str(error)
        self._unknown = [name for name in extras if name not in LABELS]
        self._values = {**{name: extras.get(name) for name in LABELS}, **fields}

    def read(self, subject: str) -> ConnectionSettings:
        username = self._required("login", "the Salesforce username of the integration user")
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
            ca_bundle=self._file("ca_bundle"),
            proxy=self._proxy(),
        )
        keys = self._keys()
        certificate, secret = self._text("certificate"), self._text("consumer_secret")
        if self._faults or not (username and consumer_key and login_url):
            raise ConfigurationError(self._faults, subject=subject)
        credentials = Credentials(
            login_url=login_url,
            username=username,
            consumer_key=consumer_key,
            audience=audience or default_audience(login_url),
            keys=keys,
            consumer_secret=secret,
            certificate=certificate,
        )
        return ConnectionSettings(credentials, transport, api_version)

    def _fault(self, name: str, sentence: str) -> None:
        self._faults.setdefault(LABELS[name], sentence)

    def _text(self, name: str) -> str | None:
        value = self._values[name]
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, (dict, list)):
            self._fault(name, "holds a list or an object; enter text")
            return None
        text = str(value).strip()
        if text == _REDACTED:
            self._fault(name, "holds ***, the mark under which Airflow hides a secret; enter the value again")
            return None
        return text

    def _required(self, name: str, where: str) -> str | None:
        text = self._text(name)
        if text is None:
            alike = get_close_matches(name.replace("_", ""), self._unknown, n=1, cutoff=0.7)
            self._fault(name, f"is missing; {where}" + (f" (is it the extra '{alike[0]}'?)" if alike else ""))
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
            self._fault(name, f"is no number that can be used; enter {expected}")
            return None
        return kind(number)

    def _api_version(self) -> str | None:
        text = self._text("api_version")
        try:
            return api_version_of(text)
        except ValueError as error:
            self._fault("api_version", str(error))
            return None

    def _proxy(self) -> str | None:
        text = self._text("proxy")
        if text is not None and not _is_proxy_address(text):
            self._fault(
                "proxy",
                "is no http:// or https:// address of a proxy; enter e.g. http://proxy.acme.com:3128, and write a "
                "special character of its password as % and two digits",
            )
        return text

    def _file(self, name: str) -> str | None:
        text = self._text(name)
        if text is None:
            return None
        if len(text) > _LONGEST_PATH or "-----" in text or not text.isprintable():
            # Not shown: it may well be the key.
            self._fault(name, "holds something else than a path; enter the path of a file")
            return None
        try:
            found = Path(text).is_file()
        except OSError:  # a folder that may not be searched
            found = False
        if not found:
            self._fault(name, f"there is no file {text} to be read on the machine where this runs")
            return None
        return text

    def _passphrase(self, name: str) -> str | None:
        # Blanks at its ends may belong to it, so it is taken as it is.
        return str(self._values[name]) if self._text(name) is not None else None

    def _keys(self) -> tuple[SigningKey, ...]:
        options = {
            "passphrase": self._passphrase("password"),
            "key_alias": self._text("key_alias"),
            "key_passphrase": self._passphrase("key_passphrase"),
        }
        material = self._key_material()
        if material is None:
            return ()
        source, content = material
        try:
            return read_keys(content, source=source, **options)
        except ConfigurationError as error:
            self._faults = {**error.fields, **self._faults}
            return ()

    def _key_material(self) -> tuple[str, str | bytes] | None:
        """What to read the key from, by the label of its field."""
        pasted, path = self._text("private_key"), self._file("key_file")
        if pasted and path:
            self._fault("key_file", "is set and Private key too; keep one of them")
            return None
        if pasted:
            return LABELS["private_key"], pasted
        if path:
            return self._read_key_file(Path(path))
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


def _decode_extra(extra: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if extra is None or extra == "":
        return {}
    if isinstance(extra, str):
        try:
            extra = json.loads(extra)
        except json.JSONDecodeError as error:
            raise ValueError(f"is no JSON (line {error.lineno}, column {error.colno})") from None
    if not isinstance(extra, Mapping):
        raise ValueError("is JSON but no object; enter {…}")
    return dict(extra)
