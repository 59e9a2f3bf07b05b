"""Which fields the columns of a load write, asked of the org before anything is sent."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.load.operations import Operation
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.salesforce.org.described_object import DescribedObject, did_you_mean

#: A reference to more objects than these must name the object: each object's description costs a call.
_MOST_PARENTS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadColumn:
    """One column of the source that is sent, and what it writes.

    :param source: its name in the source.
    :param header: its name in the job's CSV, as the org spells it: a field, or ``Owner.Email``,
        ``Parent__r.Ext__c``, ``Lead:Who.Email`` for a parent that is named by a key.
    :param field: the org's description of the field whose values stand in the column: the parent's key for a parent.
    :param reference: for a parent: the description of the field that will point to it; else None.
    :param required: whether a new record must have a value there.
    :param ids: where records are given by names that Salesforce does not look up: the record id by each name.
    """

    source: str
    header: str
    field: Mapping[str, Any]
    reference: Mapping[str, Any] | None = None
    required: bool = False
    ids: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def written(self) -> Mapping[str, Any]:
        """The description of the object's own field that the column writes."""
        return self.field if self.reference is None else self.reference


def load_columns(
    org: ConnectedOrg,
    sobject: str,
    operation: Operation,
    source_columns: Sequence[str],
    *,
    column_mapping: Mapping[str, str | None] | None = None,
    external_id_field: str | None = None,
) -> tuple[LoadColumn, ...]:
    """Match the columns of a source with an object's fields. Names match in any case.

    :param org: where the object is. It is asked for the object's description, and for those of parents.
    :param sobject: its API name, in any case.
    :param operation: what is done with the rows.
    :param source_columns: the names of the source's columns, in order.
    :param column_mapping: the field of a column, by the column's name; None leaves the column out. A column that is not
        mentioned keeps its name. Default: all keep theirs.
    :param external_id_field: of an upsert: the field by which records are found, ``Id`` or an external id.
    :return: the columns that are sent, in the order of the source. Of a deletion that is ``Id`` alone.
    :raises ConfigurationError: with everything that is wrong.

    https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_prepare_csv.htm
    """
    target = _Target(org, sobject)
    matching = _Matching(target, operation)
    wanted = matching.names(source_columns, column_mapping or {})
    key = matching.key(external_id_field)
    columns = matching.columns(wanted, key)
    matching.check_whole(columns, key)
    matching.raise_faults()
    return tuple(columns)


