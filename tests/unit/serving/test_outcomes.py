"""What outcomes change: opt-outs hold whatever their dates say, and a contact frees its place only when it was never sent."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import insert

from arbitration.codec import decode, encode
from arbitration.domain import Candidate, Context, CustomerId, Decision, SendWindow, Treatment
from arbitration.gates.case import Case
from arbitration.policy import BusinessName, Cap
from serving.compact import compact, expand
from serving.context import standing_of
from serving.decisions import consider
from serving.ledger.packing import packed
from serving.ledger.rows import Standing
from serving.ledger.schema import decisions, shop_consents, to_micros
from serving.outcomes import _is_opt_out, report
from serving.problems import Problem
from tests.unit.serving.conftest import DECIDED

SENT = ("delivered", "bounced", "opened", "clicked", "converted", "dismissed", "unsubscribed", "complained")
ENGAGED = {"opened": True, "clicked": True, "converted": True, "unsubscribed": None, "complained": None}
_numbers = itertools.count()


def tell(runtime, kind, occurred_at=DECIDED):
    number = next(_numbers)
    body = {
        "id": f"o-{number}",
        "source": "t",
        "decision_id": "d-1",
        "type": kind,
        "occurred_at": occurred_at.isoformat(),
    }
    assert report(runtime, json.dumps(body).encode())[0] == 200


def grant(runtime, since):
    with runtime.ledger.writing() as tx:  # as an import of the shop's consents leaves it
        tx.connection.execute(insert(shop_consents).values(
            customer_id="c1", channel="push", purpose="marketing", state="granted", legal_basis="consent",
            evidence_id="e", valid_from=to_micros(since),
        ))  # fmt: skip


def state(runtime, now, opens_at):
    """What a gate sees for a push that opens then, asked at `now`."""
    with runtime.ledger.reading() as reading:
        standing = standing_of(reading, runtime, "c1", now)
    window = SendWindow(opens_at, opens_at + timedelta(hours=1), 0)
    found = case(runtime, standing, now).consent(Candidate(Treatment("welcome", "push", "t"), window))
    return found.state if found else None


def case(runtime, standing, now):
    return Case(
        Context(CustomerId("c1"), True, "UTC", "en", {}, standing.consents, standing.contacts), runtime.policy, now
    )


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
@pytest.mark.parametrize("days", [-3000, -1, 0, 1, 3000])
def test_an_opt_out_holds_from_its_report_on_whatever_its_own_date(decided, kind, days):
    now = decided.clock.now()
    for moment in (DECIDED - timedelta(days=100), DECIDED - timedelta(hours=1), now - timedelta(seconds=1), now):
        grant(decided, moment)
    assert state(decided, now, now) == "granted"
    tell(decided, kind, DECIDED + timedelta(days=days))
    assert state(decided, now, now) == "withdrawn"
    assert state(decided, now, now + timedelta(days=9)) == "withdrawn"


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(days=1), timedelta(days=3000)])
def test_an_opt_out_holds_when_the_clock_is_set_back_behind_it(decided, back):
    now = decided.clock.now()
    grant(decided, now - timedelta(days=4000))
    grant(decided, now - back + timedelta(microseconds=1))
    tell(decided, "unsubscribed")
    assert state(decided, now - back, now - back) == "withdrawn"
    assert state(decided, now - back, now + timedelta(days=1)) == "withdrawn"


def test_a_grant_after_the_opt_out_opens_the_channel_again(decided):
    now = decided.clock.now()
    tell(decided, "unsubscribed")
    grant(decided, now + timedelta(hours=1))
    assert state(decided, now + timedelta(hours=2), now + timedelta(hours=2)) == "granted"


def contacts(runtime):
    with runtime.ledger.reading() as reading:
        return standing_of(reading, runtime, "c1", runtime.clock.now()).contacts


def test_what_was_not_sent_frees_its_place(decided):
    assert len(contacts(decided)) == 1
    tell(decided, "not_sent")
    tell(decided, "not_sent")
    assert contacts(decided) == ()


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("first", [True, False])
def test_what_was_sent_counts_for_the_cap_in_whatever_order_it_is_told(decided, kind, first):
    for told in (kind, "not_sent") if first else ("not_sent", kind, "not_sent"):
        tell(decided, told)
    (held,) = contacts(decided)
    assert held.engaged is ENGAGED.get(kind, False)
    seen = case(decided, Standing((), (held,)), decided.clock.now())
    assert seen._spans(Cap("one", BusinessName("One", "Eins"), 1, window_hours=24)), (
        "the cap does not count the contact"
    )


def said(kind, occurred_at, **more):
    body = {"id": f"o-{next(_numbers)}", "source": "t", "decision_id": "d-1", "type": kind}
    return json.dumps(body | {"occurred_at": occurred_at.isoformat()} | more).encode()


@pytest.mark.parametrize("kind", ["delivered", "clicked", "converted", "not_sent"])
def test_what_lies_further_ahead_than_a_clock_goes_wrong_is_refused(decided, kind):
    now = decided.clock.now()
    with pytest.raises(Problem) as caught:
        report(decided, said(kind, now + timedelta(days=1, seconds=1)))
    assert (caught.value.status, [one.field for one in caught.value.errors]) == (422, ["occurred_at"])
    with decided.ledger.reading() as reading:
        assert reading.outcomes_of("d-1") == ()
    tell(decided, kind, now + timedelta(hours=14))


@pytest.mark.parametrize("kind", ["delivered", "clicked", "converted", "not_sent"])
def test_what_was_seen_before_the_decision_is_kept_and_not_matched(decided, kind):
    held = contacts(decided)
    body = said(kind, DECIDED - timedelta(days=1, seconds=1))
    first, again = report(decided, body), report(decided, body)
    assert first == again
    assert (first[0], json.loads(first[1])["matched"]) == (202, False)
    assert contacts(decided) == held
    with decided.ledger.reading() as reading:
        assert reading.outcomes_of("d-1") == ()
    tell(decided, kind, DECIDED - timedelta(hours=14))


def test_what_comes_late_is_matched(decided):
    decided.clock.shift += timedelta(days=300)
    tell(decided, "converted", DECIDED + timedelta(days=290))
    tell(decided, "clicked", DECIDED + timedelta(days=2))


def test_a_conversion_brings_nothing_or_more(decided):
    def worth(amount):
        return said("converted", DECIDED, value={"amount": amount, "currency": "USD"})

    with pytest.raises(Problem) as caught:
        report(decided, worth(-5))
    assert (caught.value.status, [one.field for one in caught.value.errors]) == (422, ["value.amount"])
    assert report(decided, worth(0))[0] == 200


@pytest.mark.parametrize("told", ["unsubscribed", "complained"])
@pytest.mark.parametrize(
    ("kind", "channel", "closed"),
    [
        ("route", "handover", False),
        ("suppress", "paid_media", False),
        ("suppress", "email", True),
        ("message", "direct_mail", True),
        ("route", "retired", True),
    ],
)
def test_nothing_is_taken_back_where_nothing_was_said_and_no_consent_is_needed(decided, told, kind, channel, closed):
    treatment, before = Treatment("welcome", channel, "t", kind=kind), withdrawn(decided)
    assert before == set()
    assert _is_opt_out(treatment, decided.policy) == closed
    with decided.ledger.writing("c1") as tx:
        row = tx.decision("d-1")
        plan = encode(expand(Decision, row.decision))
        plan["plan"]["steps"][0]["candidate"]["treatment"].update(channel=channel, kind=kind)
        changed = tx.keyring.seal(tx.key, packed(compact(decode(Decision, plan))), "d-1.decision")
        tx.change(decisions, decisions.c.decision_id == "d-1", {"decision": changed})
    tell(decided, told)
    assert withdrawn(decided) == ({channel} if closed else set())
    with decided.ledger.reading() as reading:
        assert [one.type for one in reading.outcomes_of("d-1")] == [told], "it is kept all the same"


def withdrawn(runtime):
    with runtime.ledger.reading() as reading:
        consents = standing_of(reading, runtime, "c1", runtime.clock.now()).consents
    return {consent.channel for consent in consents if consent.state == "withdrawn"}


@pytest.mark.parametrize("why", ["objected", "suppressed"])
def test_who_objected_is_not_evaluated(decided, monkeypatch, why):
    context = Context(CustomerId("c1"), True, "UTC", "en", {}, **{why: True})
    monkeypatch.setattr("serving.decisions.build_context", lambda *_: (context, Standing()))
    decided.bundle = SimpleNamespace(digest="b", versions={})  # it holds no model: whoever asks one fails
    decided.features_version, decided.simulated = "f", True
    request = SimpleNamespace(mode="live")
    question = SimpleNamespace(client="s", request=request, plain={}, now=DECIDED, decision_id="d-2", draw=0.5)
    record, _ = consider(decided, None, question)
    assert (record.decision.outcome, record.attributions, record.context.features) == ("silence", (), {})
    assert [reason.code for reason in record.decision.reasons] == ["objection" if why == "objected" else "suppression"]
