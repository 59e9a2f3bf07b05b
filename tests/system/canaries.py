"""A search for secrets in everything that an Airflow keeps."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from cryptography.fernet import Fernet

Secrets = Mapping[str, bytes]


def of_key(name: str, pem: str) -> dict[str, bytes]:
    """A private key as it could come up: whole, by lines, and without its line ends.

    :param name: for messages.
    :param pem: the key.
    """
    body = [line for line in pem.splitlines() if line and not line.startswith("-----") and ":" not in line]
    lines = {f"line {number} of the {name}": line for number, line in enumerate(body, 1) if len(line) > 20}
    whole = {f"the {name}": pem.strip(), f"the body of the {name}": "".join(body)}
    return {what: text.encode() for what, text in (whole | lines).items()}


def of_assertion(assertion: str) -> dict[str, bytes]:
    """An assertion as it could come up: its signature says all, the rest is no secret but should not be there either.

    :param assertion: the JWS.
    """
    header, claims, signature = assertion.split(".")
    return {
        "an assertion's header": header.encode(),
        "an assertion's claims": claims.encode(),
        "an assertion's signature": signature.encode(),
    }


def of_token(token: str) -> dict[str, bytes]:
    """An access token as it could come up: plain, encoded for a URL, and the part that is the secret.

    :param token: the token.
    """
    return {
        "an access token": token.encode(),
        "an access token in a URL": quote(token, safe="").encode(),
        "the secret half of an access token": token.partition("!")[2].encode(),
    }


def everywhere(secrets: Secrets) -> dict[str, bytes]:
    """The secrets, and each of them once more in base64.

    :param secrets: by their names.
    """
    encoded = {f"{name}, in base64": base64.b64encode(value).rstrip(b"=") for name, value in secrets.items()}
    return {**secrets, **encoded}


def places(home: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that an Airflow keeps: each file below its home, and each value of each table.

    :param home: of the Airflow. Its own keys lie there too, and hold nothing of ours.
    """
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()
    yield from rows(home / "airflow.db")


def rows(database: Path) -> Iterator[tuple[str, bytes]]:
    """Each value of each table, with a name that says where it is.

    :param database: an SQLite file, in use.
    """
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=30)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for number, row in enumerate(cursor, 1):
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, str | bytes):
                        where = f"{table}.{name} in row {number}"
                        yield where, value if isinstance(value, bytes) else value.encode()
    finally:
        connection.close()


def stored_triggers(database: Path, fernet_key: str) -> list[bytes]:
    """What the triggers of deferred tasks hold, decrypted where Airflow encrypts it.

    :param database: an SQLite file, in use.
    :param fernet_key: of the Airflow.
    """
    fernet = Fernet(fernet_key)
    stored = [value for where, value in rows(database) if where.startswith("trigger.kwargs ")]
    return [value if value.startswith(b"{") else fernet.decrypt(value) for value in stored]


def found(secrets: Secrets, where: Iterator[tuple[str, bytes]]) -> list[str]:
    """Search.

    :param secrets: by their names.
    :param where: the contents to search, by their places.
    :return: what was found, and where.
    """
    return [f"{name} is in {place}" for place, content in where for name, value in secrets.items() if value in content]