class _Matching:
    """Columns while they are matched. Faults are collected by the argument that must change."""

    def __init__(self, target: _Target, operation: Operation) -> None:
        self._target = target
        self._operation = operation
        self._faults: dict[str, list[str]] = {}
        for ability in operation.needs:
            if target.description.get(ability) is False:
                self._fault("operation", f"{target.name} is not {ability} for the user, which {operation.name} needs")

    def _fault(self, argument: str, message: str) -> None:
        self._faults.setdefault(argument, []).append(message)

    def raise_faults(self) -> None:
        if self._faults:
            faults = {argument: "; ".join(messages) for argument, messages in self._faults.items()}
            raise ConfigurationError(faults, subject="the task")

    def names(self, source_columns: Sequence[str], mapping: Mapping[str, str | None]) -> list[tuple[str, str]]:
        """The columns that are sent with what they are to be called."""
        renamed: dict[str, str | None] = {}
        field: str | None
        for name, field in mapping.items():
            if not name:  # the columns without a name, which the source leaves out
                continue
            found = _spelt(name, source_columns)
            inside = [each for each in source_columns if each.lower().startswith(f"{name.strip().lower()}.")]
            if found is None and field is None and inside:  # a nested object
                renamed.update(dict.fromkeys(inside))
            elif found is None:
                hint = did_you_mean(name, source_columns)
                self._fault("column_mapping", f"the source has no column '{name}'{hint}")
            elif field is not None and not field.strip():
                self._fault("column_mapping", f"'{name}' is mapped to an empty name; None leaves a column out")
            else:
                renamed[found] = field
        wanted = []
        for source in source_columns:
            field = renamed.get(source, source)
            if field is not None:
                wanted.append((source, field.strip()))
        return wanted

    def key(self, name: str | None) -> dict[str, Any] | None:
        """The field by which records are found, where the load names one."""
        if self._operation.finds_by != "external id" or not name:
            return None
        found = self._target.field(name)
        if found is None:
            self._fault("external_id_field", self._target.unknown(name))
        elif not is_key(found):
            known = f"; {self._target.name} has {self._target.keys()}"
            self._fault("external_id_field", f"{found['name']} is neither an external id nor an idLookup field{known}")
        return found

    def columns(self, wanted: Iterable[tuple[str, str]], key: Mapping[str, Any] | None) -> list[LoadColumn]:
        columns, dropped = [], []
        for source, name in wanted:
            if self._operation.deletes and name.lower() != "id":
                dropped.append(source)
                continue
            found = self._column(source, name)
            if isinstance(found, str):
                self._fault("columns", found)
                continue
            columns.append(found)
            if found.written is not key and (complaint := self._not_writable(found)):
                self._fault("columns", complaint)
        if dropped:
            log.info("A deletion takes Id alone; these columns are not sent: %s", ", ".join(dropped))
        return columns

    def _column(self, source: str, name: str) -> LoadColumn | str:
        """The column, or what is wrong with its name."""
        found = self._target.field(name)
        if found is not None:
            return LoadColumn(source, found["name"], found, required=self._target.requires(found))
        if "." not in name:
            return self._target.unknown(name)
        if ids := self._target.record_types(name):
            field = self._target.field("RecordTypeId")
            if field is not None:
                return LoadColumn(source, field["name"], field, required=self._target.requires(field), ids=ids)
        parent = self._target.parent(name)
        if isinstance(parent, str):
            return parent
        header, field, reference = parent
        return LoadColumn(source, header, field, reference, self._target.requires(reference))

    def _not_writable(self, column: LoadColumn) -> str | None:
        field, operation, target = column.written, self._operation, self._target
        if field["type"] == "id":
            inserts = operation.finds_by is None
            return f"Id cannot be in an {operation.name}: Salesforce assigns it" if inserts else None
        if any(field.get(ability, True) for ability in operation.needs):
            return None
        parts = [f["name"] for f in target.fields if f.get("compoundFieldName") == field["name"] and f is not field]
        if parts:
            return f"{target.name}.{field['name']} is made of other fields; name {', '.join(parts)} instead"
        kind = "a formula" if field.get("calculated") else "an automatic number" if field.get("autoNumber") else ""
        why = f"it is {kind}" if kind else "Salesforce sets it, or the user's permissions forbid it"
        return f"{target.name}.{field['name']} cannot be written by {operation.name}: {why}; map it to None"

    def check_whole(self, columns: Sequence[LoadColumn], key: Mapping[str, Any] | None) -> None:
        """Check that no field is written twice and that no required one is missing."""
        sources: dict[str, list[str]] = {}
        for column in columns:
            sources.setdefault(column.header, []).append(column.source)
        for header, several in sources.items():
            if len(several) > 1:
                self._fault("columns", f"{header} is written by {len(several)} columns: {', '.join(several)}")
        operation, name = self._operation, self._target.name
        if operation.finds_by == "Id" and "Id" not in sources:
            self._fault("columns", f"no column is Id, which says what to {operation.name}; map one to it")
        if key is not None and key["name"] not in sources:
            message = f"no column is {key['name']}, by which the {operation.name} finds records; map one to it"
            self._fault("columns", message)
        if operation.finds_by is None:
            written = {column.written["name"] for column in columns}
            required = filter(self._target.requires, self._target.fields)
            if missing := [field["name"] for field in required if field["name"] not in written]:
                self._fault("columns", f"a new {name} needs {', '.join(missing)}, which no column has")
        if not columns and not self._faults:
            self._fault("columns", "no column is left to send")


def is_key(field: Mapping[str, Any]) -> bool:
    """Whether records can be found by a field.

    :param field: the org's description of it.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_upsert.htm
    """
    return bool(field["type"] == "id" or field.get("idLookup") or field.get("externalId"))


def _spelt(name: str, known: Iterable[str]) -> str | None:
    """The spelling that is known: the same name, or the only one that differs only in case."""
    known = list(known)
    if name in known:
        return name
    alike = [each for each in known if each.strip().lower() == name.strip().lower()]
    return alike[0] if len(alike) == 1 else None


