"""What a load asks of one record, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_sfjwt.testing.data.fields import Field
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.values import Stored


class RowError(Exception):
    """Why a record was not saved.

    https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm

    :param code: Salesforce's ``statusCode``.
    :param message: its words.
    :param fields: API names of the fields that are to blame.
    """

    def __init__(self, code: str, message: str, *fields: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields

    def in_cell(self) -> str:
        """Return it as ``sf__Error`` spells it: ``CODE:message:fields --``."""
        return f"{self.code}:{self.message}:{' '.join(self.fields)}{' --' if self.fields else '--'}"

    def in_json(self) -> dict[str, object]:
        """Return it as an entry of ``errors`` in a JSON answer."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class ParentKey:
    """A parent named by a key instead of its id.

    :param parent: the parent's object.
    :param target: the external id or idLookup field that identifies it.
    :param key: the value, as it is stored.
    :param text: the value as it was sent.
    """

    parent: SObject
    target: Field
    key: Stored
    text: str


@dataclass(slots=True)
class Change:
    """One record of a load, read but not yet checked.

    :param values: what to write, by field name; None is null. ``Id`` is the text that was sent.
    :param parents: parents named by a key, by the name of the reference field.
    :param error: what was wrong with it already.
    """

    values: dict[str, Stored]
    parents: dict[str, ParentKey] = field(default_factory=dict)
    error: RowError | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record.

    :param id: of the record, as far as it is known.
    :param created: whether it is new.
    :param errors: empty where it was saved.
    :param event: UUID of a platform event that was published; empty for any other record.
    """

    id: str
    created: bool = False
    errors: tuple[RowError, ...] = ()
    event: str = ""

    @property
    def success(self) -> bool:
        """Whether it was saved."""
        return not self.errors
