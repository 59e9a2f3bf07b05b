"""``airflow-salesforce-jwt check | keygen | from-salesforce | sync``; since Airflow 3.2 ``airflow salesforce-jwt`` too.

Airflow imports this module whenever its command line starts, so that it imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.cli.output import ended, give_up, print_line, quietly, quoted

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from pathlib import Path

    from airflow_provider_sfjwt.doctor.official_connection import Conversion
    from airflow_provider_sfjwt.salesforce.auth.key_pair import KeyPair


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

    from airflow_provider_sfjwt.cli.connection_check import check_command
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
    commands = (check_command(), keygen, convert, sync_commands())
    return [GroupCommand(name="salesforce-jwt", help=help_text, subcommands=commands)]


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
    from airflow_provider_sfjwt.cli.stored_connection import stored_connection
    from airflow_provider_sfjwt.doctor.official_connection import convert
    from airflow_provider_sfjwt.exceptions import ConfigurationError

    connection = stored_connection(args.conn_id)
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


def _add_command(conn_id: str, fields: dict[str, Any]) -> str:
    import json

    return f"airflow connections add {quoted(conn_id)} --conn-json {quoted(json.dumps(fields))}"
