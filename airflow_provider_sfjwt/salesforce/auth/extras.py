"""The extras of a connection: decoded, and those that nobody reads named with the field that is meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from airflow_provider_sfjwt.salesforce.wire.json_text import decode_json

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
    "instance_domains": "Instance domains",
    "pubsub_endpoint": "Pub/Sub endpoint",
}
#: Fields that stand beside the extras.
OWN_FIELDS = ("login", "host", "password", "port")
#: What other programs, the official provider among them, call a field. Lower case, without ``_`` and ``-``.
_OTHER_NAMES = {
    "login": ("username", "user", "sub", "subject", "sfusername", "salesforceusername"),
    "host": (
        "domain", "loginurl", "instanceurl", "instance", "hostname", "url", "baseurl", "serverurl", "endpoint",
        "tokenurl", "authurl", "mydomain", "sfdomain", "environment", "sandbox",
    ),
    "password": (
        "privatekeypassphrase", "privatekeypassword", "passphrase", "keypassword", "pempassphrase", "storepass",
        "keystorepassword", "keystorepassphrase",
    ),
    "consumer_key": ("clientid", "iss", "issuer", "appid", "connectedappconsumerkey", "oauthclientid"),
    "consumer_secret": ("clientsecret", "oauthclientsecret"),
    "private_key": ("privatekeycontent", "privatekeypem", "key", "pem", "jwtkey", "rsaprivatekey", "secretkey"),
    "key_file": (
        "privatekeyfilepath", "privatekeypath", "privatekeyfile", "keypath", "keyfilepath", "pemfile", "pempath",
        "jwtkeyfile", "keystore", "keystorepath", "keystorefile",
    ),
    "key_alias": ("alias", "keystorealias"),
    "key_passphrase": ("keypass",),
    "audience": ("aud", "jwtaudience"),
    "certificate": ("cert", "publickey", "certificatepem", "x509"),
    "api_version": ("version", "sfversion", "apiver"),
    "ca_bundle": ("verify", "cacert", "cacerts", "cafile", "sslca", "sslcacert"),
    "proxy": ("proxies", "httpsproxy", "httpproxy", "proxyurl"),
    "http_timeout": ("timeout", "requesttimeout", "readtimeout"),
    "instance_domains": ("instancedomain", "alloweddomains", "trusteddomains", "alloweddomain", "trusteddomain"),
    "pubsub_endpoint": ("pubsub", "pubsuburl", "eventbus", "pubsubhost", "grpcendpoint"),
}  # fmt: skip
_BY_OTHER_NAME = {other: name for name, others in _OTHER_NAMES.items() for other in others}
_BY_OTHER_NAME |= {name.replace("_", ""): name for name in LABELS}
#: What belongs to ways of signing in that need no key.
_NEEDLESS = ("securitytoken", "organizationid", "refreshtoken", "accesstoken", "granttype")
_PREFIX = re.compile(r"^extra__\w+?__")


def decode_extra(extra: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the extras.

    :param extra: JSON text, also where it is encoded twice, or decoded.
    :return: the extras by their names; none where there is nothing.
    :raises ValueError: with a sentence that says what is wrong, without the content.
    """
    decoded: Any = extra
    for _ in range(2):
        if isinstance(decoded, str) and decoded.strip():
            try:
                decoded = decode_json(decoded.removeprefix("\ufeff"))
            except json.JSONDecodeError as error:
                raise ValueError(f"is not JSON (line {error.lineno}, column {error.colno})") from None
            except ValueError:
                raise ValueError("is JSON that nests too deep, or holds a number of thousands of digits") from None
    if decoded is None or decoded == "" or (isinstance(decoded, str) and not decoded.strip()):
        return {}
    if not isinstance(decoded, Mapping):
        raise ValueError("is JSON but not an object; enter {…}")
    return dict(decoded)


def meant_by(name: str) -> str | None:
    """The field that is meant by the name of an extra that nobody reads.

    :param name: e.g. ``private_key_file_path`` or ``consumerKey``.
    :return: the name of the field, a key of :data:`LABELS`; None where it is unclear.
    """
    plain = re.sub(r"[^a-z0-9]", "", _PREFIX.sub("", name).lower())
    if plain in _BY_OTHER_NAME:
        return _BY_OTHER_NAME[plain]
    alike = get_close_matches(plain, _BY_OTHER_NAME, n=1, cutoff=0.85)
    return _BY_OTHER_NAME[alike[0]] if alike and plain not in _NEEDLESS else None


def unread_extras(names: Iterable[str]) -> tuple[str, ...]:
    """Say which extras nobody reads, each with the field that is meant.

    :param names: of the extras.
    :return: a clause for each, without a full stop and without a value.
    """
    found = []
    for name in names:
        if name in LABELS and name not in OWN_FIELDS:
            continue
        meant = meant_by(name)
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        if meant in OWN_FIELDS:
            found.append(f"'{name}' is not read as an extra; {LABELS[meant]} (the field '{meant}') is meant")
        elif meant is not None:
            found.append(f"'{name}' is not read; '{meant}' ({LABELS[meant]}) is meant")
        elif plain in _NEEDLESS:
            found.append(f"'{name}' is not read; signing in by key does not need it")
        else:
            found.append(f"'{name}' is not read")
    return tuple(found)


def may_be_secret(name: str) -> bool:
    """Whether the value of an extra that nobody reads may be a secret, by its name.

    :param name: of the extra.
    """
    plain = name.lower()
    return meant_by(name) in ("password", "private_key", "key_passphrase", "consumer_secret", "proxy") or any(
        word in plain for word in ("secret", "pass", "token", "private_key", "privatekey")
    )
