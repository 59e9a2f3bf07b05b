"""``airflow-salesforce-jwt sync status | reset``: how far a sync has got, and from where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.cli.output import give_up, print_line, quietly

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from airflow_provider_sfjwt.sync.root import SyncRoot
    from airflow_provider_sfjwt.sync.state import ObjectState


def sync_commands() -> Any:
    """Describe the commands to Airflow.

    :return: the group ``sync``.
    """
    from airflow.cli import cli_config
    from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, GroupCommand, lazy_load_command

    Arg: Any = cli_config.Arg  # noqa: N806 - it has no types, and this is its name
    root = Arg(("root",), help="The sync's output_path, e.g. s3://conn_id@bucket/salesforce")
    sobject = Arg(("--sobject",), action="append", metavar="NAME", help="An object; may be given more than once")
    status = ActionCommand(
        name="status",
        help="Show how far each object has got, and which run has the lease",
        func=lazy_load_command("airflow_provider_sfjwt.cli.sync.status"),
        args=(root, sobject, Arg(("--json",), action="store_true", help="Print the states as JSON"), ARG_VERBOSE),
    )
    reset = ActionCommand(
        name="reset",
        help="Let the next run extract all rows of an object again, or end the lease of a run that was killed",
        description="What is published stays. Exit codes: 0 done, 2 nothing was changed.",
        func=lazy_load_command("airflow_provider_sfjwt.cli.sync.reset"),
        args=(
            root,
            sobject,
            Arg(("--lease",), action="store_true", help="End the lease of the run that writes to the root"),
            ARG_VERBOSE,
        ),
    )
    return GroupCommand(
        name="sync", help="Show and reset how far a sync of many objects has got", subcommands=(status, reset)
    )


def status(args: Namespace) -> None:
    """Print how far each object has got.

    :param args: ``root``, ``sobject``, ``json`` and ``verbose``.
    :raises SystemExit: 2 when there is no sync, or a state cannot be read.
    """
    quietly(_status)(args)


def reset(args: Namespace) -> None:
    """Let the next run begin anew.

    :param args: ``root``, ``sobject``, ``lease`` and ``verbose``.
    :raises SystemExit: 2 when nothing was changed.
    """
    quietly(_reset)(args)


def _status(args: Namespace) -> None:
    import json

    from airflow_provider_sfjwt.extract.route import RestLimits
    from airflow_provider_sfjwt.sync.lease import read_lease, shown
    from airflow_provider_sfjwt.sync.state import States

    root, names = _opened(args)
    states = _read(names, States(root, RestLimits()).recorded)
    lease = read_lease(root)
    if args.json:
        content = {"lease": lease.to_json() if lease else None, "objects": [state.to_json() for state in states]}
        print(json.dumps(content, indent=2))
        return
    print_line(f"Lease: {f'{lease.owner}, until {shown(lease.until)}' if lease else 'none'}")
    width = max((len(state.sobject) for state in states), default=0)
    for state in sorted(states, key=lambda each: each.sobject):
        print_line(f"{state.sobject:<{width}}  {_line(state)}")


def _line(state: ObjectState) -> str:
    if state.refused is not None and not state.sequence:
        return f"refused by Salesforce on {state.refused['at']}: {state.refused['answer']}"
    reached = state.reached or "the next run extracts all rows"
    needs = f", needs {state.needs}" if state.needs and state.reached else ""
    follows = state.cursor_field or "all rows each time"
    return f"#{state.sequence}  {reached}  {follows}  {state.records:,} rows last{needs}"


def _reset(args: Namespace) -> None:
    from airflow_provider_sfjwt.extract.route import RestLimits
    from airflow_provider_sfjwt.sync.lease import end_lease, read_lease, shown
    from airflow_provider_sfjwt.sync.state import States

    if not args.sobject and not args.lease:
        give_up("Say what to reset: --sobject NAME, or --lease. Nothing was changed.")
    root, names = _opened(args)
    lease = read_lease(root)
    if lease is not None and not args.lease:
        give_up(
            f"{lease.owner} has the root until {shown(lease.until)}, and would write over the reset. Wait for it, or "
            "give --lease as well if it was killed. Nothing was changed."
        )
    if args.lease:
        print_line("The lease is ended." if end_lease(root, None) else "No run has the lease.")
    if not args.sobject:
        return
    states = States(root, RestLimits())
    for state in _read(names, states.current):
        states.write(state.from_the_beginning())
        print_line(f"{state.sobject}: the next run extracts all rows, as #{state.sequence + 1} of its chain.")


def _opened(args: Namespace) -> tuple[SyncRoot, list[str]]:
    """The root, and the objects that were named, or all that it has."""
    from airflow_provider_sfjwt.exceptions import SalesforceError
    from airflow_provider_sfjwt.sync.root import SyncRoot

    try:
        root = SyncRoot(args.root)
        if root.read_json("_sync.json") is None:
            give_up(f"{args.root} holds no sync: there is no _sync.json. Give the output_path of the sync.")
        known = {name.lower(): name for name in root.objects()}
    except SalesforceError as error:
        give_up(f"{error}")
    wanted = args.sobject or list(known.values())
    if unknown := [name for name in wanted if name.lower() not in known]:
        give_up(f"{args.root} has no {', '.join(unknown)}; it has {', '.join(known.values()) or 'no object yet'}.")
    return root, [known[name.lower()] for name in wanted]


def _read(names: list[str], state_of: Callable[[str], ObjectState | None]) -> list[ObjectState]:
    from airflow_provider_sfjwt.exceptions import SalesforceError

    try:
        return [state for state in map(state_of, names) if state is not None]
    except SalesforceError as error:
        give_up(f"{error}")
