"""The record of a decision: all that went in and all that came out, enough to decide again and get the same bytes.

It is kept in two parts: the inputs, and the decision, which names hundreds of candidates and is much longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arbitration.codec import decode, encode
from arbitration.decide import decide
from arbitration.domain import Attribution, Context, Decision, Estimates
from arbitration.errors import InputError, LedgerError
from arbitration.policy import Policy
from serving.compact import compact, expand, plain
from serving.favorites import summary_of
from serving.ledger.rows import Answer, DecisionRow, Reservation

# 2: eleven parts, inputs and decision apart; 3: another rule of the plan; 4: reservations, live winners, stops; 5: MessagePack
VERSION = 5
"""It rises when the shape of a record changes, the rules that decide, or what an answer says: replay proves records of this version."""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision with its inputs. `request` is the caller's JSON; `bundle` the digest of the models' files.

    The policy is named by `decision.policy_version` and kept once in the ledger. `simulated` says that features and
    models rest on simulated rows, at least in part. `reservation` is the place that was taken for the first step, in a live decision.
    """

    client: str
    request: Any
    mode: str
    now: datetime
    draw: float
    context: Context
    estimates: Estimates
    attributions: tuple[Attribution, ...]
    bundle: str
    models: dict[str, str]
    features: str
    simulated: bool
    decision: Decision
    reservation: Reservation | None = None

    def to_parts(self) -> tuple[bytes, bytes]:
        """Inputs by name and the decision, both in their short form (`serving.compact`)."""
        told = {"version": VERSION, **{name: getattr(self, name) for name in _INPUTS}}
        return compact(told), compact(self.decision)

    @classmethod
    def from_parts(cls, inputs: bytes, decision: bytes) -> Record:
        """The record that `to_parts` wrote. Raises `LedgerError` when a program of another version wrote it, or it is damaged."""
        try:
            told = plain(inputs)
            version = told["version"]
            if version == VERSION:
                return cls(**decoded(told), decision=expand(Decision, decision))
        except _UNREADABLE:
            raise LedgerError(
                "the record of a decision is damaged", mend="restore the ledger from your backup"
            ) from None
        raise LedgerError(
            f"a record of version {version} cannot be read, this program reads version {VERSION}",
            mend="use the program that wrote it",
        )

    def decide_again(self, policy: Policy) -> Decision:
        """The decision that follows from the recorded inputs; equal to `decision` unless the rules have changed."""
        return decide(
            self.context,
            self.estimates,
            policy,
            decision_id=self.decision.decision_id,
            now=self.now,
            draw=self.draw,
        )

    def to_row(self, request_id: str, answer: Answer) -> DecisionRow:
        """The record as the ledger keeps it, with the answer that was made from it."""
        decision = self.decision
        return DecisionRow(
            decision.decision_id, self.client, request_id, decision.customer_id, decision.decided_at, self.mode, answer,
            decision.policy_version, summary_of(decision), *self.to_parts(),
        )  # fmt: skip

    @classmethod
    def from_row(cls, row: DecisionRow) -> Record:
        """The record that a row of the ledger holds."""
        return cls.from_parts(row.inputs, row.decision)


def decoded(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record apart from the decision, from plain JSON values. Raises an error of many kinds where they do not fit."""
    data = {name: value for name, value in inputs.items() if name != "version"}
    data["now"] = decode(datetime, data["now"])
    data["draw"] = decode(float, data["draw"])
    data["attributions"] = tuple(decode(Attribution, one) for one in data["attributions"])
    data["context"] = decode(Context, data["context"])
    data["estimates"] = decode(Estimates, data["estimates"])
    data["reservation"] = _reservation(data["reservation"])
    return data


def _reservation(told: Any) -> Reservation | None:
    return None if told is None else decode(Reservation, told)


def plain_record(row: DecisionRow) -> dict[str, Any]:
    """The whole record as plain JSON values. Raises `LedgerError` when it is damaged."""
    try:
        return {**encode(plain(row.inputs)), "decision": encode(expand(Decision, row.decision))}
    except _UNREADABLE:
        raise LedgerError("the record of a decision is damaged", mend="restore the ledger from your backup") from None


_UNREADABLE = (InputError, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
_INPUTS = tuple(name for name in Record.__annotations__ if name != "decision")
