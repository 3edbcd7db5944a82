"""Recorded decisions over the example catalog, and a ledger that holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hypothesis import strategies as st

from arbitration.codec import canonical_json, decode
from arbitration.decide import decide
from arbitration.domain import Context, CustomerId, Estimates
from serving.ledger.rows import Answer
from serving.ledger.store import Ledger
from serving.records import Record
from tests.cases.test_cases import FOLDER, merged
from tests.unit.arbitration.situations import POLICY, contexts, estimates, moments

SITUATIONS = moments.flatmap(lambda now: st.tuples(st.just(now), contexts(now), estimates(), st.floats(0, 0.999)))
SPOKEN_TO = (
    "churn_recovery__overdue_customer__push_then_email_then_sms",
    "cart_recovery__left_a_cart__push_wins",
    "near_next_tier__one_basket_away__push_wins",
)
QUIETER = replace(POLICY, version="v-quiet", contact_policy=replace(POLICY.contact_policy, quiet_from=12, quiet_to=20))
RICHER = replace(
    POLICY,
    version="v-rich",
    journeys={name: replace(journey, lever=journey.lever + 0.5) for name, journey in POLICY.journeys.items()},
)


def record_of(number: int, situation, policy=POLICY) -> Record:
    now, context, believed, draw = situation
    context = replace(context, customer_id=CustomerId(f"c-{number}"))
    decision = decide(context, believed, policy, decision_id=f"d-{number}", now=now, draw=draw)
    return Record(
        client="shop", request={"request_id": f"r-{number}"}, mode="live", now=now, draw=draw, context=context,
        estimates=believed, attributions=(), bundle="b", models={}, features="f", simulated=number == 1, decision=decision,
    )  # fmt: skip


def keep(path: Path, records, policies=(POLICY,)) -> None:
    ledger = Ledger(path)
    with ledger.writing() as writing:
        for policy in policies:
            writing.add_policy(policy.version, canonical_json(policy))
        for record in records:
            number = record.decision.decision_id
            writing.add_decision(record.to_row(f"r-{number}", Answer("digest", 200, b"{}")))
    ledger.close()


def row_of(record: Record) -> dict[str, object]:
    row = json.loads(record.to_parts()[0])
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
