"""The table that rows are merged into: created, compared with the extract, and evolved."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.tables.columns import MergeColumn, MergeColumns
from airflow_provider_sfjwt.tables.database import Database, Target
from airflow_provider_sfjwt.tables.spec import MergeSpec
from airflow_provider_sfjwt.tables.statements import MergeStatements


class TableSchema:
    """A table beside the columns that go into it.

    :param database: in its transaction.
    :param target: the table.
    :param spec: what is asked for.
    :param columns: of the merge.
    """

    def __init__(self, database: Database, target: Target, spec: MergeSpec, columns: MergeColumns) -> None:
        self._database = database
        self._target = target
        self._spec = spec
        self._columns = columns
        self._declared: dict[str, str] = {}

    def prepare(self) -> list[str]:
        """Create the table, or add the columns that it lacks.

        :return: the columns that were added to a table that was there.
        :raises ConfigurationError: naming every column that the table cannot take, and why.
        """
        self._refuse_long_names()
        found = self._database.columns_of(self._target)
        if found is None:
            self._create()
            return []
        self._declared = self._by_column(found)
        missing = [column for column in self._columns.table if column.source not in self._declared]
        self._refuse(missing, found)
        for column in missing:
            definition = f"{self._database.quote(str(column.name))} {self._database.type_of(column)}"
            self._database.run(f"ALTER TABLE {self._target.sql} ADD COLUMN {definition}")
        return [str(column.name) for column in missing]

    def create_stage(self) -> None:
        """Create the staging table, in types that hold every value of the extract."""
        definitions = ", ".join(
            f"{column.staged} {self._database.staged_type(column, self._declared.get(column.source))}"
            for column in self._columns.staged
        )
        self._database.prepare_stage(definitions)

    def fit(self, statements: MergeStatements) -> None:
        """See that every staged value stays as it is in its column; widen the column where that is free.

        :param statements: of this merge.
        :raises ConfigurationError: naming the column, its type, and the first row that does not fit.
        """
        for column in self._columns.table:
            declared = self._declared.get(column.source)
            misfit = declared and self._database.misfit(f"s.{column.staged}", declared)
            if not declared or not misfit:
                continue
            ((rows, first),) = self._database.run(statements.count_misfits(misfit, column))
            if rows:
                self._widen(column, declared, f"{rows:,} values do not fit (the first is of {first})")

    def _widen(self, column: MergeColumn, declared: str, reason: str) -> None:
        wider = self._database.widened(declared)
        name = self._database.quote(str(column.name))
        if wider is None or self._spec.schema_evolution == "fail":
            advice = f"Alter it to {wider or self._database.type_of(column)}, or leave the column out"
            raise self._refused({str(column.name): f"{declared} cannot hold {column.arrow_type}: {reason}. {advice}"})
        sql = f"ALTER TABLE {self._target.sql} ALTER COLUMN {name} TYPE {wider}"
        try:
            self._database.run(sql)
        except self._database.errors as error:
            said = " ".join(str(error).split())
            fault = f"{declared} cannot hold {column.arrow_type}: {reason}, and it cannot be altered to {wider}: {said}"
            raise self._refused({str(column.name): fault}) from error

    def _create(self) -> None:
        quote = self._database.quote
        lines = [f"{quote(str(column.name))} {self._database.type_of(column)}" for column in self._columns.table]
        key = [column for column in self._columns.key if column.name is not None]
        if key and self._spec.mode != "append":
            lines.append(f"PRIMARY KEY ({', '.join(quote(str(column.name)) for column in key)})")
        self._database.run(f"CREATE TABLE {self._target.sql} ({', '.join(lines)})")

    def _by_column(self, found: Mapping[str, str]) -> dict[str, str]:
        """The declared types by the extract's columns, for those that the table has."""
        folded = {name.lower() if self._database.folds_case else name: declared for name, declared in found.items()}
        declared = {}
        for column in self._columns.table:
            name = str(column.name)
            known = folded.get(name.lower() if self._database.folds_case else name)
            if known is not None:
                declared[column.source] = known
        return declared

    def _refuse(self, missing: list[MergeColumn], found: Mapping[str, str]) -> None:
        faults = {}
        other_case = {name.lower(): name for name in found}
        for column in self._columns.table:
            name, declared = str(column.name), self._declared.get(column.source)
            if declared is not None and not self._database.accepts(column.kind, declared):
                wanted = self._database.type_of(column)
                faults[name] = (
                    f"is {declared} in {self._target.name} and {column.arrow_type} in the extract; it needs {wanted}"
                )
            elif column in missing and name.lower() in other_case:
                faults[name] = (
                    f"{self._target.name} has it as {other_case[name.lower()]}; give naming='snake' or a column_mapping"
                )
            elif column in missing and self._spec.schema_evolution == "fail":
                faults[name] = f"{self._target.name} lacks it, and schema_evolution is 'fail'"
        if faults:
            raise self._refused(faults)
        key = [str(column.name) for column in self._columns.key]
        if self._spec.mode == "merge" and not self._database.has_unique_key(self._target, key):
            quoted = ", ".join(map(self._database.quote, key))
            fault = (
                f"{self._target.name} has no primary key or unique index over exactly {quoted}, without which rows "
                f"cannot be told apart: CREATE UNIQUE INDEX ON {self._target.sql} ({quoted})"
            )
            raise ConfigurationError({"table": fault}, subject="the task")

    def _refuse_long_names(self) -> None:
        limit = self._database.longest_name
        names = [str(column.name) for column in self._columns.table]
        long = [name for name in names if limit is not None and len(name.encode()) > limit]
        if long:
            fault = (
                f"has more than the {limit} bytes that {self._database.label} keeps of a name; give it a shorter one"
            )
            raise self._refused(dict.fromkeys(long, fault))

    def _refused(self, faults: Mapping[str, str]) -> ConfigurationError:
        told = "; ".join(f"column {name}: {fault}" for name, fault in faults.items())
        return ConfigurationError({"table": told}, subject="the task")
