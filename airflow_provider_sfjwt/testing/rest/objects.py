"""The REST resource ``/sobjects``: the objects, what they are, single records."""

from __future__ import annotations

import base64
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from airflow_provider_sfjwt.testing.data.record_ids import canonical_id
from airflow_provider_sfjwt.testing.data.schema import SObject
from airflow_provider_sfjwt.testing.data.store import Store, quoted
from airflow_provider_sfjwt.testing.http.messages import (
    Answer,
    RefusalError,
    Request,
    json_answer,
    json_text_answer,
    not_found,
    unsupported,
)
from airflow_provider_sfjwt.testing.http.routing import Route
from airflow_provider_sfjwt.testing.rest.row_writers import record_writer
from airflow_provider_sfjwt.testing.settings import Settings
from airflow_provider_sfjwt.testing.soql.compiler import Compiler
from airflow_provider_sfjwt.testing.soql.context import Context
from airflow_provider_sfjwt.testing.soql.tree import Comparison, Literal, Path, Query, Selected


class SObjects:
    """``/sobjects`` and what is below it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._schema = store.schema
        self._store = store
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        name, record = r"/sobjects/(\w+)", r"/(\w{15}|\w{18})"
        return [
            Route("GET", r"/sobjects/?", lambda r, v: self.all(r, v)),
            Route("GET", name + "/?", lambda r, v, name: self.about(name, v)),
            Route("GET", name + "/describe/?", lambda r, v, name: self.describe(r, name, v)),
            Route("GET", name + record + "/?", lambda r, v, n, i: self.record(n, i, r.parameter("fields"), v)),
            Route("GET", name + record + r"/(\w+)", lambda r, v, *names: self.blob(*names)),
        ]

    def all(self, request: Request, version: str) -> Answer:
        """Answer the list of objects, or 304 where no object changed.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/describe_global_with_ifmodified_header.htm
        """
        changed = max(map(self._schema.changed, self._schema))
        if unchanged := _unchanged(request, changed):
            return unchanged
        entries = [_summary(sobject, version) for sobject in self._schema]
        return _dated(json_answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries}), changed)

    def about(self, name: str, version: str) -> Answer:
        """Answer ``/sobjects/X``."""
        return json_answer({"objectDescribe": _summary(self._named(name), version), "recentItems": []})

    def describe(self, request: Request, name: str, version: str) -> Answer:
        """Answer ``/sobjects/X/describe``, or 304 where the object has not changed.

        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
        https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/sobject_describe_with_ifmodified_header.htm
        """
        sobject = self._named(name)
        changed = self._schema.changed(sobject)
        if unchanged := _unchanged(request, changed):
            return unchanged
        children: list[dict[str, Any]] = [
            {
                "cascadeDelete": False,
                "childSObject": child.name,
                "deprecatedAndHidden": False,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.child_relationship,
                "restrictedDelete": False,
            }
            for child, field in self._schema.children(sobject.name)
        ]
        described: dict[str, Any] = {
            "actionOverrides": [],
            "childRelationships": children,
            "compactLayoutable": True,
            "defaultImplementation": None,
            "extendedBy": None,
            "extendsInterfaces": None,
            "fields": [field.described() for field in sobject.fields],
            "implementedBy": None,
            "implementsInterfaces": None,
            "listviewable": None,
            "lookupLayoutable": None,
            "namedLayoutInfos": [],
            "networkScopeFieldName": None,
            "recordTypeInfos": [],
            "searchLayoutable": True,
            "sobjectDescribeOption": "FULL",
            "supportedScopes": [{"label": f"All {sobject.label_plural}", "name": "everything"}],
        }
        return _dated(json_answer(dict(sorted((described | _summary(sobject, version)).items()))), changed)

    def record(self, name: str, record: str, fields: str | None, version: str) -> Answer:
        """Answer one record.

        :param record: id of 15 or 18 characters.
        :param fields: comma-separated names; None: all.
        """
        sobject = self._named(name)
        wanted = [part.strip() for part in fields.split(",")] if fields else [f.name for f in sobject.fields]
        found = canonical_id(record)
        if found is None:
            raise not_found()
        where = Comparison(Path(("Id",), 0), "=", Literal("string", found, 0))
        items = tuple(Selected(Path(tuple(name.split(".")), 0)) for name in wanted)
        query = Query(f"SELECT {','.join(wanted)}", items, Path((sobject.name,), 0), where=where)
        compiled = Compiler(Context.of(self._schema, self._settings, "", include_deleted=True), query).compile()
        rows = self._store.select(compiled.sql, compiled.parameters)
        if not rows:
            raise not_found()
        if self._store.select(f"SELECT IsDeleted FROM {quoted(sobject.name)} WHERE Id = ?", [found])[0][0]:
            raise RefusalError(404, "ENTITY_IS_DELETED", "entity is deleted")
        return json_text_answer(record_writer(compiled.row, self._store, version)(rows[0]))

    def blob(self, name: str, record: str, field_name: str) -> Answer:
        """Answer the bytes of a base64 field."""
        sobject, found = self._named(name), canonical_id(record)
        field = sobject.field(field_name)
        if field is None or field.type != "base64" or found is None:
            raise not_found()
        sql = f"SELECT {quoted(field.name)} FROM {quoted(sobject.name)} WHERE Id = ? AND IsDeleted = 0"
        rows = self._store.select(sql, [found])
        if not rows:
            raise not_found()
        return Answer(200, base64.b64decode(rows[0][0] or ""), {"Content-Type": "application/octet-stream"})

    def _named(self, name: str) -> SObject:
        found = self._schema.find(name)
        if found is None:
            raise not_found()
        return found


def _unchanged(request: Request, changed: datetime) -> Answer | None:
    """Return 304 where nothing changed after ``If-Modified-Since``, which is to the second."""
    if request.headers.get("If-Unmodified-Since") is not None:
        raise unsupported("If-Unmodified-Since")
    asked = request.headers.get("If-Modified-Since")
    if asked is None:
        return None
    try:
        since = parsedate_to_datetime(asked)
    except ValueError:
        raise unsupported(f"If-Modified-Since: {asked}") from None
    return Answer(304) if changed.replace(microsecond=0) <= since else None


def _dated(answer: Answer, changed: datetime) -> Answer:
    answer.headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    return answer


def _summary(sobject: SObject, version: str) -> dict[str, Any]:
    start = f"/services/data/v{version}/sobjects/{sobject.name}"
    urls = {"sobject": start, "describe": f"{start}/describe", "rowTemplate": f"{start}/{{ID}}"}
    yes: tuple[str, ...] = (
        "createable",
        "deletable",
        "layoutable",
        "queryable",
        "retrieveable",
    )
    yes += ("searchable", "triggerable", "undeletable", "updateable")
    no: tuple[str, ...] = (
        "activateable",
        "customSetting",
        "deepCloneable",
        "deprecatedAndHidden",
        "feedEnabled",
        "hasSubtypes",
    )
    no += ("isInterface", "isSubtype", "mruEnabled")
    return {
        "associateEntityType": None,
        "associateParentEntity": None,
        "custom": sobject.custom,
        "keyPrefix": sobject.key_prefix or None,
        "label": sobject.label,
        "labelPlural": sobject.label_plural,
        "name": sobject.name,
        "urls": urls,
        **dict.fromkeys(yes, True),
        "createable": sobject.writable,
        **dict.fromkeys(("deletable", "undeletable", "updateable"), sobject.writable and not sobject.is_event),
        "mergeable": sobject.mergeable,
        "queryable": sobject.queryable,
        "replicateable": sobject.replicateable and sobject.queryable,
        **dict.fromkeys(no, False),
    }
