"""What a load can do with its rows: one entry for each operation.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/create_job.htm
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Operation:
    """An operation: everything that the rest of a load must know of it.

    :param name: the name in Bulk API 2.0.
    :param needs: what the object's and the fields' descriptions must allow, e.g. ``createable``. One of several is
        enough for a field; the object must allow all.
    :param finds_by: what names the record of a row: its ``Id``, the load's external id field, or None where every row
        becomes a new record.
    :param repeatable: whether sending a row twice leaves the org as sending it once does.
    :param deletes: whether records are deleted. Such a load sends ``Id`` alone.
    :param rest: when rows go over REST (sObject Collections). ``never``: REST does not offer the operation. ``asked``:
        with ``transport="rest"``. ``few``: also with ``transport="auto"`` where there are few rows, because they may be
        sent again after a lost answer.
    :param aliases: other names that it is known by.
    """

    name: str
    needs: tuple[str, ...]
    finds_by: Literal["Id", "external id"] | None
    repeatable: bool = True
    deletes: bool = False
    rest: Literal["never", "asked", "few"] = "asked"
    aliases: tuple[str, ...] = ()

    def key(self, external_id_field: str | None) -> str | None:
        """The field whose value names the record of a row.

        :param external_id_field: the load's external id field.
        :return: the field's name, or None where every row becomes a new record.
        """
        return external_id_field if self.finds_by == "external id" else self.finds_by


#: Every operation, by its name in Bulk API 2.0.
OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("insert", ("createable",), finds_by=None, repeatable=False),
        Operation("update", ("updateable",), finds_by="Id", rest="few"),
        Operation("upsert", ("createable", "updateable"), finds_by="external id", rest="few"),
        Operation("delete", ("deletable",), finds_by="Id", deletes=True),
        Operation(
            "hardDelete",
            ("deletable",),
            finds_by="Id",
            deletes=True,
            rest="never",
            aliases=("harddelete", "hard_delete"),
        ),
    )
}
_BY_ANY_NAME = {name: each for each in OPERATIONS.values() for name in (each.name, *each.aliases)}


def operation_named(name: str) -> Operation | None:
    """Find an operation.

    :param name: its name or an alias.
    :return: the operation, or None for an unknown name.
    """
    return _BY_ANY_NAME.get(name)
