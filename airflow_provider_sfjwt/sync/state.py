"""How far an object's chain of receipts reaches: one ``_state.json`` beside its data.

The receipts are the truth. The state names the last one of the chain, so that a run need not look for it. It is
written after the receipt; where a run ended between the two, the next one finds the receipt and rolls the state
forward. The key is the org and the object: DAG, task, executor and metadata database have no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_sfjwt.exceptions import ConfigurationError, ProtocolError
from airflow_provider_sfjwt.extract.route import RestLimits
from airflow_provider_sfjwt.files.data_sets.receipt import Receipt
from airflow_provider_sfjwt.files.storage.receipts import RECEIPT_NAME, Writer
from airflow_provider_sfjwt.sync.root import VERSION, SyncRoot, end_of_folder

STATE_NAME = "_state.json"


@dataclass(frozen=True)
class ObjectState:
    """The end of an object's chain.

    :param sobject: the object.
    :param org_id: the org's 18-character id; None where Salesforce did not say.
    :param sequence: of the last receipt; 0 before the first one.
    :param reached: the end of what the chain covers in ISO 8601, at which the next window begins; None for all rows.
    :param receipt: its path, relative to the object's folder; None before the first one.
    :param receipt_sha256: of its text, in hex.
    :param cursor_field: the field that the windows follow, or None.
    :param condition_sha256: of what decides which rows the chain holds.
    :param schema_sha256: of the names and types of the last receipt's columns.
    :param records: rows of the last receipt.
    :param run: eight characters of the run that wrote it.
    :param deletes_reached: up to when deletions are known from a source with a cursor of its own, in ISO 8601.
    :param formulas_reached: when the values of formula fields were last read in all rows, in ISO 8601; None for never.
    :param needs: what the next run has to do beside its window, or None.
    :param only_rest: whether Bulk API 2.0 refused a window that was large.
    :param refused: what Salesforce answered when it refused the object, and ``at`` which moment; None where it did not.
    :param written_by: the task instance, or None where there was none.
    """

    sobject: str
    org_id: str | None
    sequence: int = 0
    reached: str | None = None
    receipt: str | None = None
    receipt_sha256: str | None = None
    cursor_field: str | None = None
    condition_sha256: str | None = None
    schema_sha256: str | None = None
    records: int = 0
    run: str | None = None
    deletes_reached: str | None = None
    formulas_reached: str | None = None
    needs: str | None = None
    only_rest: bool = False
    refused: Mapping[str, str] | None = None
    written_by: Writer | None = None

    @property
    def previous(self) -> dict[str, str] | None:
        """The last receipt, as the next one names it."""
        if self.receipt is None or self.receipt_sha256 is None:
            return None
        return {"receipt": self.receipt, "sha256": self.receipt_sha256}

    def to_json(self) -> dict[str, Any]:
        """The content of ``_state.json``."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ObjectState:
        """Read what :meth:`to_json` wrote, or a newer release with more keys.

        :param content: decoded.
        """
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        return cls(**{**known, "written_by": Writer.from_json(content.get("written_by"))})

    def after(self, receipt: Receipt, place: str, text: str, run: str, limits: RestLimits) -> ObjectState:
        """The state once a receipt is published.

        :param receipt: the next one of the chain.
        :param place: its path, relative to the object's folder.
        :param text: of the file.
        :param run: eight characters of the run that wrote it.
        :param limits: up to which windows are fetched over REST where a job could.
        """
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        if receipt.only_formulas:  # its rows have no window, so the next window begins where the last one ended
            return replace(
                self,
                sequence=receipt.sequence or 0,
                receipt=place,
                receipt_sha256=sha256,
                formulas_reached=end_of_folder(place).isoformat(),
                written_by=receipt.written_by,
            )
        reached = receipt.window[1] if receipt.window else end_of_folder(place).isoformat()
        beyond = receipt.transport == "rest" and not limits.allow(receipt.records, len(receipt.columns))
        return replace(
            self,
            org_id=receipt.org_id or self.org_id,
            sequence=receipt.sequence or 0,
            reached=reached,
            receipt=place,
            receipt_sha256=sha256,
            cursor_field=receipt.cursor_field,
            condition_sha256=receipt.condition_sha256,
            schema_sha256=receipt.schema_sha256,
            records=receipt.records,
            run=run,
            deletes_reached=(receipt.deletes or {}).get("covered_until") or self.deletes_reached,
            formulas_reached=self.formulas_reached if self.reached else reached,  # all rows are new
            needs=None,
            only_rest=self.only_rest or beyond,
            refused=None,
            written_by=receipt.written_by,
        )

    def from_the_beginning(self) -> ObjectState:
        """The state before a run that extracts all rows again, under any condition. The chain goes on."""
        return replace(
            self,
            reached=None,
            condition_sha256=None,
            cursor_field=None,
            deletes_reached=None,
            formulas_reached=None,
            needs="full",
            refused=None,
        )


