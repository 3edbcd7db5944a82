"""Deciding recorded decisions again from what was recorded: the same bytes must follow, whatever was promoted since.

Models, features and the current catalog play no part: context and estimates stand in the record, the policy in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from arbitration.codec import canonical_text, decode, encode
from arbitration.decide import decide
from arbitration.domain import Context, Decision, Estimates
from arbitration.errors import DirigentError, InputError
from arbitration.policy import Policy
from serving import strict_json
from serving.answer_shapes import Shape
from serving.favorites import summary_of
from serving.ledger.archive import Archive, Kept
from serving.problems import FieldError, Problem, invalid, not_found
from serving.records import VERSION

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

SUMMARY = "(summary)"
"""The path of a difference between a decision, which is as recorded, and the columns that sum it up."""
BYTES = "(bytes)"
"""The path of a difference that is none of values: the stored text is not canonical JSON."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one recorded decision: identical, or the JSON path that differs first, or why it could not be decided again.

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

    def _one(self, kept: Kept) -> Replayed:
        try:
            inputs = inputs_of(kept)
            if kept.decision is None:
                raise Unreplayable("its decision is damaged")
            again = _decided(inputs, kept.decision_id, self._policy(kept.policy_version))
        except Unreplayable as fault:
            return Replayed(kept.decision_id, failure=fault.why, excused=fault.excused)
        return Replayed(kept.decision_id, first_difference=_difference(kept, again))

    def _policy(self, version: str) -> Policy:
        if version not in self._policies:
            self._policies[version] = self._read(version)
        found = self._policies[version]
        if isinstance(found, str):
            raise Unreplayable(found)
        return found

    def _read(self, version: str) -> Policy | str:
        body = self._archive.policy(version)
        if body is None:
            return f"its policy {version} is not in the ledger"
        try:
            return decode(Policy, json.loads(body))
        except (ValueError, InputError):
            return f"its policy {version} cannot be read by this program"


def inputs_of(kept: Kept) -> dict[str, Any]:
    """What went in, as plain JSON values. Raises `Unreplayable`."""
    try:
        inputs = from_json(kept.inputs or b"")  # twice as fast as Python's own, and most of a comparison's time
        version = inputs["version"]
    except (ValueError, KeyError, TypeError):
        raise Unreplayable("its inputs are damaged") from None
    if version != VERSION:
        raise Unreplayable(
            f"it was written as version {version} of the record, and this program replays version {VERSION}",
            excused=True,
        )
    return {**inputs, "decision_id": kept.decision_id}


def _decided(inputs: dict[str, Any], decision_id: str, policy: Policy) -> Decision:
    try:
        context, estimates = decode(Context, inputs["context"]), decode(Estimates, inputs["estimates"])
        now, draw = datetime.fromisoformat(inputs["now"]), float(inputs["draw"])
    except (DirigentError, ValueError, KeyError, TypeError):
        raise Unreplayable("its inputs are damaged") from None
    return decide(context, estimates, policy, decision_id=decision_id, now=now, draw=draw)


def _difference(kept: Kept, again: Decision) -> str | None:
    fresh = canonical_text(encode(again))
    if fresh != kept.decision:
        return first_difference(kept.decision or b"", fresh)
    return None if summary_of(again) == kept.summary else SUMMARY


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
    with Archive(runtime.ledger.path) as archive:
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
