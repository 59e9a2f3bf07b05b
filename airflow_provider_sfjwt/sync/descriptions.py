"""The descriptions of a sync's objects, kept beside the state, and asked for again only when something changed.

``_describe/_objects.json`` keeps the list of objects and how to ask whether one changed; ``_describe/<object>.json``
keeps a description. They are of one org, user, API version and release.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_sfjwt import __version__
from airflow_provider_sfjwt.salesforce.api import descriptions as api
from airflow_provider_sfjwt.salesforce.api import org as org_api
from airflow_provider_sfjwt.salesforce.api.descriptions import Dated
from airflow_provider_sfjwt.salesforce.api.session import Session
from airflow_provider_sfjwt.salesforce.org.connected_org import ConnectedOrg
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot

#: A description is asked for anew after this, changed or not.
_BELIEVED = timedelta(days=1)
#: For how long the answer that no object changed holds for other tasks of the run.
_FRESH = timedelta(minutes=15)
_SAME_SECOND = timedelta(seconds=1)
_FOLDER, _OBJECTS = "_describe", "_objects.json"
#: What a sync needs to know of an object before it is described. An org has a thousand and more.
_OF_AN_OBJECT = ("name", "label", "queryable")
#: Parts of a description that no extract needs. They are most of it.
_LEFT_OUT = frozenset(
    {"actionOverrides", "childRelationships", "namedLayoutInfos", "recordTypeInfos", "supportedScopes", "urls"}
)


class Descriptions:
    """Describes objects to a sync. Threads may share it.

    :param root: of the sync, beside whose state the descriptions are kept.
    """

    def __init__(self, root: SyncRoot) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._objects: dict[str, Any] | None = None

    def listed(self, org: ConnectedOrg) -> list[dict[str, Any]]:
        """The org's objects, without fields.

        :param org: the org.
        """
        kept, asked_at = self._kept(org, _OBJECTS), _now(org)
        dated = org.run(api.describe_global_since, kept["since"] if kept else None)
        if dated is not None:
            dated = replace(dated, content=[{name: each.get(name) for name in _OF_AN_OBJECT} for each in dated.content])
        kept = self._keep(org, _OBJECTS, asked_at, kept, dated)
        self._objects = kept
        objects: list[dict[str, Any]] = kept["content"]
        return objects

    def of(self, org: ConnectedOrg, sobject: str) -> dict[str, Any]:
        """An object's description.

        :param org: whose calls count.
        :param sobject: the object.
        :raises ConfigurationError: when the org has no such object, or the user may not see it.
        """
        name = f"{sobject}.json"
        kept = self._kept(org, name)
        if kept is not None and self._holds(org, kept):
            return dict(kept["content"])
        asked_at = _now(org)
        dated = org.run(api.describe_since, sobject, kept["since"] if kept else None)
        if dated is not None:
            dated = replace(dated, content=_shortened(dated.content))
        return dict(self._keep(org, name, asked_at, kept, dated)["content"])

    def forget(self, sobject: str) -> None:
        """Let an object be described anew, because a query refused one of its fields.

        :param sobject: the object.
        """
        self._root.remove(_FOLDER, f"{sobject}.json")

    def _holds(self, org: ConnectedOrg, kept: dict[str, Any]) -> bool:
        """Whether no object changed since a description came, as the list of objects says."""
        with self._lock:
            if self._objects is None:
                self._objects = self._kept(org, _OBJECTS) or {}
        changed = self._objects.get("changed")
        if changed is None or _age(org, self._objects["looked_at"]) > _FRESH:
            return False
        # A date is to the second, so of a change in the same second it is unknown which was first.
        return datetime.fromisoformat(kept["looked_at"]) - datetime.fromisoformat(changed) >= _SAME_SECOND

    def _kept(self, org: ConnectedOrg, name: str) -> dict[str, Any] | None:
        """What a file keeps for this org and user, unless it is too old."""
        content = self._root.read_json(_FOLDER, name)
        if content is None or content.get("of") != self._of(org) or _age(org, content["asked_at"]) > _BELIEVED:
            return None
        return content

    def _keep(
        self, org: ConnectedOrg, name: str, asked_at: datetime, kept: dict[str, Any] | None, dated: Dated | None
    ) -> dict[str, Any]:
        """Keep an answer; or that what is kept still holds."""
        looked_at = asked_at.isoformat()
        content = {**(kept or {}), "version": VERSION, "of": self._of(org), "looked_at": looked_at}
        if dated is not None:
            changed = dated.changed.isoformat() if dated.changed else None
            content |= {"since": dated.since, "changed": changed, "asked_at": looked_at, "content": dated.content}
        self._root.write_json(content, _FOLDER, name)
        return content

    def _of(self, org: ConnectedOrg) -> str:
        token = org.token()
        return f"{token.org_id} {token.user_id} {org.run(Session.api_version)} {__version__}"


def _shortened(description: dict[str, Any]) -> dict[str, Any]:
    fields = [
        {name: value for name, value in each.items() if name != "picklistValues"} for each in description["fields"]
    ]
    kept = {name: value for name, value in description.items() if name not in _LEFT_OUT}
    return {**kept, "fields": fields}


def _now(org: ConnectedOrg) -> datetime:
    """The org's clock, by which its answers are dated."""
    return org.run(org_api.server_time)


def _age(org: ConnectedOrg, moment: str) -> timedelta:
    return _now(org) - datetime.fromisoformat(moment)
