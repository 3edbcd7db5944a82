"""Random histories of one customer's reservations against a model of a few lines, on both stores.

The model keeps no clock of its own and asks no gate: it knows which places were handed out, and counts.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from arbitration.domain import Candidate, Context, CustomerId, SendWindow, Treatment
from arbitration.gates import rejection
from arbitration.gates.case import Case
from arbitration.policy import Cap
from serving.in_flight import InFlight
from serving.ledger import contacts, schema
from serving.ledger.rows import Reservation
from serving.ledger.schema import from_micros
from serving.problems import Problem
from serving.reservations import ASKED_AGAIN
from serving.reservations import GATES as ALL
from tests.contracts.conftest import HOUR, rows_of
from tests.contracts.reserving import Shop, open_policy

LIMIT, WIDTH = 2, timedelta(hours=24)
CHANNELS = {"push": "scheduled", "email": "scheduled", "in_app": "immediate"}
RESERVING = tuple(gate for gate in ALL if gate in ASKED_AGAIN or gate.code == "live_winner")


def policy():
    """One cap, no cool-downs, no groups, no quiet hours: whatever is refused is refused for the cap, the winner or the customer."""
    found = open_policy()
    cap = Cap("two_a_day", found.contact_policy.caps[0].name, LIMIT, window_hours=24)
    rules = replace(found.contact_policy, caps=(cap,), quiet_from=0, quiet_to=0)
    loose = {name: replace(one, cooldown_hours=0, exclusive_group=None) for name, one in found.journeys.items()}
    return replace(found, contact_policy=rules, journeys=loose)


@dataclass
class Known:
    """A place that was handed out, as the model remembers it."""

    decision_id: str
    held: Reservation
    channel: str
    closes_at: datetime
    state: str = "reserved"
    by_holder: bool = False


def code_of(call, *given) -> str | None:
    """The code of the problem that a call raises, None when it raises none."""
    try:
        call(*given)
    except Problem as problem:
        return problem.code
    return None


class History:
    """One customer: every step does something to the ledger, then compares it with what the model expects."""

    def __init__(self, shop: Shop, customer: str) -> None:
        self.shop, self.customer = shop, customer
        self.known: list[Known] = []
        self.withdrawn: set[str] = set()
        self.epoch = 0
        shop.customer(customer)

    def lapse(self, now: datetime) -> None:
        for one in self.known:
            if one.state == "reserved" and one.held.lease_until <= now:
                one.state = "expired"

    def reserve(self, channel: str) -> None:
        number = len(self.known)
        decision_id = f"d-{self.customer}-{number}"
        with self.shop.ledger.writing(self.customer) as tx:
            contacts.expire_due(tx)
            now = tx.now()
            self.lapse(now)
            context = Context(CustomerId(self.customer), True, "America/New_York", "en", {})
            context = tx.standing(self.customer, now - 10 * WIDTH, now, "shop").put_into(context)
            window = SendWindow(now, now + HOUR, 0)
            candidate = Candidate(Treatment("churn_recovery", channel, "x"), window)
            no = rejection(candidate, Case(context, self.shop.policy, now), RESERVING)
            rivals = [
                one for one in self.known if one.state == "reserved" and CHANNELS[one.channel] == CHANNELS[channel]
            ]
            if rivals or channel in self.withdrawn:
                assert no is not None, "a second live winner, or a contact without consent"
            if no is None:
                place = contacts.place_for(
                    candidate, self.shop.policy, decision_id=decision_id, step=0, send_at=now, now=now, epoch=tx.epoch + 1,
                    purpose="marketing", evidence_id=None,
                )  # fmt: skip
                contacts.take(tx, place)
        if no is None:
            assert place.reservation.epoch > self.epoch, "epochs rise"
            self.epoch = place.reservation.epoch
            self.known.append(Known(decision_id, place.reservation, channel, window.closes_at))
            self.fits(place.reservation.id)

    def confirm(self, one: Known, epoch: int) -> None:
        code = code_of(self.shop.confirm, one.held, epoch)
        if code is not None:
            self.lapse(self.shop.now())
            if epoch == one.held.epoch and one.state == "reserved":
                assert code in ("reservation-released", "reservation-expired")
                one.state = code.removeprefix("reservation-")
            return
        assert epoch == one.held.epoch
        assert one.state == "reserved" or one.by_holder, "only what is live is confirmed"
        if one.state == "reserved":
            newer = [it for it in self.known if it.held.epoch > epoch and CHANNELS[it.channel] == CHANNELS[one.channel]]
            assert not newer, "only the newest place of a timing is confirmed"
            assert one.channel not in self.withdrawn
            self.fits(one.held.id)
        one.state, one.by_holder = "confirmed", True

    def release(self, one: Known) -> None:
        if code_of(self.shop.release, one.held) is not None:
            assert one.state == "confirmed"
            return
        self.lapse(self.shop.now())
        one.state = "released" if one.state == "reserved" else one.state

    def report(self, one: Known, sent: bool) -> None:
        """As `serving.outcomes` does: it was sent, or it was not."""
        with self.shop.ledger.writing(self.customer) as tx:
            contacts.expire_due(tx)
            (contacts.sent if sent else contacts.not_sent)(tx, one.decision_id, 0, "outcome")
            self.lapse(tx.now())
        wanted = "confirmed" if sent else "released"
        one.by_holder = one.by_holder and one.state == wanted
        one.state = wanted

    def withdraw(self, channel: str) -> None:
        self.shop.withdraw(channel, self.customer)
        self.withdrawn.add(channel)
        self.lapse(self.shop.now())
        for one in self.known:
            if one.channel == channel and one.state == "reserved":
                one.state = "released"

    def rows(self):
        table, owner = schema.contacts, schema.subjects
        asked = (
            select(table).join(owner, owner.c.subject == table.c.subject).where(owner.c.customer_id == self.customer)
        )
        with self.shop.ledger.reading() as reading:
            return reading.connection.execute(asked).all()

    def fits(self, reservation_id: str) -> None:
        """No 24 hours around a place that just came in hold more than the cap allows."""
        now = self.shop.now()
        rows = [row for row in self.rows() if row.state == "confirmed" or (row.state == "reserved" and from_micros(row.lease_until) > now)]  # fmt: skip
        own = next(from_micros(row.sent_at) for row in rows if row.reservation_id == reservation_id)
        moments = sorted(from_micros(row.sent_at) for row in rows)
        for first in moments:
            if first <= own < first + WIDTH:
                assert sum(first <= one < first + WIDTH for one in moments) <= LIMIT

    def agrees(self) -> None:
        now = self.shop.now()
        self.lapse(now)
        found = {row.reservation_id: row for row in self.rows()}
        assert set(found) == {one.held.id for one in self.known}
        for one in self.known:
            row = found[one.held.id]
            state = "expired" if row.state == "reserved" and from_micros(row.lease_until) <= now else row.state
            assert state == one.state, one
        for timing in set(CHANNELS.values()):
            live = [one for one in self.known if one.state == "reserved" and CHANNELS[one.channel] == timing]
            assert len(live) <= 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.sampled_from(sorted(CHANNELS))),
        st.tuples(st.just("confirm"), st.integers(0, 9), st.sampled_from([0, 0, 0, -1, 1])),
        st.tuples(st.just("release"), st.integers(0, 9)),
        st.tuples(st.just("report"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 61 * 60, 66 * 60, 25 * 3600])),
        st.tuples(st.just("withdraw"), st.sampled_from(["push", "email"])),
    ),
    min_size=5,
    max_size=25,
)


@pytest.fixture
def shop(ledger):
    return Shop(ledger, policy())


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_live_winners_caps_epochs_and_confirmations_hold_in_every_history(shop, steps):
    history = History(shop, f"h{next(shop.numbers)}")
    for name, *told in steps:
        if name == "wait":
            shop.later(seconds=told[0])
        elif name in ("reserve", "withdraw"):
            getattr(history, name)(told[0])
        elif history.known:
            one = history.known[told[0] % len(history.known)]
            if name == "confirm":
                history.confirm(one, max(1, one.held.epoch + told[1]))
            elif name == "report":
                history.report(one, told[1])
            else:
                history.release(one)
        history.agrees()


def test_the_table_itself_refuses_a_second_live_winner(shop):
    _, held = shop.decided()
    with pytest.raises(IntegrityError):
        shop.decided(journey="post_purchase")
    assert shop.confirm(held)["state"] == "confirmed"


def test_who_confirms_and_who_gives_back_at_once_leave_one_truth(shop):
    for _ in range(5):
        _, held = shop.decided()
        calls = [shop.confirm, shop.release] * 4
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(code_of, calls, [held] * len(calls)))
        (row,) = [row for row in rows_of(shop.ledger) if row.reservation_id == held.id]
        wanted = {"confirmed": (None, "reservation-confirmed"), "released": ("reservation-released", None)}[row.state]
        assert {code for code, call in zip(codes, calls, strict=True) if call == shop.confirm} == {wanted[0]}
        assert {code for code, call in zip(codes, calls, strict=True) if call == shop.release} == {wanted[1]}
        shop.later(days=2)


def test_a_step_that_several_processes_ask_for_at_once_is_taken_once(shop):
    decision, held = shop.decided(plan=[("push", timedelta(0)), ("email", timedelta(days=1))])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    same, other = [("same", number) for number in range(4)], [(f"other-{number}", number) for number in range(4)]

    def ask(named):
        shop_of_its_own = of_another_process(shop)
        try:
            return shop_of_its_own.step(decision, request_id=named[0])
        except Problem as problem:
            return problem.code, None

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, [*same, *other]))
    taken = [answer for status, answer in found if status == 201]
    assert taken, "somebody got it"
    assert all(answer == taken[0] for answer in taken), "one place, one answer"
    assert {status for status, _ in found} <= {201, "step-taken"}
    assert sum(row.step == 1 for row in rows_of(shop.ledger)) == 1


def of_another_process(shop: Shop) -> Shop:
    """The same ledger as another process sees it: what is in flight elsewhere it does not know."""
    found = object.__new__(Shop)
    found.__dict__ |= shop.__dict__
    found.runtime = SimpleNamespace(**(shop.runtime.__dict__ | {"in_flight": InFlight()}))
    return found
