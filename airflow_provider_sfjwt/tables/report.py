"""What became of the rows of a merge."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class MergeReport:
    """What became of the rows.

    :param table: as the database found it, e.g. ``public.accounts``.
    :param data_sets: how many were given.
    :param already_applied: how many of them an earlier task had merged; their rows were not read.
    :param staged: rows read.
    :param inserted: rows that the table did not have.
    :param updated: rows that differed.
    :param unchanged: rows that were the same, or older than the table's.
    :param deleted: rows removed from the table.
    :param columns_added: columns that the table did not have.
    """

    table: str
    data_sets: int = 0
    already_applied: int = 0
    staged: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    columns_added: tuple[str, ...] = ()

    def plus(self, other: MergeReport) -> MergeReport:
        """Add up the counts of two data sets.

        :param other: of the same table.
        """
        mine, others = asdict(self), asdict(other)
        return MergeReport(**{name: value if name == "table" else value + others[name] for name, value in mine.items()})

    def summary(self) -> dict[str, Any]:
        """What an operator returns to XCom."""
        return {**asdict(self), "columns_added": list(self.columns_added)}

    def __str__(self) -> str:
        if self.already_applied == self.data_sets:
            return f"{self.table}: already applied, nothing to do"
        return (
            f"{self.table}: {self.staged:,} rows staged, {self.inserted:,} inserted, {self.updated:,} updated, "
            f"{self.unchanged:,} unchanged, {self.deleted:,} deleted"
        )