class _Target(DescribedObject):
    """An object that rows are written to, or that they point to."""

    def requires(self, field: Mapping[str, Any]) -> bool:
        """Whether a new record must have a value for a field that the org does not fill in by itself.

        https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm
        """
        if field.get("nillable", True) or not field.get("createable") or field.get("defaultedOnCreate"):
            return False
        if field["name"] == "Name" and self.field("IsPersonAccount"):
            # A person account has a last name instead.
            return False
        defaulted = field.get("defaultValue") is not None or field.get("defaultValueFormula")
        chosen = any(value.get("defaultValue") for value in field.get("picklistValues") or ())
        return not (defaulted or chosen or field["type"] == "boolean")

    def keys(self) -> str:
        """The fields by which records can be found, for a message."""
        return ", ".join(each["name"] for each in self.fields if is_key(each))

    def record_types(self, path: str) -> dict[str, str]:
        """The ids of the object's record types by their developer names, which Salesforce does not look up itself.

        :param path: what a column is called.
        :return: nothing where it is not called ``RecordType.DeveloperName``, or the description has none.

        https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm
        """
        if path.lower() != "recordtype.developername":
            return {}
        infos = self.description.get("recordTypeInfos") or ()
        return {each["developerName"]: each["recordTypeId"] for each in infos if each.get("developerName")}

    def parent(self, name: str) -> tuple[str, dict[str, Any], dict[str, Any]] | str:
        """The header, the parent's key and the reference of ``Relationship.Field``, or what is wrong with it.

        ``Object:Relationship.Field`` says which object is meant where a parent may be one of several.

        https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_rel_field_header_row_2_0.htm
        """
        path, _, key = name.partition(".")
        prefix, _, relationship = path.rpartition(":")
        reference = self.reference(relationship)
        if reference is None:
            return self._no_relationship(name, relationship)
        if "." in key:
            return f"{name} goes beyond the parent's own fields, which Salesforce does not support"
        targets = list(reference["referenceTo"])
        several = len(targets) > 1 or bool(reference.get("polymorphicForeignKey"))
        example = f"{(targets or ['Object'])[0]}:{reference['relationshipName']}.{key}"
        if prefix:
            targets = [target for target in targets if target.lower() == prefix.lower()]
            if not targets:
                return f"{name}: {reference['name']} does not point to {prefix} but to {_or(reference['referenceTo'])}"
        elif len(targets) > _MOST_PARENTS:
            return f"{name}: {reference['name']} points to {len(targets)} objects; say to which, as in {example}"
        found = [(target, field) for target in targets if (field := self._key_of(target, key)) is not None]
        if len(found) > 1:
            names = [f"{target}:{reference['relationshipName']}.{field['name']}" for target, field in found]
            return f"{name}: {reference['name']} points to several objects; write {_or(names)}"
        if not found:
            return "; ".join(self._no_key(target, name, key) for target in targets)
        target, field = found[0]
        kind = f"{target}:" if several else ""
        return f"{kind}{reference['relationshipName']}.{field['name']}", field, reference

    def _key_of(self, target: str, key: str) -> dict[str, Any] | None:
        parent = self.other(target)
        found = parent.field(key) if parent is not None else None
        return found if found is not None and is_key(found) else None

    def _no_key(self, target: str, name: str, key: str) -> str:
        parent = self.other(target)
        if parent is None:
            return f"{name}: the user may not see {target}"
        found = parent.field(key)
        if found is None:
            return f"{name}: {parent.unknown(key)}"
        return f"{name}: {target}.{found['name']} is not an external id or idLookup field; {target} has {parent.keys()}"

    def _no_relationship(self, name: str, relationship: str) -> str:
        reference = self.field(relationship)
        right = str(reference["relationshipName"]) if reference and reference.get("relationshipName") else None
        hint = f" (did you mean {right}?)" if right else did_you_mean(relationship, self.relationships())
        return f"{name}: {self.name} has no relationship {relationship}{hint}"


def _or(names: Sequence[str]) -> str:
    return " or ".join(names)
