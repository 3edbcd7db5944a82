"""A shop for tests of reservations: one customer with consents, a catalog without features, decisions whose plans the test names."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import insert

from arbitration.decide import decide
from arbitration.domain import Candidate, Consent, Context, CustomerId, Plan, PlanStep, SendWindow
from arbitration.plan import STOP_IF
from arbitration.propose import treatments_of
from features.online import OnlineStoreAway
from serving import outcomes, reservations, steps
from serving.auth import Client
from serving.estimates import estimates
from serving.in_flight import InFlight
from serving.ledger import contacts, schema
from serving.ledger.consents import add_consent
from serving.ledger.rows import Answer
from serving.ledger.schema import to_micros
from serving.metrics import Metrics
from serving.problems import Problem
from serving.records import Record
from tests.contracts.conftest import HOUR, NOW, POLICY

DAY = timedelta(days=1)
ENGINE, OTHER, REVIEWER = (Client(name, role) for name, role in (("engine", "orchestrator"), ("other", "orchestrator"), ("maria", "marketer")))  # fmt: skip
OPEN = {"eligible": "True", "applicable": "True", "suitable": "True"}


class NoFeatures:
    """The online store is away: decisions go on without it."""

    def online(self, *_: object) -> None:
        raise OnlineStoreAway("away", where="test", mend="", asked=False)


def open_policy(**consequences: str):
    """The example catalog with rules that always hold. `consequences`: channel -> what churn_recovery does there to the customer."""
    journeys = {name: replace(one, **OPEN) for name, one in POLICY.journeys.items()}
    churn = journeys["churn_recovery"]
    lines = tuple(replace(it, consequence=consequences.get(it.channel, "none")) for it in churn.treatments)
    journeys["churn_recovery"] = replace(churn, treatments=lines)
    channels = {name: replace(one, held="False") for name, one in POLICY.channels.items()}
    return replace(POLICY, journeys=journeys, channels=channels)


class Shop:
    """A runtime of few parts over a real ledger, and a shorthand for everything that can be done with a reservation."""

    def __init__(self, ledger, policy) -> None:
        self.ledger, self.policy, self.numbers = ledger, policy, iter(range(10**6))
        self.runtime = SimpleNamespace(
            ledger=ledger, policy=policy, settings=SimpleNamespace(brand="shop"), in_flight=InFlight(), metrics=Metrics(),
            features=NoFeatures(), salt=b"s" * 32, clock=ledger.clock,
        )  # fmt: skip
        self.customer("c1")

    def customer(self, name: str) -> None:
        with self.ledger.engine.begin() as connection:
            connection.execute(insert(schema.shop_customers).values(customer_id=name, time_zone="America/New_York"))
            for channel in ("push", "email", "sms"):
                connection.execute(insert(schema.shop_consents).values(
                    customer_id=name, channel=channel, purpose="marketing", state="granted", legal_basis="consent",
                    evidence_id=f"v-{channel}", valid_from=to_micros(NOW - 100 * DAY),
                ))  # fmt: skip
            connection.commit()

    def now(self):
        with self.ledger.reading() as reading:
            return reading.now()

    def later(self, **length: float) -> None:
        self.ledger.clock.shift += timedelta(**length)

    def window(self, after: timedelta = timedelta(0), length: timedelta = 2 * HOUR) -> SendWindow:
        return SendWindow(self.now() + after, self.now() + after + length, 10)

    def decided(
        self, plan=(("push", timedelta(0)),), journey="churn_recovery", customer="c1", mode="live", client="engine"
    ):
        """A decision with this plan (channel, how long from now), its first place taken. Returns its id and the reservation."""
        now, decision_id = self.now(), f"d-{next(self.numbers)}"
        context = Context(CustomerId(customer), known=True, time_zone="America/New_York", locale="en", features={})
        believed = estimates(None, self.policy, context, now)
        decision = decide(context, believed, self.policy, decision_id=decision_id, now=now, draw=0.5)
        known = {one.channel: one for one in treatments_of(self.policy.journeys[journey])}
        made = tuple(
            PlanStep(Candidate(known[channel], window), window.opens_at, 24, "not_engaged", STOP_IF, now + 5 * DAY, 1.0)
            for channel, after in plan
            for window in [self.window(after)]
        )
        decision = replace(decision, plan=Plan(made, 1.0), outcome="act")
        asked = {"request_id": decision_id, "customer": {"id": customer}}
        record = Record(client, asked, mode, now, 0.5, context, believed, (), "b", {}, "f", True, decision)
        with self.ledger.writing(customer) as tx:
            contacts.expire_due(tx)
            tx.add_decision(record.to_row(decision_id, Answer("digest", 200, b"{}")))
            place = contacts.place_for(
                made[0].candidate, self.policy, decision_id=decision_id, step=0, send_at=made[0].send_at, now=now,
                epoch=tx.epoch + 1, purpose="marketing", evidence_id="v-push",
            )  # fmt: skip
            if mode == "live":
                contacts.take(tx, place)
        return decision_id, place.reservation

    def confirm(self, held, epoch: int | None = None):
        return self._call(reservations.confirm, ENGINE, held.id, epoch=epoch or held.epoch)

    def release(self, held, epoch: int | None = None, **more: str):
        return self._call(reservations.release, ENGINE, held.id, epoch=epoch or held.epoch, **more)

    def review(self, held, verdict: str, client: Client = REVIEWER):
        return self._call(reservations.review, client, held.id, verdict=verdict, reason="looked at the basket")

    def step(self, decision_id: str, step: int = 1, request_id: str = "s-1", client: Client = ENGINE, **more: object):
        body = {"request_id": request_id, "decision_id": decision_id, "step": step, **more}
        status, answer = steps.reserve_step(self.runtime, client, json.dumps(body).encode())
        return status, json.loads(answer)

    def report(self, decision_id: str, kind: str, step: int = 0) -> int:
        told = {
            "id": f"o-{next(self.numbers)}",
            "source": "engine",
            "decision_id": decision_id,
            "step": step,
            "type": kind,
        }
        return outcomes.report(self.runtime, json.dumps(told | {"occurred_at": self.now().isoformat()}).encode())[0]

    def withdraw(self, channel: str = "push", customer: str = "c1") -> None:
        with self.ledger.writing(customer) as tx:
            contacts.expire_due(tx)
            add_consent(tx, Consent(channel, "marketing", "withdrawn", "none", "v-x", tx.now()), "shop")

    def _call(self, handler, client: Client, reservation_id: str, **body: object):
        status, answer = handler(self.runtime, client, reservation_id, json.dumps(body).encode())
        assert status == 200
        return json.loads(answer)


def refused(call, *given: object, **more: object) -> Problem:
    """The problem that a call raises."""
    with pytest.raises(Problem) as caught:
        call(*given, **more)
    return caught.value
