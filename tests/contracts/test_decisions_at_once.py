"""Decisions and steps that another writer overtakes, on both stores: none oversells, none goes past a stop, none is refused for ever."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from arbitration.policy import BusinessName, Resource
from serving.bootstrap import features_version
from serving.decisions import decide_for
from serving.ledger import rights, schema, volume
from serving.problems import Problem
from tests.contracts.conftest import rows_of
from tests.contracts.reserving import DAY, ENGINE, Shop, open_policy, refused
from training import bundle

CUSTOMERS = tuple(f"k{number}" for number in range(8))
SCARCE = Resource("scarce", BusinessName("Scarce", "Knapp"), channel="push", limit=3, per_days=7)


def eager(*journeys: str, **changes):
    """A policy under which these journeys alone speak, and always: they pay, and silence is never drawn."""
    policy = open_policy()
    kept = {name: replace(policy.journeys[name], effect_prior=0.9 - 0.1 * at, effect_prior_sd=0.0) for at, name in enumerate(journeys)}  # fmt: skip
    selection = replace(policy.selection, exploration=0.0, silence_floor=0.0, holdout=0.0, exploration_budget=0.0)
    return replace(policy, journeys=kept, selection=selection, **changes)


@pytest.fixture(scope="module")
def models(shop_home):
    return bundle.load(shop_home)


@pytest.fixture
def opened(ledger, models):
    """How to open a shop that decides by a policy, with customers enough."""

    def open_shop(policy) -> Shop:
        shop = Shop(ledger, policy)
        for name in CUSTOMERS:
            shop.customer(name)
        give(shop, models, policy)
        return shop

    return open_shop


def give(shop: Shop, models, policy) -> None:
    shop.runtime.bundle, shop.runtime.policy = models, policy
    shop.runtime.features_version, shop.runtime.simulated = features_version(), True
    shop.runtime.policy_bytes = b"policy"


def ask(shop: Shop, customer: str, number: int = 0) -> dict:
    body = {"request_id": f"{customer}-{number}", "customer": {"id": customer}}
    status, answer = decide_for(shop.runtime, ENGINE, json.dumps(body).encode())
    assert status == 200
    return json.loads(answer)


def before_the_first_write(shop: Shop, deed) -> None:
    """Let `deed` happen when the first request has been considered and would be written now: once for each customer."""
    write, seen = shop.ledger.write, set()

    def later(customer, work, *after):
        if customer in CUSTOMERS and customer not in seen:
            seen.add(customer)
            deed(write)
        return write(customer, work, *after)

    shop.ledger.write = later


def all_at_once(shop: Shop, customers=CUSTOMERS) -> list[dict]:
    """What many customers are answered whose requests were all considered before the first was written."""
    together = threading.Barrier(len(customers))
    before_the_first_write(shop, lambda _: together.wait(20))
    with ThreadPoolExecutor(len(customers)) as pool:
        return list(pool.map(lambda name: ask(shop, name), customers))


def chosen(answer: dict) -> tuple[str, str]:
    """Journey and channel of what is said first."""
    return (answer["plan"][0]["journey"], answer["plan"][0]["channel"]) if answer["plan"] else ("silence", "none")


def channels(answers: list[dict]) -> list[str]:
    return sorted(chosen(answer)[1] for answer in answers)


def stopped_journeys(shop: Shop) -> list[tuple[str, bool]]:
    with shop.ledger.reading() as reading:
        return [(one.journey, one.automatic) for one in volume.stopped(reading).values()]


def planned(policy, plan: int | None, factor: float = 1.0):
    journeys = policy.journeys | {"churn_recovery": replace(policy.journeys["churn_recovery"], hourly_plan=plan)}
    return replace(policy, journeys=journeys, contact_policy=replace(policy.contact_policy, stop_factor=factor))


def test_the_last_units_go_to_as_many_customers_as_there_are_and_the_others_get_the_next_best(opened):
    shop = opened(eager("churn_recovery", resources={"scarce": SCARCE}))
    answers = all_at_once(shop)
    assert channels(answers) == ["email"] * 5 + ["push"] * 3
    assert sorted(row.channel for row in rows_of(shop.ledger)) == channels(answers)


def test_two_later_steps_at_once_do_not_share_the_last_unit(ledger):
    resource = replace(SCARCE, channel="email", limit=1)
    shop = Shop(ledger, replace(open_policy(), resources={"scarce": resource}))
    shop.customer("k0"), shop.customer("k1")
    decisions = [shop.decided([("push", timedelta(0)), ("email", DAY)], customer=name) for name in ("k0", "k1")]
    for decision, held in decisions:
        shop.confirm(held)
        shop.report(decision, "delivered")
    shop.later(days=1)
    together = threading.Barrier(2)
    before_the_first_write(shop, lambda _: together.wait(20))

    def step(number: int) -> str:
        try:
            return shop.step(decisions[number][0], request_id=f"s-{number}")[1]["channel"]
        except Problem as problem:
            return f"{problem.code} {problem.more['reason']}"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(step, range(2))) == ["email", "not-admitted out_of_stock"]


@pytest.mark.parametrize("plan", [None, 100])
def test_a_stop_between_considering_and_writing_leads_to_the_next_best_journey(opened, plan):
    shop = opened(planned(eager("churn_recovery", "win_back"), plan))
    stop = partial(volume.stop, journey="churn_recovery", by="maria", reason="wrong text")
    before_the_first_write(shop, lambda write: write(None, stop))
    assert chosen(ask(shop, "k0"))[0] == "win_back"


def test_a_plan_lowered_below_what_was_sent_stops_the_journey_and_the_others_go_on(opened, models):
    policy = eager("churn_recovery", "win_back")
    shop = opened(planned(policy, 5))
    assert {chosen(ask(shop, name))[0] for name in CUSTOMERS[:3]} == {"churn_recovery"}
    give(shop, models, planned(policy, 2))
    answers = all_at_once(shop, CUSTOMERS[3:])
    assert {chosen(answer)[0] for answer in answers} == {"win_back"}
    assert stopped_journeys(shop) == [("churn_recovery", True)]


def test_a_step_beyond_a_lowered_plan_is_refused_and_stops_the_journey(ledger):
    shop = Shop(ledger, planned(open_policy(), 2))
    decision, held = shop.decided([("push", timedelta(0)), ("email", DAY)])
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    for _ in range(2):
        ledger.write(None, partial(volume.count, journey="churn_recovery", policy=planned(shop.policy, 3)))
    assert refused(shop.step, decision).more["reason"] == "journey_stopped"
    assert stopped_journeys(shop) == [("churn_recovery", True)]


def test_a_journey_stopped_by_hand_at_its_last_place_speaks_again_when_it_is_resumed(opened):
    shop = opened(planned(eager("churn_recovery"), 2))
    ask(shop, "k0")
    write = shop.ledger.write
    write(None, partial(volume.stop, journey="churn_recovery", by="maria", reason="wrong text"))
    assert chosen(ask(shop, "k1"))[0] == "silence"
    write(None, partial(volume.resume, journey="churn_recovery", by="maria", reason="right text"))
    assert [chosen(ask(shop, name))[0] for name in CUSTOMERS[2:5]] == ["churn_recovery"] * 2 + ["silence"]


def objecting(shop: Shop, customer: str) -> None:
    shop.ledger.write(customer, rights.objected)
    before_the_first_write(shop, lambda write: write(customer, rights.objection_lifted))


def test_who_takes_an_objection_back_meanwhile_is_considered_afresh_and_stays_in_the_holdout(opened):
    policy = eager("churn_recovery")
    shop = opened(replace(policy, selection=replace(policy.selection, holdout=1.0)))
    objecting(shop, "k0")
    answer = ask(shop, "k0")
    assert (answer["outcome"], answer["arm"]) == ("silence", "holdout")
    assert rows_of(shop.ledger) == []


def test_who_takes_an_objection_back_meanwhile_is_decided_with_all_that_is_known(opened):
    shop = opened(eager("churn_recovery"))
    objecting(shop, "k0")
    answer = ask(shop, "k0")
    assert chosen(answer)[1] == "push"
    assert answer["degraded"], "the online store, which is away here, was asked"
    assert len(rows_of(shop.ledger, schema.decisions)) == 1


def test_a_step_of_who_takes_an_objection_back_meanwhile_is_judged_with_all_that_is_known(ledger):
    policy = open_policy()
    shop = Shop(ledger, replace(policy, selection=replace(policy.selection, holdout=1.0)))
    shop.customer("k0")
    decision, held = shop.decided([("push", timedelta(0)), ("email", DAY)], customer="k0")
    shop.confirm(held)
    shop.report(decision, "delivered")
    shop.later(days=1)
    objecting(shop, "k0")
    assert refused(shop.step, decision).more["reason"] == "holdout"
