"""The secrets and settings that the documentation shows, with an org's values in place of its examples."""

from __future__ import annotations

import configparser
import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tests.repository import REPOSITORY

PAGES = [REPOSITORY / "docs" / name for name in ("connection.md", "secrets_backends.md")]
_BLOCK = re.compile(
    r"^<!-- (?P<mark>(?:secret|settings): [\w ]+) -->\n```\w+\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_PEM = "-----BEGIN {kind}PRIVATE KEY-----\n{start}\n-----END {kind}PRIVATE KEY-----\n"
#: What the page shows in place of a key, and of one with a passphrase.
EXAMPLE_KEY = _PEM.format(kind="", start="MIIEvQIBADANBg...")
EXAMPLE_ENCRYPTED_KEY = _PEM.format(kind="ENCRYPTED ", start="MIIFNTBfBgkqhk...")
EXAMPLE_KEY_STORE = "/u3+7QAAAAIAAAAB..."
_EXAMPLE_ID = "salesforce_jwt_default"


def blocks() -> dict[str, str]:
    """Every marked block by its mark, e.g. ``secret: environment json``."""
    texts = (page.read_text(encoding="utf-8") for page in PAGES)
    return {each["mark"]: each["body"] for text in texts for each in _BLOCK.finditer(text)}


def filled(mark: str, conn_id: str, values: Mapping[str, str]) -> str:
    """A block with other values, each written as the block writes its example.

    :param mark: of the block.
    :param conn_id: in place of the page's.
    :param values: by the examples that they replace.
    """
    text = blocks()[mark].replace(_EXAMPLE_ID, conn_id).replace(_EXAMPLE_ID.upper(), conn_id.upper())
    for example, value in values.items():
        for written in (_as_json, _as_url, _as_block):
            text = text.replace(written(example), written(value))
    left = re.search(r"\bacme\b|\.\.\.|the passphrase of", text)
    assert left is None, f"{mark}: {left and left[0]} of the example is left in\n{text}"
    return text


def variable(conn_id: str, content: str) -> dict[str, str]:
    """The variable of the environment that holds a connection.

    :param conn_id: the connection's id.
    :param content: JSON or a URI.
    """
    return {f"AIRFLOW_CONN_{conn_id.upper()}": content.strip()}


def settings(mark: str) -> dict[str, str]:
    """The variables that mean the same as a block of ``airflow.cfg``.

    :param mark: of the block.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(blocks()[mark])
    return {
        f"AIRFLOW__{section.upper()}__{name.upper()}": value
        for section in parser.sections()
        for name, value in parser[section].items()
    }


def with_file(variables: Mapping[str, str], path: Path) -> dict[str, str]:
    """The settings with another path of the file of connections, whose name must end alike.

    :param variables: from :func:`settings`.
    :param path: of the file.
    """
    name = "AIRFLOW__SECRETS__BACKEND_KWARGS"
    options = json.loads(variables[name])
    assert Path(options["connections_file_path"]).suffix == path.suffix
    return {**variables, name: json.dumps(options | {"connections_file_path": str(path)})}


def _as_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _as_url(text: str) -> str:
    return quote(text, safe="")


def _as_block(text: str) -> str:
    return textwrap.indent(text, " " * 6)
