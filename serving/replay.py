"""Deciding recorded decisions again from what was recorded: the same bytes must follow, whatever was promoted since.

Models, features and the current catalog play no part: context and estimates stand in the record, the policy in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arbitration.codec import canonical_text, decode, encode
from arbitration.decide import decide
from arbitration.domain import Decision
from arbitration.errors import DirigentError, InputError
from arbitration.policy import Policy
from catalog.loading import version_of
from serving import strict_json
from serving.answer_shapes import Shape
from serving.answers import answer_of
from serving.compact import compact, expand, plain
from serving.favorites import summary_of
from serving.ledger.archive import Archive, Damaged, Kept
from serving.problems import FieldError, Problem, invalid, not_found
from serving.records import VERSION, Record, decoded

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

SUMMARY = "(summary)"
"""The path of a difference between a decision, which is as recorded, and the columns that sum it up."""
ANSWER = "(answer)"
"""What comes before the path of a difference that is in the answer that was given, while the decision is as recorded."""
BYTES = "(bytes)"
"""The path of a difference that is none of values: the stored text is not canonical JSON."""
DAMAGE = (DirigentError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a damaged record or policy may raise."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one recorded decision: identical, or the JSON path that differs first, or why it could not be decided again.

    Identical are the decision, byte for byte, the columns that tell of it, and the answer that was given.
    `excused`: it was never this program's to replay, because an earlier version of the record lacks what is needed now.
    """

    decision_id: str
    first_difference: str | None = None
    failure: str | None = None
    excused: bool = False

    @property
    def identical(self) -> bool:
        """Whether the same bytes followed."""
        return self.first_difference is None and self.failure is None


class ReplayAnswer(Shape):
    """Whether the recorded inputs give the recorded decision again, byte for byte; else the JSON path that differs first."""

    decision_id: str
    identical: bool
    first_difference: str | None = None


class Unreplayable(Exception):
    """Why a record cannot be decided again, in plain words."""

    def __init__(self, why: str, *, excused: bool = False) -> None:
        super().__init__(why)
        self.why, self.excused = why, excused


