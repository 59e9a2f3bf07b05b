"""``airflow-salesforce-jwt check | keygen | from-salesforce | sync``; since Airflow 3.2 ``airflow salesforce-jwt`` too.

Airflow imports this module whenever its command line starts, so that it imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.cli.output import can_print, ended, give_up, print_line, quietly, quoted

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from pathlib import Path

    from airflow_provider_sfjwt.doctor.official_connection import Conversion
    from airflow_provider_sfjwt.doctor.verdicts import Finding
    from airflow_provider_sfjwt.salesforce.auth.credentials import ConnectionSettings
    from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair

#: The exit code where a step of ``check`` failed.
FAILED = 1
_MARKS = {"ok": ("✓", "ok  "), "warning": ("!", "warn"), "failed": ("✗", "FAIL"), "skipped": ("–", "skip")}


def main(argv: list[str] | None = None) -> None:
    """Run a command without Airflow's command line, which knows the commands of providers from 3.2 on only.

    :param argv: what was given after the program's name; None for what the process was started with.
    """
    from argparse import ArgumentParser

    [group] = get_commands()
    parser = ArgumentParser(prog="airflow-salesforce-jwt", description=group.help)
    _add_commands(parser, group.subcommands)
    given = parser.parse_args(argv)
    given.command(given)


def _add_commands(parser: ArgumentParser, commands: Iterable[Any]) -> None:
    """Let a parser take commands, and groups of commands."""
    parsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        subparser = parsers.add_parser(command.name, help=command.help, description=command.description or command.help)
        if hasattr(command, "subcommands"):
            _add_commands(subparser, command.subcommands)
            continue
        for argument in command.args:
            argument.add_to_parser(subparser)
        subparser.set_defaults(command=command.func)


def get_commands() -> list[Any]:
    """Describe the commands to Airflow.

    :return: one group, ``salesforce-jwt``.
    """
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, GroupCommand, lazy_load_command

    from airflow_provider_sfjwt.cli.sync import sync_commands

    Arg: Any = cli_config.Arg  # noqa: N806 - it has no types, and this is its name
    conn_id = Arg(("conn_id",), help="Id of the connection")
    keygen = ActionCommand(
        name="keygen",
        help="Make a private key and the certificate to upload to Salesforce",
        func=lazy_load_command("airflow_provider_sfjwt.cli.keygen"),
        args=(
            Arg(("--bits",), type=int, choices=(2048, 4096), default=2048, help="Size of the RSA key (default 2048)"),
            Arg(("--days",), type=int, default=365, help="Days for which the certificate is valid (default 365)"),
            Arg(("--subject",), default="CN=airflow", help="Name in the certificate (default CN=airflow)"),
            Arg(("--out-dir",), default=".", help="Folder for both files (default: this one)"),
            Arg(("--name",), default="salesforce_jwt", help="Their name, to which .key and .crt are added"),
            Arg(("--encrypt",), action="store_true", help="Encrypt the key; asks for a passphrase"),
            Arg(("--passphrase-env",), metavar="VAR", help="With --encrypt: variable that holds the passphrase"),
            Arg(("--conn-id",), default="salesforce_jwt_default", help="Id in the command that is printed"),
        ),
    )
    convert = ActionCommand(
        name="from-salesforce",
        help="Print the Salesforce JWT connection that does what one of the official 'salesforce' type does",
        func=lazy_load_command("airflow_provider_sfjwt.cli.from_salesforce"),
        args=(
            conn_id,
            Arg(("--new-conn-id",), help="Id of the new connection (default: the old one with _jwt added)"),
            Arg(("--show-secrets",), action="store_true", help="Print the key and the proxy too"),
            ARG_VERBOSE,
        ),
    )
    help_text = "Check Salesforce JWT connections, make keys for them, and show how far syncs have got"
    commands = (_check_command(), keygen, convert, sync_commands())
    return [GroupCommand(name="salesforce-jwt", help=help_text, subcommands=commands)]


def _check_command() -> Any:
    """Describe ``check`` to Airflow."""
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, lazy_load_command

    Arg: Any = cli_config.Arg  # noqa: N806 - it has no types, and this is its name
    return ActionCommand(
        name="check",
        help="Say what is wrong with a Salesforce JWT connection, and which setting to change",
        description="Look at a connection step by step, up to the first that fails. It signs in at most once. "
        "Exit codes: 0 all passed, 1 a step failed, 2 the connection was not found or an argument is wrong.",
        func=lazy_load_command("airflow_provider_sfjwt.cli.check"),
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
            Arg(("--json",), action="store_true", help="Print the steps as JSON"),
            ARG_VERBOSE,
        ),
    )


def check(args: Namespace) -> None:
    """Examine a connection, and print a line for each step.

    :param args: ``conn_id``, ``dags``, ``certificate``, ``try_audiences``, ``permissions``, ``json`` and ``verbose``.
    :raises SystemExit: 1 when a step failed, 2 when the examination could not begin.
    """
    quietly(_check)(args)


def _check(args: Namespace) -> None:
    from airflow_provider_sfjwt.cli.watched_dags import check_dags

    if args.dags is None and args.conn_id is None:
        give_up("Give the id of a connection, or --dags with a folder of DAG files.")
    passed = args.dags is None or check_dags(args.dags)
    if args.conn_id is not None:
        passed = _check_connection(args) and passed
    if not passed:
        raise SystemExit(FAILED)


def _check_connection(args: Namespace) -> bool:
    import json
    from dataclasses import asdict

    from airflow_provider_sfjwt.doctor.checkup import Checkup
    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.hooks.configuration import retry_policy
    from airflow_provider_sfjwt.hooks.connections import connection_settings
    from airflow_provider_sfjwt.salesforce.wire.secret import Secret

    connection = Secret(_connection(args.conn_id))

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


def keygen(args: Namespace) -> None:
    """Make a key pair, and print what to do with it.

    :param args: ``bits``, ``days``, ``subject``, ``out_dir``, ``name``, ``encrypt``, ``passphrase_env`` and
        ``conn_id``.
    :raises SystemExit: 2 when an argument is wrong or a file exists.
    """
    from pathlib import Path

    from airflow_provider_sfjwt.exceptions import ConfigurationError
    from airflow_provider_sfjwt.salesforce.auth.key_pair import make_key_pair

    folder = Path(args.out_dir).resolve()
    key_file, certificate_file = folder / f"{args.name}.key", folder / f"{args.name}.crt"
    if Path(args.name).name != args.name:
        give_up("--name is the name of two files and holds no slash; --out-dir is their folder.")
    for path in (key_file, certificate_file):
        if path.exists():
            give_up(f"{path} exists and is not overwritten; choose another --name or --out-dir.")
    passphrase = _passphrase(args)
    try:
        pair = make_key_pair(bits=args.bits, days=args.days, subject=args.subject, passphrase=passphrase)
    except ConfigurationError as error:
        give_up("; ".join(f"--{name} {fault}" for name, fault in error.fields.items()) + ".")
    _write(key_file, pair.private_key, 0o600)
    try:
        _write(certificate_file, pair.certificate, 0o644)
    except SystemExit:
        key_file.unlink()
        raise
    _print_set_up(args, pair, key_file, certificate_file)


def _passphrase(args: Namespace) -> str | None:
    import getpass
    import os

    if not args.encrypt:
        if args.passphrase_env:
            give_up("--passphrase-env is for --encrypt.")
        return None
    if args.passphrase_env:
        return os.environ.get(args.passphrase_env) or give_up(f"The variable {args.passphrase_env} is not set.")
    try:
        first = getpass.getpass("Passphrase of the new key: ")
        if first == getpass.getpass("Once more: "):
            return first
    except (EOFError, KeyboardInterrupt):
        give_up("Nobody entered a passphrase; name a variable that holds it with --passphrase-env.")
    return give_up("The two passphrases differ.")


def _write(path: Path, text: str, mode: int) -> None:
    """Write a file that nobody else had or could read for a moment."""
    import os

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        give_up(f"{path} exists and is not overwritten; choose another --name or --out-dir.")
    except OSError as error:
        give_up(f"{path} cannot be written: {error.strerror}.")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(descriptor, mode)  # the umask may have taken rights away
        file.write(text)


def _print_set_up(args: Namespace, pair: KeyPair, key_file: Path, certificate_file: Path) -> None:
    from airflow_provider_sfjwt.salesforce.auth.certificates import read_certificate

    fingerprint = read_certificate(pair.certificate).fingerprint
    extra = {"consumer_key": "<Consumer Key>", "key_file": str(key_file), "certificate": pair.certificate}
    fields = {"conn_type": "salesforce_jwt", "login": "<username>", "host": "https://login.salesforce.com"}
    encrypted = " It is encrypted." if args.encrypt else " It is not encrypted."
    lines = [
        f"Private key: {key_file} (mode 0600).{encrypted} Keep it secret.",
        f"Certificate: {certificate_file}, valid until {pair.not_after:%Y-%m-%d}, {fingerprint}",
        "",
        "In Salesforce Setup, with an external client app:",
        "  1. External Client App Manager → New External Client App: name, contact e-mail, distribution state Local.",
        "  2. API (Enable OAuth Settings) → Enable OAuth. Callback URL, which is not used:",
        "     https://login.salesforce.com/services/oauth2/success. Scopes: Manage user data via APIs (api), and",
        "     Perform requests at any time (refresh_token, offline_access).",
        f"  3. Flow Enablement → Enable JWT Bearer Flow, and upload {certificate_file.name}. Create.",
        "  4. Policies → Edit → OAuth Policies → Permitted Users: Admin approved users are pre-authorized. Under App",
        "     Policies, add a permission set or profile of the integration user.",
        "  5. Settings → OAuth Settings → Consumer Key and Secret: copy the Consumer Key. The secret is not needed.",
        "With a connected app (orgs that may still make one):",
        "  1. App Manager → New Connected App → Enable OAuth Settings: callback URL and scopes as above.",
        f"  2. Use digital signatures: upload {certificate_file.name}. Save.",
        "  3. Manage Connected Apps → the app → Edit Policies → Permitted Users:",
        "     Admin approved users are pre-authorized. Then Manage Permission Sets: add one of the integration user.",
        "  4. App Manager → the app → View → Manage Consumer Details: copy the Consumer Key.",
        "A new or changed app needs 2 to 10 minutes, sometimes 30.",
        "",
        "Then, on a machine where Airflow runs (for a sandbox, host is https://test.salesforce.com):",
        _add_command(args.conn_id, fields | {"extra": extra}),
        f"airflow-salesforce-jwt check {quoted(args.conn_id)}",
        "",
        "The worker must be able to read the key under that path; or else paste the key into Private key.",
    ]
    if args.encrypt:
        lines.append("Enter the passphrase in the connection's field 'Key or key-store passphrase'.")
    for line in lines:
        print_line(line)


def from_salesforce(args: Namespace) -> None:
    """Print what to make of a connection of the official type.

    :param args: ``conn_id``, ``new_conn_id``, ``show_secrets`` and ``verbose``.
    :raises SystemExit: 2 when there is no such connection.
    """
    quietly(_from_salesforce)(args)


def _from_salesforce(args: Namespace) -> None:
    from airflow_provider_sfjwt.doctor.official_connection import convert
    from airflow_provider_sfjwt.exceptions import ConfigurationError

    connection = _connection(args.conn_id)
    if connection.conn_type != "salesforce":
        give_up(f"Connection '{args.conn_id}' is of the type '{connection.conn_type}', not 'salesforce'.")
    try:
        conversion = convert(login=connection.login, password=connection.password, extra=connection.extra)
    except ConfigurationError as error:
        give_up(f"Connection '{args.conn_id}': {error}.")
    _print_conversion(args, conversion)


def _print_conversion(args: Namespace, conversion: Conversion) -> None:
    import json
    import sys

    fields = conversion.fields if args.show_secrets else conversion.shown
    new_id = args.new_conn_id or f"{args.conn_id}_jwt"
    lines = [f"How '{args.conn_id}' signs in today: {ended(conversion.sign_in)}"]
    if conversion.ends:
        lines.append(f"When that ends: {ended(conversion.ends)}")
    lines += [f"Note: {note}" for note in conversion.notes]
    if conversion.secret and not args.show_secrets:
        lines.append("Note: secrets are left out of the JSON; --show-secrets puts them in.")
    lines += [
        "The connection is printed as JSON. Save it, readable for you alone, import it, and delete the file:",
        # Not `connections add --conn-json`: Airflow's audit log would keep that command with the key in it.
        "  umask 077",
        f"  airflow-salesforce-jwt from-salesforce {quoted(args.conn_id)} --show-secrets > connection.json",
        "  airflow connections import connection.json",
        f"  airflow-salesforce-jwt check {quoted(new_id)}",
    ]
    for line in lines:
        print_line(line, file=sys.stderr)
    # Alone on stdout, so that it can be sent into a file.
    print(json.dumps({new_id: fields}, indent=2))


def _connection(conn_id: str) -> Any:
    """Find a connection wherever this installation keeps some, its database included."""
    from airflow.models import Connection

    from airflow_provider_sfjwt.compat import AirflowNotFoundException
    from airflow_provider_sfjwt.hooks.connection_text import HOW_TO_WRITE, fault_of_variable

    try:
        # Only in servers does the way that tasks take lead to the database.
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        fault = fault_of_variable(conn_id)
        if fault is not None:
            give_up(f"Connection '{conn_id}': {fault}.")
        give_up(
            f"There is no connection '{conn_id}' in the secrets backend, the environment or the database that this "
            f"command sees, or Airflow cannot read it: {HOW_TO_WRITE}. 'airflow connections list' shows the database's."
        )


def _file(path: str) -> bytes:
    from pathlib import Path

    try:
        return Path(path).read_bytes()
    except OSError as error:
        give_up(f"{path} cannot be read: {error.strerror}.")


def _add_command(conn_id: str, fields: dict[str, Any]) -> str:
    import json

    return f"airflow connections add {quoted(conn_id)} --conn-json {quoted(json.dumps(fields))}"
