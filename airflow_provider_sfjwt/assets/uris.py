"""What Airflow learns of assets whose URIs begin with ``salesforce://``.

There are two: ``salesforce://<conn_id>/<sObject>`` for an object that was published, and
``salesforce://<conn_id>/<sObject>/changes`` for what changed in it. Anything else is refused when its DAG is parsed.

https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset

#: Names of objects, those of platform events and of managed packages included.
#: https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_describesobjects_describesobjectresult.htm
_PATH = re.compile(r"/(?P<sobject>[A-Za-z][A-Za-z0-9_]*)(?P<changes>/changes)?")
_FORMS = "salesforce://<conn_id>/<sObject> and salesforce://<conn_id>/<sObject>/changes"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check the URI of an asset. Airflow calls this when a DAG is parsed.

    :param uri: without a slash at its end.
    :return: the same.
    :raises ValueError: for any other form, naming both that are known.
    """
    if not uri.netloc or "@" in uri.netloc:
        raise _refused(uri, "it must name the connection's id alone, without a user or password")
    if not _PATH.fullmatch(uri.path):
        raise _refused(uri, "the connection's id must be followed by the API name of one object")
    if uri.query or uri.fragment:
        raise _refused(uri, "it takes no query and no fragment")
    return uri


def create_asset(*, conn_id: str, sobject: str, changes: bool = False, extra: dict[str, Any] | None = None) -> Asset:
    """Make the asset of an object, for lineage that hooks report.

    :param conn_id: the connection's id.
    :param sobject: the API name of the object.
    :param changes: whether it stands for what changed in the object, and not for the object as it was published.
    :param extra: the asset's.
    :raises ValueError: for names that make no URI.
    """
    from airflow.sdk import Asset

    from airflow_provider_sfjwt.tasks.assets import uri_of

    return Asset(uri=uri_of(conn_id, sobject) + ("/changes" if changes else ""), extra=extra)


def to_openlineage(asset: Asset, lineage_context: object) -> Dataset | None:
    """The data set of OpenLineage that an asset stands for: the object, in its org.

    :param asset: with a URI that :func:`sanitize_uri` has passed. A hook puts the org's ``host`` and ``org_id`` into
        its ``extra``.
    :param lineage_context: the hook that reported the asset; not needed.
    :return: ``salesforce://<host of the org>`` and the object's name. Where the asset names no host, it is the
        connection's id instead: the events of operators say that both are the same data set.
    """
    from airflow_provider_sfjwt.hooks.lineage import KnownOrg
    from airflow_provider_sfjwt.tasks.lineage.moved import object_data_set
    from airflow_provider_sfjwt.tasks.lineage.openlineage import data_set

    parts = urlsplit(asset.uri)
    match = _PATH.fullmatch(parts.path)
    if match is None:
        return None
    extra: Mapping[str, Any] = asset.extra or {}
    host = extra.get("host")
    org = KnownOrg(str(host), extra.get("org_id")) if host else None
    found: Dataset = data_set(object_data_set(unquote(parts.netloc), match["sobject"], org))
    return found


def _refused(uri: SplitResult, why: str) -> ValueError:
    host = uri.netloc.rpartition("@")[2]
    return ValueError(f"'salesforce://{host}{uri.path}' is not an asset of Salesforce: {why}. The forms are {_FORMS}")