class Replayer:
    """Decides again what one archive holds; every policy is read once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._policies: dict[str, Policy | str] = {}

    def replayed(self, numbers: Iterable[int]) -> list[Replayed]:
        """What became of each of these decisions."""
        return [self._one(kept) for kept in self._archive.kept(list(numbers), whole=True)]

    def policy(self, version: str) -> Policy:
        """The policy of that version. Raises `Unreplayable` where it is missing, altered or of another program."""
        if version not in self._policies:
            self._policies[version] = self._read(version)
        found = self._policies[version]
        if isinstance(found, str):
            raise Unreplayable(found)
        return found

    def _one(self, kept: Kept | Damaged) -> Replayed:
        try:
            return Replayed(kept.decision_id, first_difference=self._difference(kept))
        except Unreplayable as fault:
            return Replayed(kept.decision_id, failure=fault.why, excused=fault.excused)

    def _difference(self, kept: Kept | Damaged) -> str | None:
        inputs = inputs_of(kept)
        if isinstance(kept, Damaged) or kept.decision is None:
            raise Unreplayable("its decision is damaged")
        policy = self.policy(kept.policy_version)
        try:
            told = decoded({name: value for name, value in inputs.items() if name != "decision_id"})
        except DAMAGE:
            raise Unreplayable("its inputs are damaged") from None
        try:
            return _difference(kept, told, policy)
        except Exception as fault:  # noqa: BLE001 - whatever a damaged record leads to, the others are still replayed
            raise Unreplayable(f"it cannot be decided again ({type(fault).__name__})") from None

    def _read(self, version: str) -> Policy | str:
        body = self._archive.policy(version)
        if body is None:
            return f"its policy {version} is not in the ledger"
        try:
            read = json.loads(body)
            if version_of(read) != version:
                return f"its policy {version} was altered: that is not the version of what is kept under this name"
            return decode(Policy, read)
        except DAMAGE:
            return f"its policy {version} cannot be read by this program"


def inputs_of(kept: Kept | Damaged) -> dict[str, Any]:
    """What went in, as plain values. Raises `Unreplayable`; only a record of an earlier version is excused."""
    if isinstance(kept, Damaged):
        raise Unreplayable("its columns are damaged")
    try:
        inputs = plain(kept.inputs or b"")
        version = inputs["version"]
    except DAMAGE:
        raise Unreplayable("its inputs are damaged") from None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise Unreplayable(f"its version is none that this program (version {VERSION}) or an earlier one wrote")
    if version < VERSION:
        raise Unreplayable(
            f"it was written as version {version} of the record, and this program replays version {VERSION}",
            excused=True,
        )
    return {**inputs, "decision_id": kept.decision_id}


def _difference(kept: Kept, told: dict[str, Any], policy: Policy) -> str | None:
    """Where the decision that follows, its columns or the answer that tells of it are not as kept."""
    again = decide(
        told["context"], told["estimates"], policy, decision_id=kept.decision_id, now=told["now"], draw=told["draw"]
    )
    if compact(again) != kept.decision:
        return _where(kept.decision or b"", again)
    if summary_of(again) != kept.summary:
        return SUMMARY
    record = Record(**told, decision=again)
    columns = {"client": record.client, "customer_id": again.customer_id, "mode": record.mode}
    for name, value in (columns | {"decided_at": again.decided_at}).items():
        if kept.columns[name] != value:
            return f"(column {name})"
    answer = answer_of(record, policy).body()
    if answer == kept.answer:
        return None
    return f"{ANSWER} {first_difference(kept.answer or b'', answer)}"


def _where(recorded: bytes, again: Decision) -> str:
    try:
        was = expand(Decision, recorded)
    except (IndexError, *DAMAGE):
        return BYTES
    read = expand(Decision, compact(again))  # a whole number in a field of numbers comes back as 0.0
    return first_difference(canonical_text(encode(was)), canonical_text(encode(read)))


def first_difference(recorded: bytes, fresh: bytes) -> str:
    """The first JSON path, in canonical order, at which two different texts differ: `ranked[0].value.net`."""
    try:
        return _differing(json.loads(recorded), json.loads(fresh), "") or BYTES
    except ValueError:
        return BYTES


def _differing(recorded: Any, fresh: Any, path: str) -> str | None:
    if type(recorded) is not type(fresh):
        return path or BYTES
    if isinstance(recorded, dict):
        steps = [(f"{path}.{key}" if path else key, key) for key in sorted({*recorded, *fresh})]
        missing = {key for key in {*recorded, *fresh} if (key in recorded) != (key in fresh)}
    elif isinstance(recorded, list):
        steps = [(f"{path}[{at}]", at) for at in range(max(len(recorded), len(fresh)))]
        missing = set(range(min(len(recorded), len(fresh)), max(len(recorded), len(fresh))))
    else:
        return path if recorded != fresh else None
    for name, key in steps:
        found = name if key in missing else _differing(recorded[key], fresh[key], name)
        if found is not None:
            return found
    return None


def replay_of(runtime: Runtime, decision_id: str, body: bytes) -> bytes:
    """The answer to a request for a replay, whose body is empty or {}. Raises `Problem` (404; 422 when it cannot be replayed)."""
    if body.strip() and (asked := strict_json.read(body)) != {}:
        name = next(iter(asked)) if isinstance(asked, dict) else "(body)"
        raise invalid([FieldError(name if name.isidentifier() else "(body)", "no such field: the body is empty or {}")])
    with Archive(runtime.ledger.address) as archive:
        try:
            numbers = archive.numbers_of([decision_id])
        except InputError:
            raise not_found("decision") from None
        done = Replayer(archive).replayed(numbers)[0]
    if done.failure is not None:
        detail = f"It cannot be decided again: {done.failure}."
        raise Problem(422, "not-replayable", "The decision cannot be replayed", detail)
    return ReplayAnswer(
        decision_id=decision_id, identical=done.identical, first_difference=done.first_difference
    ).body()
