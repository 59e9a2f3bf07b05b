"""What Airflow learns of this provider: data alone, so that it costs nothing at the start of every process.

https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]

_NAME = "Salesforce JWT"
_SIGN_IN, _KEY, _ADVANCED = "Salesforce app", "Private key", "Advanced"

_CONSUMER_KEY_HELP = (
    "Setup → External Client App Manager → your app → Settings → OAuth Settings → Consumer Key and Secret. For a "
    "connected app: Setup → App Manager → your app → View → Manage Consumer Details."
)
_PRIVATE_KEY_HELP = (
    "Paste the private key whose certificate is uploaded to the app (JWT Bearer Flow; 'Use digital signatures' in a "
    "connected app). PEM in any shape, or base64 of a PKCS#12 or JKS key store. Two PEM keys are tried in order, for "
    "rotation. Leave it empty to name a file in Key file."
)
_KEY_FILE_HELP = (
    "Path of a file that holds the key instead, PEM, DER, PKCS#12 or JKS. It is read where the task runs: on the "
    "worker, or in the API server for the Test button."
)
_AUDIENCE_HELP = (
    "Empty in most cases: then https://test.salesforce.com for a sandbox, the site's URL for Experience Cloud, else "
    "https://login.salesforce.com."
)
_CERTIFICATE_HELP = (
    "Optional and public: the PEM certificate uploaded to the app, alone or with its chain. With it, a mismatch with "
    "the key and the end of its validity are reported."
)
_SECRET_HELP = "Optional: for token introspection only. The JWT bearer flow never sends it."
_CA_HELP = (
    "Path of a PEM file of certificate authorities to trust, or of a folder of them, on the worker (or the API server "
    "for the Test button). Empty: the environment's REQUESTS_CA_BUNDLE, or else the usual ones."
)
_INSTANCE_HELP = (
    "Domains besides Salesforce's own and the login URL's that an org may lie on, with commas between them. A token "
    "goes to no other host. Empty in most cases."
)
_PUBSUB_HELP = "Where change events come from: global (empty means that), or deu for orgs of the EU Operating Zone."
_PROXY_HELP = "Address of a proxy, e.g. http://proxy.acme.com:3128. Empty: the environment's HTTPS_PROXY and NO_PROXY."


def _text(label: str, section: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], "section": section, **schema},
    }


_CONNECTION_TYPE = {
    "connection-type": "salesforce_jwt",
    "hook-class-name": "airflow_provider_sfjwt.hooks.salesforce_jwt.SalesforceJwtHook",
    "hook-name": "Salesforce JWT",
    "ui-field-behaviour": {
        # Port stays visible: the Test button of Airflow 3.3.2 refuses a connection without one.
        "hidden-fields": ["schema"],
        "relabeling": {
            "login": "Username",
            "host": "Login URL",
            "password": "Key or key-store passphrase",
            "port": "Port (enter 443)",
        },
        "placeholders": {
            "login": "integration.user@acme.com",
            "host": "https://login.salesforce.com",
            "password": "of an encrypted PEM key, or of a key store",
            "port": "443",
        },
    },
    "conn-fields": {
        "consumer_key": {
            "label": "Consumer key",
            "description": _CONSUMER_KEY_HELP,
            "schema": {"type": "string", "section": _SIGN_IN},
        },
        "audience": _text("Audience", _SIGN_IN, _AUDIENCE_HELP),
        "private_key": _text("Private key", _KEY, _PRIVATE_KEY_HELP, format="multiline"),
        "key_file": _text("Key file", _KEY, _KEY_FILE_HELP),
        "key_alias": _text("Key alias", _KEY, "Which key of a key store, where it holds several."),
        "key_passphrase": _text(
            "Key passphrase",
            _KEY,
            "Only for a key inside a key store, where it differs from the store's own passphrase. The passphrase of an "
            "encrypted PEM key goes into 'Key or key-store passphrase' above.",
            format="password",
        ),
        "certificate": _text("Certificate", _KEY, _CERTIFICATE_HELP, format="multiline"),
        "consumer_secret": _text("Consumer secret", _ADVANCED, _SECRET_HELP, format="password"),
        "api_version": _text("API version", _ADVANCED, "E.g. 66.0. Empty: the newest that org and provider both know."),
        "ca_bundle": _text("CA bundle", _ADVANCED, _CA_HELP),
        # No default: Airflow masks the name and would save the mask.
        "proxy": _text("Proxy", _ADVANCED, _PROXY_HELP),
        "http_timeout": {
            "label": "HTTP timeout",
            "description": "Seconds without a byte after which an answer is given up. Empty: 150.",
            "schema": {"type": ["number", "null"], "section": _ADVANCED, "minimum": 1, "maximum": 3600},
        },
        "instance_domains": _text("Instance domains", _ADVANCED, _INSTANCE_HELP),
        "pubsub_endpoint": _text("Pub/Sub endpoint", _ADVANCED, _PUBSUB_HELP),
    },
}

_CONFIG = {
    "description": "How the Salesforce JWT provider speaks to Salesforce.",
    "options": {
        "retry_attempts": {
            "description": "How many times a request is sent at most, where sending it again does no harm.",
            "version_added": "0.1.0",
            "type": "integer",
            "example": None,
            "default": "5",
        },
        "retry_first_delay": {
            "description": "Seconds before the first repetition of a request; doubled for each further one, up to 120.",
            "version_added": "0.1.0",
            "type": "float",
            "example": None,
            "default": "1.0",
        },
        "max_answer_bytes": {
            "description": "Bytes of the largest answer that is held in memory, unpacked: a page of a query over REST, "
            "a description, a file that hook.request returns. Result pages of Bulk API 2.0 are not held in memory.",
            "version_added": "0.2.0",
            "type": "integer",
            "example": None,
            "default": "134217728",
        },
        "max_answer_seconds": {
            "description": "Seconds until such an answer must be whole. A download may take longer, but ends, to be "
            "tried again, when less than 1,000 bytes a second come for 60 seconds.",
            "version_added": "0.2.0",
            "type": "float",
            "example": None,
            "default": "600.0",
        },
        "org_reserve": {
            "description": "API calls of its 24 hours that an org keeps for its other users: where fewer are left, no "
            "task, sensor or watcher of this Airflow makes more. A number of calls, or a share of the org's "
            "allocation as 5% (5%% in airflow.cfg). Empty: none.",
            "version_added": "0.2.0",
            "type": "string",
            "example": "10%%",
            "default": "",
        },
        "ui_tab": {
            "description": "Whether each task instance has a tab Salesforce with its report. Airflow shows such a tab "
            "on every task of every DAG. The link Salesforce report of this provider's tasks leads there in any case.",
            "version_added": "0.2.0",
            "type": "boolean",
            "example": None,
            "default": "False",
        },
        "max_record_bytes": {
            "description": "Bytes of the longest record of a result that is read.",
            "version_added": "0.2.0",
            "type": "integer",
            "example": None,
            "default": "16777216",
        },
    },
}


def _modules(room: str, *names: str) -> list[dict[str, Any]]:
    """Modules of a room with classes for authors of DAGs."""
    return [{"integration-name": _NAME, "python-modules": [f"airflow_provider_sfjwt.{room}.{each}" for each in names]}]


_ASSETS = {
    "handler": "airflow_provider_sfjwt.assets.uris.sanitize_uri",
    "factory": "airflow_provider_sfjwt.assets.uris.create_asset",
    "to_openlineage_converter": "airflow_provider_sfjwt.assets.uris.to_openlineage",
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider.

    :return: what Airflow's ``provider_info.schema.json`` asks for. A wrong answer would take down the discovery of
        every provider of an installation.
    """
    name = _NAME
    return {
        "package-name": "airflow-provider-sfjwt",
        "name": name,
        "description": "Salesforce over JWT bearer connections: extracts proved complete, loads accounted for.",
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://developer.salesforce.com/docs/apis",
                "tags": ["service"],
            }
        ],
        "connection-types": [_CONNECTION_TYPE],
        "hooks": _modules("hooks", "salesforce_jwt"),
        "operators": _modules("operators", "query", "extract", "load", "rest", "publish", "sync"),
        "sensors": _modules("sensors", "query", "bulk_job"),
        "transfers": [
            {
                "source-integration-name": source,
                "target-integration-name": target,
                "python-module": f"airflow_provider_sfjwt.transfers.{module}",
            }
            for source, target, module in ((name, "SQL", "sql"), ("SQL", name, "sql"), (name, "Delta Lake", "delta"))
        ],
        "triggers": _modules("triggers", "bulk_job", "bulk_load", "api_calls", "query", "changes"),
        "queues": ["airflow_provider_sfjwt.assets.queue.SalesforceQueueProvider"],
        "extra-links": [
            "airflow_provider_sfjwt.tasks.links.SalesforceJobLink",
            "airflow_provider_sfjwt.tasks.links.SalesforceReportLink",
        ],
        "config": {"salesforce_jwt": _CONFIG},
        "cli": ["airflow_provider_sfjwt.cli.get_commands"],
        "asset-uris": [{"schemes": ["salesforce"], **_ASSETS}],
    }
