from __future__ import annotations

import functools
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from airflow_provider_sfjwt.cli import main
from airflow_provider_sfjwt.compat import has_declarative_forms
from airflow_provider_sfjwt.testing import SimulatedOrg
from tests.orgs import private_key

__all__ = ["private_key"]


class Outcome(NamedTuple):
    """What a command did.

    :param code: its exit code.
    :param out: what it printed.
    :param err: what it printed to stderr.
    """

    code: int
    out: str
    err: str


@functools.cache
def _parser() -> ArgumentParser:
    from airflow.cli.cli_parser import get_parser

    return get_parser()


@pytest.fixture
def airflow(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command through Airflow's own command line, in this process; before Airflow 3.2, by the script."""

    def run(*arguments: str) -> Outcome:
        code = 0
        capsys.readouterr()  # what Airflow has printed before
        try:
            if has_declarative_forms():
                args = _parser().parse_args(["salesforce-jwt", *arguments])
                args.func(args)
            else:
                main(list(arguments))
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch, private_key: str) -> Iterator[SimulatedOrg]:
    """An org, and the connection ``sf`` to it."""
    monkeypatch.setenv("AIRFLOW__SALESFORCE_JWT__RETRY_FIRST_DELAY", "0.001")
    with SimulatedOrg(records={}, private_key=private_key) as running:
        monkeypatch.setenv("AIRFLOW_CONN_SF", running.connection_json())
        yield running
