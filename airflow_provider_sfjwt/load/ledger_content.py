"""How the ledger writes down what a part holds and what is done with it, and recognises it again."""

from __future__ import annotations

import json
from hashlib import sha256

from airflow_provider_sfjwt.load.spec import LoadSpec


def content_of(part_sha256: str, spec: LoadSpec) -> str:
    """The content of a part as the ledger writes it.

    :param part_sha256: of the part's rows.
    :param spec: what is done with them.
    """
    return f"{part_sha256}-{spec.fingerprint()}"


def is_content(written: str, part_sha256: str, spec: LoadSpec) -> bool:
    """Whether an entry of the ledger is about a part with the same content.

    :param written: what the entry holds, of this release or of 0.1.0.
    :param part_sha256: of the part's rows.
    :param spec: what is done with them.
    """
    return written in (content_of(part_sha256, spec), f"{part_sha256}-{_fingerprint_of_0_1_0(spec)}")


def _fingerprint_of_0_1_0(spec: LoadSpec) -> str:
    """The fingerprint that release 0.1.0 wrote: a load that it began is not sent twice by a retry of this release."""
    asked = [spec.sobject, spec.action.name, spec.external_id_field, spec.assignment_rule_id]
    return sha256(json.dumps(asked).encode()).hexdigest()[:16]
