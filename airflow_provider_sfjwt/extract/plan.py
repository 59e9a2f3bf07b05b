"""What a spec comes to in one org."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from airflow_provider_sfjwt.files.values.columns import Column


@dataclass(frozen=True)
class Plan:
    """What a spec comes to in one org.

    :param soql: the query.
    :param sobject: the object that it reads, or None where the query does not show it.
    :param columns: what is known of the columns, in order.
    """

    soql: str
    sobject: str | None
    columns: tuple[Column, ...]

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON without its query, short, for who carries it to another process."""
        return {"sobject": self.sobject, "columns": [list(astuple(column)) for column in self.columns]}

    @classmethod
    def from_json(cls, soql: str, content: Any) -> Plan | None:
        """Read what :meth:`to_json` wrote.

        :param soql: the query.
        :param content: decoded.
        :return: None for None, and for what another release wrote.
        """
        try:
            return cls(soql, content["sobject"], tuple(Column(*values) for values in content["columns"]))
        except (TypeError, KeyError):
            return None
