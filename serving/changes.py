"""Changes of catalog and models: at its start a service takes only a catalog that was agreed to, and logs what it runs with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from arbitration.codec import canonical_json, decode
from arbitration.errors import StateError
from arbitration.policy import Policy
from catalog.changes import changes as lines_of
from catalog.widening import widening
from serving.answer_shapes import Moment, Shape
from serving.ledger import changes
from serving.ledger.changes import Approvals, Change, Proposal
from serving.ledger.reading import Reading
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.logs import log

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Reply = tuple[int, bytes]
SHOWN = 100


class ChangeAnswer(Shape):
    """One change: from which version to which, every difference, why it widens the reach, and its counted effect on the audience:
    `customers` asked, `contacted_before` and `contacted_after`, how many `begin_to_speak` to and `fall_silent`, expected money.
    """

    id: str
    kind: Literal["catalog", "models"]
    from_version: str | None = None
    to_version: str
    changes: list[str]
    widening: list[str]
    effect: dict[str, float | bool | str]
    widens: bool
    state: Literal["proposed", "approved", "rejected", "applied"]
    proposed_by: str
    proposed_at: Moment
    decided_by: str | None = None
    decided_at: Moment | None = None
    reason: str | None = None
    applied_at: Moment | None = None


class ChangesAnswer(Shape):
    """The last hundred changes, the newest first."""

    changes: list[ChangeAnswer]


def show(runtime: Runtime) -> Reply:
    """GET /v1/changes."""
    with runtime.ledger.reading() as reading:
        return 200, ChangesAnswer(changes=list(map(answer_of, changes.newest(reading, SHOWN)))).body()


def answer_of(change: Change) -> ChangeAnswer:
    """A change as it is published."""
    one = change.proposal
    return ChangeAnswer(
        id=change.id, kind=one.kind, from_version=one.from_version, to_version=one.to_version, changes=list(one.lines),
        widening=list(one.widening), effect=dict(one.effect), widens=one.widens, state=change.state,  # type: ignore[arg-type]
        proposed_by=change.proposed_by, proposed_at=change.proposed_at, decided_by=change.decided_by,
        decided_at=change.decided_at, reason=change.reason, applied_at=change.applied_at,
    )  # fmt: skip


def admit(ledger: Ledger, policy: Policy, bundle_digest: str, approvals: Approvals) -> None:
    """Let a service start with this catalog and these models: what was applied last, what was agreed to, or the first of all.

    Raises `StateError` when the catalog is another one that nobody agreed to, or one that only its proposer agreed to while `approvals`
    asks for two people, whatever was asked for when it was approved or applied; the error says what to run.
    """
    wanted: tuple[tuple[changes.Kind, str], ...] = (("catalog", policy.version), ("models", bundle_digest))
    with ledger.reading() as reading:
        current = changes.applied_last(reading, "catalog")
        if current is not None and current.proposal.to_version == policy.version and _by_one(current, approvals):
            raise _refused(policy, policy.version, current, approvals)
        if all(changes.in_force(reading, kind) == version for kind, version in wanted):
            return
    before = ledger.write(None, lambda tx: _admitted(tx, policy, bundle_digest, approvals))
    log.info("changed", catalog=policy.version, models=bundle_digest, before=before)


def _admitted(tx: Transaction, policy: Policy, digest: str, approvals: Approvals) -> str | None:
    """Apply what is new. Returns the catalog that was in force before. Raises `StateError`."""
    changes.alone(tx)  # services of a fleet start at the same moment
    current, models = changes.applied_last(tx, "catalog"), changes.in_force(tx, "models")
    before = current.proposal.to_version if current else None
    if current is None:
        changes.apply_unasked(tx, Proposal("catalog", None, policy.version))
    elif before != policy.version:
        _apply(tx, policy, current, approvals)
    tx.add_policy(policy.version, canonical_json(policy))
    if models != digest:
        changes.apply_unasked(tx, Proposal("models", models, digest))
    return before


def _apply(tx: Transaction, policy: Policy, current: Change, approvals: Approvals) -> None:
    """Apply the change from the catalog in force, if it may be. What comes after a catalog that only its proposer agreed to needs somebody
    else in any case: a small step on top would hide the large one. Raises `StateError`.
    """
    before, anyhow = current.proposal.to_version, _by_one(current, approvals)
    found = changes.waiting(tx, "catalog", before, policy.version)
    ready = next((one for one in found if one.may_apply(approvals, anyhow=anyhow)), None)
    if ready is None or not changes.apply(tx, ready):
        raise _refused(policy, before, next(iter(found), None), approvals)


def _by_one(current: Change, approvals: Approvals) -> bool:
    """Whether what is in force widened the reach with the agreement of its proposer alone, where two are asked for."""
    return approvals == "two" and current.proposal.widens and current.by_one


def _refused(policy: Policy, current: str, found: Change | None, approvals: Approvals) -> StateError:
    if found is not None and found.by_one and approvals == "two":
        return StateError(
            f"the catalog {policy.version} widens the reach, and only {found.proposed_by}, who proposed it, approved it",
            where=found.id, mend=f"\nsee it:  dirigent change show {found.id}"
            f"\napprove it (by somebody else than {found.proposed_by}):  dirigent change approve {found.id} --reason WHY",
        )  # fmt: skip
    what = f"the catalog is {policy.version}, in force is {current}, and nobody agreed to the change"
    if found is None:
        then = "" if approvals == "one" else ", by somebody else if it widens the reach"
        return StateError(what, mend=(
            "\nsee what changed and propose it:  dirigent change propose NEW_FOLDER --old FOLDER_IN_FORCE"
            f"\napprove it{then}:  dirigent change approve CHANGE --reason WHY"
            "\nor start with the catalog that is in force: set DIRIGENT_CATALOG to its folder"
            "\n(a new program may bring another example catalog; a shop keeps its own in a folder of its own)"
        ))  # fmt: skip
    whom = "" if approvals == "one" else f" (by somebody else than {found.proposed_by})"
    return StateError(
        f"{what}: {found.id} waits for approval",
        mend=f"\nsee it:  dirigent change show {found.id}"
        f"\napprove it{whom}:  dirigent change approve {found.id} --reason WHY",
    )


def proposal_of(reading: Reading, policy: Policy, effect: Mapping[str, Any]) -> Proposal:
    """The change from the catalog in force to `policy`, with its counted effect. It widens when the text says so, when the effect
    says so, and when nobody could be asked. Raises `StateError` when no catalog is in force yet, or it is this one.
    """
    old = policy_in_force(reading)
    if old.version == policy.version:
        raise StateError("this catalog is in force already", mend="change it, then propose it")
    why = widening(old, policy)
    widens = (
        bool(why)
        or not effect
        or effect["contacted_after"] > effect["contacted_before"]
        or effect["begin_to_speak"] > 0
    )
    return Proposal("catalog", old.version, policy.version, lines_of(old, policy), why, effect, widens)


def policy_in_force(reading: Reading) -> Policy:
    """The catalog that was applied last. Raises `StateError` when none was."""
    version = changes.in_force(reading, "catalog")
    body = reading.policy(version) if version else None
    if body is None:
        raise StateError("no catalog is in force yet", mend="run: dirigent serve; the first catalog needs no approval")
    return decode(Policy, json.loads(body))
