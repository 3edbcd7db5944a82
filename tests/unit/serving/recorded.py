"""Recorded decisions over the example catalog, and a ledger that holds them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from arbitration.codec import canonical_json, decode, encode
from arbitration.decide import decide
from arbitration.domain import Context, CustomerId, Decision, Estimates
from arbitration.policy import Policy
from catalog.loading import version_of
from serving.answers import answer_of
from serving.compact import compact, plain
from serving.ledger.keyring import Keyring
from serving.ledger.packing import packed
from serving.ledger.place import Address
from serving.ledger.rows import Answer
from serving.ledger.store import Ledger
from serving.records import Record
from tests.cases.test_cases import FOLDER, merged
from tests.empty_ledger import empty_ledger
from tests.unit.arbitration.situations import POLICY, contexts, estimates, moments

SITUATIONS = moments.flatmap(lambda now: st.tuples(st.just(now), contexts(now), estimates(), st.floats(0, 0.999)))
KEYRING = Keyring.fresh()
SPOKEN_TO = (
    "churn_recovery__overdue_customer__push_then_email_then_sms",
    "cart_recovery__left_a_cart__push_wins",
    "near_next_tier__one_basket_away__push_wins",
)


def versioned(policy: Policy) -> Policy:
    """The policy under the version that a catalog of its content has."""
    return replace(policy, version=version_of(encode(policy)))


QUIETER = versioned(replace(POLICY, contact_policy=replace(POLICY.contact_policy, quiet_from=12, quiet_to=20)))
RICHER = versioned(
    replace(
        POLICY,
        journeys={name: replace(journey, lever=journey.lever + 0.5) for name, journey in POLICY.journeys.items()},
    )
)


def record_of(number: int, situation, policy=POLICY) -> Record:
    now, context, believed, draw = situation
    context = replace(context, customer_id=CustomerId(f"c-{number}"))
    decision = decide(context, believed, policy, decision_id=f"d-{number}", now=now, draw=draw)
    return Record(
        client="shop", request={"request_id": f"r-{number}"}, mode="live", now=now, draw=draw, context=context,
        estimates=believed, attributions=(), bundle="b", models={}, features="f", simulated=number == 1, decision=decision,
    )  # fmt: skip


def keep(path: Path, records, policies=(POLICY,)) -> Address:
    """A ledger that holds these records, each of a customer of its own; where it lies."""
    ledger, by_version = Ledger(empty_ledger(path), KEYRING), {policy.version: policy for policy in policies}
    with ledger.writing() as tx:
        for policy in policies:
            tx.add_policy(policy.version, canonical_json(policy))
    for record in records:
        number, policy = record.decision.decision_id, by_version[record.decision.policy_version]
        answer = Answer("digest", 200, answer_of(record, policy).body())
        with ledger.writing(record.context.customer_id) as tx:
            tx.add_decision(record.to_row(f"r-{number}", answer))
    ledger.close()
    return ledger.address


def row_of(record: Record) -> dict[str, object]:
    row = plain(record.to_parts()[0])
    return {**row, "decision_id": record.decision.decision_id}


def spoken_to() -> list[Record]:
    """Decisions of three customers to whom the example catalog speaks, each for another reason."""
    found = []
    for number, name in enumerate(SPOKEN_TO):
        case = json.loads((FOLDER / "journeys" / f"{name}.json").read_text(encoding="utf-8"))
        plain = merged(json.loads((FOLDER / "journeys" / "base.json").read_text(encoding="utf-8")), case["change"])
        context, believed = decode(Context, plain["context"]), decode(Estimates, plain["estimates"])
        now = datetime.fromisoformat(plain["now"])
        found.append(record_of(number, (now, context, believed, 0.5)))
    return found


def execute(address: Address, statement: str, *values: object) -> None:
    with sqlite3.connect(address.place.path) as connection:
        connection.execute(statement, values)
    connection.close()


def alter(address: Address, **changes: object) -> None:
    """Other values in the columns of `d-0`."""
    for column, value in changes.items():
        execute(address, f"UPDATE decisions SET {column} = ? WHERE decision_id = 'd-0'", value)


def sealed(address: Address, part: str, plain: bytes, *, decision_id: str = "d-0") -> bytes:
    """A part of a decision as its ledger seals it: what somebody who has the keys could put there."""
    with sqlite3.connect(address.place.path) as connection:
        asked = "SELECT sealing_key, subject FROM subjects JOIN decisions USING (subject) WHERE decision_id = ?"
        wrapped = connection.execute(asked, (decision_id,)).fetchone()
    connection.close()
    return KEYRING.seal(KEYRING.unwrapped(*wrapped), plain, f"{decision_id}.{part}")


def tampered(address: Address, record: Record, part: str, change: Callable[[Any], object]) -> bytes:
    """The part of `d-0` with a change that only somebody who has the keys could make."""
    found = plain(record.to_parts()[0]) if part == "inputs" else encode(record.decision)
    change(found)
    told = compact(found if part == "inputs" else decode(Decision, found))
    return sealed(address, part, packed(told))
