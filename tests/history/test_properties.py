"""Random legal histories are accepted, each of them broken in one way is not, and caps agree with counting by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.history.checker import judge_rows
from tests.history.clients import Clients
from tests.history.mutations import MUTATIONS
from tests.history.reference import BEGIN, CAPS, HOUR, ZONES, counted, fullest

Row = dict[str, Any]
TIMES = 6
"""How many histories each mutation must find something to break in."""


@given(seed=st.integers(0, 1 << 32), clients=st.integers(2, 7), customers=st.integers(1, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_legal_history_is_accepted(seed, clients, customers):
    dump, histories = Clients(seed, count=clients, customers=customers).run(200)
    assert judge_rows(dump, histories) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_history_is_refused(name):
    invariant, mutation = MUTATIONS[name]
    broken = 0
    for seed in range(80):
        dice = random.Random(seed)  # noqa: S311 - a seed reproduces the history
        dump, histories = Clients(seed).run(150)
        if mutation(dump, histories, dice):
            broken += 1
            assert invariant in {finding.invariant for finding in judge_rows(dump, histories)}, f"seed {seed}"
        if broken == TIMES:
            return
    pytest.fail(f"found something to break in {broken} histories alone")


def test_every_invariant_is_mutated():
    assert {invariant for invariant, _ in MUTATIONS.values()} == {f"I{number}" for number in range(1, 9)}


def contacts_of(dice: random.Random, count: int) -> list[Row]:
    """Contacts of one customer with moments of their own, as legal or illegal as they happen to be."""
    moments = dice.sample(range(BEGIN, BEGIN + 60 * HOUR), 2 * count)
    order = {moment: number for number, moment in enumerate(sorted(moments), 1)}
    found = []
    for number in range(count):
        begin, end = sorted(moments[2 * number : 2 * number + 2])
        channel = dice.choice(("push", "email", "in_app"))
        row: Row = {"table": "contacts", "subject": "s", "channel": channel, "timing": "scheduled", "epoch": number}
        row |= {
            "journey": dice.choice(("welcome", "win_back")),
            "purpose": dice.choice(("marketing", "marketing", "service")),
        }
        row |= {
            "reservation_id": f"r{number}",
            "reserved_at": begin,
            "settled_at": end,
            "lease_until": end + dice.choice((1, -9 * HOUR)),
        }
        row |= {"state": dice.choice(("confirmed", "released", "expired")), "reserved_order": order[begin]}
        row |= {"settled_order": order[end], "send_at": BEGIN + dice.randrange(90) * HOUR}
        row["lease_until"] = max(row["lease_until"], begin + 1)
        if row["state"] == "confirmed" and dice.random() < 0.4:
            row["sent_at"] = row["send_at"] + dice.randrange(-9, 9) * HOUR
        found.append(row)
    return found


def held_at(row: Row, moment: int) -> Row | None:
    """A contact as it counts at a moment; None if it does not."""
    if row["state"] == "confirmed" and moment >= row["settled_at"]:
        return row
    return row | {"sent_at": row["send_at"]} if is_live(row, moment) else None


def is_live(row: Row, moment: int) -> bool:
    """Whether a contact is a live reservation at a moment."""
    return bool(row["reserved_at"] <= moment < min(row["settled_at"], row["lease_until"]))


@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 9), zone=st.sampled_from(ZONES))
@settings(max_examples=250, deadline=None)
def test_caps_and_winners_agree_with_looking_at_every_instant(seed, count, zone):
    contacts = contacts_of(random.Random(seed), count)  # noqa: S311 - a seed reproduces the contacts
    overflow = winners = False
    for moment in sorted(row[name] for row in contacts for name in ("reserved_at", "settled_at")):
        held = [found for row in contacts if (found := held_at(row, moment)) is not None]
        marketing = [row for row in held if row["purpose"] == "marketing"]
        winners |= sum(is_live(row, moment) for row in marketing) > 1
        new = [row for row in marketing if row["reserved_at"] == moment]
        for cap in CAPS:
            reserve, limit = cap.get("reserve", 0), cap["limit"]
            overflow |= fullest(cap, counted(cap, marketing), zone) > limit - reserve
            if reserve and counted(cap, new):
                overflow |= fullest(cap, counted(cap, held), zone, new[0]["send_at"]) > limit
    findings = judge_rows([*CAPS, {"table": "subjects", "subject": "s", "time_zone": zone}, *contacts], [])
    found = {finding.invariant for finding in findings}
    assert ("I1" in found, "I2" in found) == (winners, overflow)
