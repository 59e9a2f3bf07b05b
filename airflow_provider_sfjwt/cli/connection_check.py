"""``airflow-salesforce-jwt check``: what is wrong with a connection, and with what is watched over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.cli.output import can_print, ended, give_up, print_line, quietly

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from airflow_provider_sfjwt.cli.watched_dags import WatchedDags
    from airflow_provider_sfjwt.doctor.verdicts import Finding
    from airflow_provider_sfjwt.doctor.watching import Watched
    from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings

#: The exit code where a step failed.
FAILED = 1
_MARKS = {"ok": ("✓", "ok  "), "warning": ("!", "warn"), "failed": ("✗", "FAIL"), "skipped": ("–", "skip")}


def check_command() -> Any:
    """Describe ``check`` to Airflow.

    :return: the command.
    """
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, lazy_load_command

    Arg: Any = cli_config.Arg  # noqa: N806 - it has no types, and this is its name
    return ActionCommand(
        name="check",
        help="Say what is wrong with a Salesforce JWT connection, and which setting to change",
        description="Look at a connection step by step, up to the first that fails. It signs in at most once. "
        "Exit codes: 0 all passed, 1 a step failed, 2 the connection was not found or an argument is wrong.",
        func=lazy_load_command("airflow_provider_sfjwt.cli.connection_check.check"),
        args=(
            Arg(("conn_id",), nargs="?", help="Id of the connection"),
            Arg(("--dags",), metavar="FOLDER", help="Look at the watched assets of the DAG files of a folder, too"),
            Arg(("--certificate",), metavar="FILE", help="The certificate uploaded to Salesforce, PEM or DER"),
            Arg(
                ("--try-audiences",),
                action="store_true",
                help="When Salesforce refuses the audience, try the others; each try is a row in the login history",
            ),
            Arg(
                ("--permissions",),
                nargs="+",
                metavar="SOBJECT",
                default=[],
                help="Then look at what the user may do with these objects, what is missing, and where it is given",
            ),
            Arg(
                ("--watch",),
                nargs="+",
                metavar="NAME",
                default=[],
                help="Then ask whether the user may read the events of these objects, platform events or topics",
            ),
            Arg(
                ("--make-pool",),
                action="store_true",
                help="Then make a pool in Airflow for the tasks of this org, and explain how many slots it has",
            ),
            Arg(("--json",), action="store_true", help="Print the steps as JSON"),
            ARG_VERBOSE,
        ),
    )


def check(args: Namespace) -> None:
    """Examine a connection, and print a line for each step.

    :param args: ``conn_id``, ``dags``, ``certificate``, ``try_audiences``, ``permissions``, ``watch``, ``make_pool``,
        ``json`` and ``verbose``.
    :raises SystemExit: 1 when a step failed, 2 when the examination could not begin.
    """
    quietly(_check)(args)


def _check(args: Namespace) -> None:
    from airflow_provider_sfjwt.cli.watched_dags import WatchedDags
    from airflow_provider_sfjwt.doctor.watching import Watched

    if args.dags is None and args.conn_id is None:
        give_up("Give the id of a connection, or --dags with a folder of DAG files.")
    if args.watch and args.conn_id is None:
        give_up("--watch asks with a connection: give its id.")
    if args.make_pool and args.conn_id is None:
        give_up("--make-pool makes the pool of a connection's org: give its id.")
    watched, passed = [Watched.named(name) for name in args.watch], True
    if args.dags is not None:
        dags = WatchedDags(args.dags)
        passed = _report_faults(args, dags)
        watched += dags.watched(args.conn_id)
    if args.conn_id is not None:
        passed = _check_connection(args, watched) and passed
    if not passed:
        raise SystemExit(FAILED)


def _report_faults(args: Namespace, dags: WatchedDags) -> bool:
    """Print what is wrong with the watched assets of DAG files. True for nothing."""
    import sys

    fancy, plain = ("✗", "FAIL") if dags.faults else ("✓", "ok  ")
    # Where the steps are JSON, they are alone on stdout.
    file = sys.stderr if args.json and args.conn_id is not None else sys.stdout
    for fault in dags.faults or [f"the watched assets of {args.dags}"]:
        print_line(f"{fancy if can_print('✓✗–', file) else plain} {fault}", file=file)
    return not dags.faults


def _check_connection(args: Namespace, watched: Sequence[Watched]) -> bool:
    import json
    from dataclasses import asdict

    from airflow_provider_sfjwt.cli.stored_connection import stored_connection
    from airflow_provider_sfjwt.compat.pools import make_pool
    from airflow_provider_sfjwt.doctor.checkup import Checkup
    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.hooks.configuration import retry_policy
    from airflow_provider_sfjwt.hooks.connections import connection_settings
    from airflow_provider_sfjwt.salesforce.wire.secret import Secret

    connection = Secret(stored_connection(args.conn_id))

    def read() -> ConnectionSettings:
        try:
            return connection_settings(connection, args.conn_id)
        except ConfigurationError as error:
            if "Connection Type" in error.fields:
                give_up(f"Connection '{args.conn_id}' {error.fields['Connection Type']}.")
            raise

    checkup = Checkup(
        read,
        retry_policy(),
        certificate=_file(args.certificate) if args.certificate else None,
        try_audiences=args.try_audiences,
        permissions=args.permissions,
        watched=watched,
        make_pool=make_pool if args.make_pool else None,
    )
    findings = []
    for finding in checkup.findings():
        findings.append(finding)
        if not args.json:
            _print_finding(finding)
    passed = all(finding.passed for finding in findings)
    if args.json:
        shown = [{name: value for name, value in asdict(finding).items() if name != "short"} for finding in findings]
        print(json.dumps({"conn_id": args.conn_id, "passed": passed, "steps": shown}, indent=2))
    elif checkup.audience_refused and not args.try_audiences:
        print_line("  Next: --try-audiences tries the others; each try is a row in the user's login history.")
    return passed


def _print_finding(finding: Finding) -> None:
    fancy, plain = _MARKS[finding.mark]
    print_line(f"{fancy if can_print('✓✗–') else plain} {finding.name + ':':<12} {ended(finding.detail)}")
    if finding.said:
        print_line(f"  Said: {finding.said}")
    if finding.remedy:
        print_line(f"  Remedy: {ended(finding.remedy)}")
    if finding.setup_page:
        print_line(f"  Setup page: {finding.setup_page}")


def _file(path: str) -> bytes:
    from pathlib import Path

    try:
        return Path(path).read_bytes()
    except OSError as error:
        give_up(f"{path} cannot be read: {error.strerror}.")
