"""A service of few parts for tests of outcomes: the example catalog, a real ledger, a clock that the test sets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from arbitration.decide import decide
from arbitration.domain import Candidate, Context, CustomerId, Plan, PlanStep, SendWindow, Treatment
from catalog.loading import load_catalog
from serving.clock import Clock
from serving.estimates import estimates
from serving.ledger.keyring import Keyring
from serving.ledger.rows import Answer
from serving.ledger.store import Ledger
from serving.metrics import Metrics
from serving.records import Record
from serving.settings import EXAMPLE_CATALOG
from tests.contracts.conftest import hold
from tests.empty_ledger import empty_ledger

DECIDED = datetime(2018, 1, 2, 15, tzinfo=UTC)


@pytest.fixture
def decided(tmp_path):
    """A runtime whose ledger holds one decision, `d-1`: the journey welcome by push for customer c1, its contact reserved."""
    moment = Clock(DECIDED + timedelta(hours=3), wall=lambda: 0.0, elapsed=lambda: 0.0)  # it stands still
    ledger = Ledger(empty_ledger(tmp_path / "ledger.db"), Keyring.fresh(), moment)
    policy = load_catalog(EXAMPLE_CATALOG)
    settings = SimpleNamespace(brand="shop")
    runtime = SimpleNamespace(
        policy=policy, ledger=ledger, clock=moment, metrics=Metrics(), bundle=None, settings=settings
    )
    with ledger.writing("c1") as tx:
        answer = Answer("digest", 200, b"{}")
        tx.add_decision(_record(policy).to_row("r-1", answer))
        hold(tx, "d-1", at=DECIDED)
    yield runtime
    ledger.close()


def _record(policy):
    context = Context(CustomerId("c1"), known=True, time_zone="America/New_York", locale="en", features={})
    believed = estimates(None, policy, context, DECIDED)
    decision = decide(context, believed, policy, decision_id="d-1", now=DECIDED, draw=0.5)
    window = SendWindow(DECIDED, DECIDED + timedelta(hours=1), 10)
    step = PlanStep(Candidate(Treatment("welcome", "push", "t"), window), DECIDED, 1.0, "", (), DECIDED, 0.0)
    decision = replace(decision, plan=Plan((step,), 0.0))
    return Record("shop", {}, "live", DECIDED, 0.5, context, believed, (), "b", {}, "f", True, decision)