class States:
    """The states of a root's objects.

    :param root: the sync's.
    :param limits: up to which windows are fetched over REST where a job could. REST fetches more only where Bulk API
        2.0 refused the object.
    """

    def __init__(self, root: SyncRoot, limits: RestLimits) -> None:
        self._root = root
        self._limits = limits

    def current(self, sobject: str) -> ObjectState | None:
        """The state of an object, rolled forward to the last receipt of its chain; None before the first run.

        :param sobject: the object, as Salesforce spells it.
        :raises ConfigurationError: for a state that cannot be read.
        """
        recorded = self.recorded(sobject)
        state = recorded or ObjectState(sobject, org_id=None)
        while (following := self._following(state)) is not None:
            state = following
            self.write(state)
        return state if recorded or state.sequence else None

    def recorded(self, sobject: str) -> ObjectState | None:
        """The state of an object as its file says; None where there is none.

        :param sobject: the object.
        """
        content = self._root.read_json(sobject, STATE_NAME)
        try:
            return None if content is None else ObjectState.from_json(content)
        except (TypeError, KeyError) as error:
            fault = f"{self._root.object_path(sobject)}/{STATE_NAME} is not the state of an object: {error}"
            raise ConfigurationError({"output_path": fault}, subject="the task") from None

    def last_receipt(self, state: ObjectState) -> Receipt:
        """The receipt that a state names.

        :param state: of an object that has one.
        :raises ProtocolError: when it is gone.
        """
        folder = f"{self._root.object_path(state.sobject)}/{(state.receipt or '').rpartition('/')[0]}"
        text = self._root.read_text(state.sobject, state.receipt or "")
        if text is None:
            raise ProtocolError(
                f"{folder}/{RECEIPT_NAME} is gone, which the state names: something removes files there"
            )
        return Receipt.from_json(text, folder)

    def write(self, state: ObjectState) -> None:
        """Keep a state.

        :param state: of an object.
        """
        self._root.write_json(state.to_json(), state.sobject, STATE_NAME)

    def published(self, state: ObjectState, folder: str) -> ObjectState:
        """Move the state on to the receipt that a folder holds.

        :param state: before it.
        :param folder: name of the data set's folder.
        :raises ProtocolError: when there is no receipt, or it does not follow the state.
        """
        following = self._in_folder(state, folder)
        if following is None:
            raise ProtocolError(
                f"{self._root.object_path(state.sobject)}/{folder} holds no receipt that goes on the chain"
            )
        self.write(following)
        return following

    def _following(self, state: ObjectState) -> ObjectState | None:
        """The state at the next receipt of the chain, which a run published without getting to the state."""
        found = (self._in_folder(state, name) for name in self._root.window_folders(state.sobject, state.sequence + 1))
        return next((each for each in found if each is not None), None)

    def _in_folder(self, state: ObjectState, folder: str) -> ObjectState | None:
        text = self._root.read_text(state.sobject, folder, RECEIPT_NAME)
        if text is None:
            return None
        receipt = Receipt.from_json(text, f"{self._root.object_path(state.sobject)}/{folder}")
        if receipt.sequence != state.sequence + 1 or receipt.previous != state.previous:
            return None
        return state.after(receipt, f"{folder}/{RECEIPT_NAME}", text, folder.rpartition("_")[2], self._limits)
