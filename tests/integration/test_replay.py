"""Stocks and replay over the real shop: a last unit is given out once, and old records outlive new models and catalogs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from arbitration.codec import canonical_json, encode
from arbitration.domain import Estimate
from arbitration.policy import BusinessName, Resource
from catalog.loading import version_of
from features.tables.example import AS_OF
from serving import decisions
from serving.auth import Client
from serving.bootstrap import build
from serving.decisions import _commit, consider, decide_for, question_of
from serving.estimates import estimates
from serving.replay import replay_of
from serving.replay_many import check_many, compare_many
from serving.settings import Settings
from tests.contracts.conftest import hold
from tests.e2e.service_process import private_home

CLIENT = Client("shop", "orchestrator")
NAME = BusinessName("Scarce", "Knapp")


def asked(number: int, customer: str, **more: object) -> bytes:
    return json.dumps({"request_id": f"r-{number}", "customer": {"id": customer}, **more}).encode()


@pytest.fixture
def runtime(shop_home, tmp_path):
    """The shop as the service builds it, with a ledger of its own; every decision takes the favorite."""
    found = build(Settings(home=private_home(shop_home, tmp_path / "home").root, as_of=AS_OF, log_level="error"))
    selection = replace(found.policy.selection, silence_floor=0.0, exploration=0.0, holdout=0.0)
    yield with_policy(found, replace(found.policy, selection=selection))
    found.close()


def with_policy(runtime, policy):
    policy = replace(policy, version=version_of(encode(policy)))
    return replace(runtime, policy=policy, policy_bytes=canonical_json(policy))


def scarce(runtime, **resource):
    """The same with one scarce resource; a day, so that the shop's own contacts do not count."""
    only = Resource("scarce", NAME, per_days=1, **resource)
    return with_policy(runtime, replace(runtime.policy, resources={"scarce": only}))


def customers(runtime, count: int) -> list[str]:
    with runtime.ledger.reading() as reading:
        return reading.customers(count)


def address_of(runtime):
    return runtime.ledger.address


def all_of(runtime) -> range:
    with runtime.ledger.reading() as reading:
        return range(1, 1 + reading.connection.exec_driver_sql("SELECT count(*) FROM decisions").scalar_one())


def test_a_stock_of_one_is_not_given_out_twice(runtime):
    runtime = scarce(runtime, limit=1)  # names nothing: every contact takes a unit
    questions = [question_of(runtime, CLIENT, asked(at, name)) for at, name in enumerate(customers(runtime, 150))]
    with runtime.ledger.reading() as reading:
        considered = [(question, *consider(runtime, reading, question)) for question in questions]
    acting = [one for one in considered if one[1].decision.winner]
    assert len(acting) >= 8, "too few want the last unit"
    together = threading.Barrier(8)

    def commit(one):
        if one in first:
            together.wait(10)
        with runtime.ledger.reading() as reading:
            return json.loads(_commit(runtime, reading, *one)[1])

    first = acting[:8]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(commit, acting))
    assert [answer["outcome"] for answer in answers].count("act") == 1
    refused = {no["reason"] for answer in answers if answer["outcome"] == "silence" for no in answer["rejected"]}
    assert "out_of_stock" in refused
    done = check_many(address_of(runtime), all_of(runtime), lambda _: None)
    assert (done.identical, done.others) == (len(acting), ()), "what was decided anew under the lock replays as well"


@pytest.mark.parametrize(("limit", "times"), [(1, 2), (2, 1)])
def test_it_is_decided_anew_only_when_the_last_unit_went_meanwhile(runtime, monkeypatch, limit, times):
    runtime = scarce(runtime, limit=limit)
    judge, judged = decisions._judge, []
    monkeypatch.setattr(decisions, "_judge", lambda *given: judged.append(given) or judge(*given))
    with runtime.ledger.reading() as reading:
        question = question_of(runtime, CLIENT, asked(1, "1"))
        considered = consider(runtime, reading, question)
        with runtime.ledger.writing("somebody") as tx:
            hold(tx, "d-else")
        _commit(runtime, reading, question, *considered)
    assert len(judged) == times


def test_old_records_replay_after_other_models_and_another_catalog(runtime, monkeypatch):
    names = customers(runtime, 60)
    for at, name in enumerate(names[:30]):
        decide_for(runtime, CLIENT, asked(at, name))
    policy = runtime.policy
    other = with_policy(
        runtime,
        replace(
            policy,
            journeys={
                name: replace(it, lever=it.lever + 1.0) for name, it in policy.journeys.items() if name != "welcome"
            },
            contact_policy=replace(policy.contact_policy, caps=()),
        ),
    )

    def promoted(*given):
        believed = estimates(*given)
        return replace(believed, effect={key: Estimate(0.2, 0.01, "v2", 2) for key in believed.effect})

    monkeypatch.setattr("serving.decisions.estimates", promoted)
    for at, name in enumerate(names[30:], 30):
        decide_for(other, CLIENT, asked(at, name))
    done = check_many(address_of(runtime), all_of(runtime), lambda _: None)
    assert (done.identical, done.others) == (60, ())
    radius = compare_many(address_of(runtime), all_of(runtime)[:30], other.policy, lambda _: None).radius
    assert radius.records == 30
    assert radius.silence_lost > 0, "the other catalog changes nothing, so this test could not fail"


def test_a_replay_is_asked_for_over_http(runtime):
    decision_id = json.loads(decide_for(runtime, CLIENT, asked(1, "1"))[1])["decision_id"]
    told = {"decision_id": decision_id, "identical": True}
    assert (
        json.loads(replay_of(runtime, decision_id, b"")) == json.loads(replay_of(runtime, decision_id, b" {}")) == told
    )
