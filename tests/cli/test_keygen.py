"""``airflow-salesforce-jwt keygen``: two files that nobody had before, and what to do with them."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate
from airflow_provider_sfjwt.salesforce.auth.keys import read_keys
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.cli.conftest import Outcome

Airflow = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "it's a folder"
    made.mkdir()
    return made


def printed_connection(out: str) -> tuple[str, dict[str, Any]]:
    """The id and the fields of the ``airflow connections add`` command that was printed."""
    command = next(line for line in out.splitlines() if line.startswith("airflow connections add"))
    words = shlex.split(command)
    assert words[:3] == ["airflow", "connections", "add"]
    assert words[4] == "--conn-json"
    return words[3], json.loads(words[5])


def test_a_new_key_signs_in_once_its_certificate_is_registered(
    airflow: Airflow, org: SimulatedOrg, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = airflow("keygen", "--out-dir", str(folder), "--conn-id", "new")
    assert (done.code, done.err) == (0, "")
    conn_id, fields = printed_connection(done.out)
    assert conn_id == "new"
    text = json.dumps(fields | {"host": org.url})
    text = text.replace("<username>", org.username).replace("<Consumer Key>", org.consumer_key)
    monkeypatch.setenv("AIRFLOW_CONN_NEW", text)
    refused = airflow("check", "new")
    assert refused.code == 1
    assert "✗ exchange:    Private key and certificate do not belong together" in refused.out
    org.register_certificate((folder / "salesforce_jwt.crt").read_text())
    passed = airflow("check", "new")
    assert passed.code == 0
    assert "✓ certificate: CN=airflow, SHA256:" in passed.out
    assert "in 364 days; it belongs to the key." in passed.out


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_the_key_is_for_its_owner_alone(airflow: Airflow, folder: Path, umask: None) -> None:
    done = airflow("keygen", "--out-dir", str(folder), "--name", "acme", "--days", "30", "--subject", "CN=etl,O=Acme")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"acme.key": 0o600, "acme.crt": 0o644}
    certificate = read_certificate((folder / "acme.crt").read_bytes())
    assert certificate.subject == "CN=etl,O=Acme"
    assert (certificate.not_after - certificate.not_before).days == 30
    (key,) = read_keys((folder / "acme.key").read_bytes(), source="Key file")
    assert key.fingerprint == certificate.fingerprint
    assert certificate.fingerprint in done.out
    assert not any(line in done.out for line in (folder / "acme.key").read_text().splitlines()[1:-1])


def test_it_says_what_to_do_in_setup_the_newer_kind_of_app_first(airflow: Airflow, folder: Path) -> None:
    out = airflow("keygen", "--out-dir", str(folder)).out
    assert 0 < out.index("external client app") < out.index("Enable JWT Bearer Flow") < out.index("a connected app")
    assert out.count("Admin approved users are pre-authorized") == 2
    assert out.index("Use digital signatures") < out.index("airflow connections add")


@pytest.mark.parametrize("there", ["salesforce_jwt.key", "salesforce_jwt.crt"])
def test_nothing_is_overwritten_and_nothing_half_is_left(airflow: Airflow, folder: Path, there: str) -> None:
    (folder / there).write_text("somebody's own")
    done = airflow("keygen", "--out-dir", str(folder))
    assert (done.code, done.out) == (2, "")
    assert f"{there} exists and is not overwritten" in done.err
    assert [path.name for path in folder.iterdir()] == [there]
    assert (folder / there).read_text() == "somebody's own"


def test_nor_is_what_somebody_else_makes_meanwhile(
    airflow: Airflow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A link to nowhere is not there for the one who looks, and there for the one who makes the file.
    (folder / "salesforce_jwt.crt").symlink_to(folder / "nowhere")
    done = airflow("keygen", "--out-dir", str(folder))
    assert done.code == 2
    assert "exists and is not overwritten" in done.err
    assert [path.name for path in folder.iterdir()] == ["salesforce_jwt.crt"]


def test_a_folder_that_is_not_there(airflow: Airflow, folder: Path) -> None:
    done = airflow("keygen", "--out-dir", str(folder / "none"))
    assert done.code == 2
    assert "salesforce_jwt.key cannot be written: No such file or directory." in done.err


def test_the_passphrase_comes_from_a_variable_or_is_asked_for(
    airflow: Airflow, org: SimulatedOrg, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_PASSPHRASE", "from a variable")
    done = airflow("keygen", "--out-dir", str(folder), "--name", "a", "--encrypt", "--passphrase-env", "KEY_PASSPHRASE")
    assert "It is encrypted." in done.out
    assert "from a variable" not in done.out
    assert "'Key or key-store passphrase'" in done.out
    assert read_keys((folder / "a.key").read_bytes(), source="Key file", passphrase="from a variable")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed twice")
    assert airflow("keygen", "--out-dir", str(folder), "--name", "b", "--encrypt").code == 0
    assert read_keys((folder / "b.key").read_bytes(), source="Key file", passphrase="typed twice")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bits", "1024"], "invalid choice"),
        (["--days", "0"], "--days a certificate is made for 1 to 3650 days."),
        (["--subject", "airflow"], "--subject is not a name such as CN=airflow"),
        (["--name", "a/b"], "holds no slash"),
        (["--passphrase-env", "X"], "--passphrase-env is for --encrypt."),
        (["--encrypt", "--passphrase-env", "NOT_SET_ANYWHERE"], "The variable NOT_SET_ANYWHERE is not set."),
        (["--encrypt", "--passphrase-env", "SHORT"], "--passphrase must have 5 characters or more"),
    ],
)
def test_what_is_wrong_with_an_argument_is_said(
    airflow: Airflow, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("SHORT", "1234")
    done = airflow("keygen", "--out-dir", str(folder), *arguments)
    assert done.code == 2
    assert said in done.err
    assert not list(folder.iterdir())


def test_two_different_passphrases_or_none_make_no_key(
    airflow: Airflow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["one passphrase", "another"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert "The two passphrases differ." in airflow("keygen", "--out-dir", str(folder), "--encrypt").err

    def nobody(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    assert "Nobody entered a passphrase" in airflow("keygen", "--out-dir", str(folder), "--encrypt").err
    assert not list(folder.iterdir())
