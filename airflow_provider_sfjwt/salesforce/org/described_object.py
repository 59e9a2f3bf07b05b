"""An object as the org describes it to the connection's user."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow_provider_sfjwt.exceptions import ConfigurationError
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg

if TYPE_CHECKING:
    from typing_extensions import Self


class DescribedObject:
    """An object with its fields, which are found by name in any case, and its parents, each described once.

    :param org: where the object is.
    :param sobject: its API name, in any case.
    :param description: of the object, where it is known; None to ask the org.
    :raises ConfigurationError: when the user sees no such object.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
    """

    def __init__(self, org: ConnectedOrg, sobject: str, description: dict[str, Any] | None = None) -> None:
        self.description = org.run(org_api.describe, sobject) if description is None else description
        self.name = str(self.description["name"])
        self.fields: list[dict[str, Any]] = self.description["fields"]
        self._org = org
        self._by_name = {each["name"].lower(): each for each in self.fields}
        self._by_relationship = {
            each["relationshipName"].lower(): each for each in self.fields if each.get("relationshipName")
        }
        #: Objects that were described already, by name. Parents of parents share them.
        self._known: dict[str, Self | None] = {}

    def field(self, name: str) -> dict[str, Any] | None:
        """The description of a field, or None where the user sees none of that name.

        :param name: in any case.
        """
        return self._by_name.get(name.lower())

    def reference(self, relationship: str) -> dict[str, Any] | None:
        """The description of the field that points to a parent, or None.

        :param relationship: the name by which queries reach the parent, such as ``Owner``, in any case.
        """
        return self._by_relationship.get(relationship.lower())

    def relationships(self) -> list[str]:
        """The names by which the object's parents are reached."""
        return [str(each["relationshipName"]) for each in self._by_relationship.values()]

    def other(self, sobject: str) -> Self | None:
        """Another object, described once, or None where the user may not see it.

        :param sobject: its API name, as a field's ``referenceTo`` spells it.
        """
        self._known.setdefault(self.name, self)
        if sobject not in self._known:
            self._known[sobject] = None
            with suppress(ConfigurationError):
                self._known[sobject] = parent = type(self)(self._org, sobject)
                parent._known = self._known
        return self._known[sobject]

    def unknown(self, name: str) -> str:
        """What to say of a field that is not there.

        :param name: as the user wrote it.
        """
        hint = did_you_mean(name, (each["name"] for each in self.fields))
        return f"{self.name} has no field {name}{hint}, or field-level security hides it from the user"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most like one that is not known, or nothing.

    :param name: as the user wrote it.
    :param known: the names that there are.
    """
    by_lower = {each.lower(): each for each in known}
    alike = get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[alike[0]]}?)" if alike else ""
