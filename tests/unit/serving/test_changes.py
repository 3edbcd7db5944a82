"""The log of changes: who may agree to what, and with which catalog a service starts."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from arbitration.errors import InputError, StateError
from catalog.loading import EXAMPLE, load_catalog
from serving import changes as service
from serving.clock import Clock
from serving.ledger import bookkeeping, changes
from serving.ledger.changes import Proposal
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from serving.ledger.verify import verify
from tests.empty_ledger import empty_ledger

POLICY = load_catalog(EXAMPLE)
EFFECT = {
    "customers": 10, "changed": 1, "contacted_before": 5, "contacted_after": 5, "begin_to_speak": 0, "fall_silent": 0,
    "net_before": 1.0, "net_after": 1.5, "simulated": True,
}  # fmt: skip


def version(name: str, **values: object):
    return replace(POLICY, version=name, contact_policy=replace(POLICY.contact_policy, **values))


NARROWER, WIDER = version("narrower", stop_factor=5.0), version("wider", stop_factor=20.0)


@pytest.fixture
def ledger(tmp_path):
    found = Ledger(empty_ledger(tmp_path / "ledger.db"), Keyring.fresh(), Clock())
    service.admit(found, POLICY, "models-1", "two")
    yield found
    found.close()


def propose(ledger, policy, effect=EFFECT, by: str = "maria") -> str:
    with ledger.reading() as reading:
        proposal = service.proposal_of(reading, policy, effect)
    return ledger.write(None, lambda tx: changes.propose(tx, proposal, by))


def decide(ledger, name: str, by: str, *, approved: bool = True, approvals="two"):
    return ledger.write(
        None, lambda tx: changes.decide(tx, name, approved=approved, by=by, reason="looked at it", approvals=approvals)
    )


def start(ledger, policy, models: str = "models-1", approvals="two") -> None:
    service.admit(ledger, policy, models, approvals)


def in_force(ledger) -> str | None:
    with ledger.reading() as reading:
        return changes.in_force(reading, "catalog")


def events(ledger) -> list[str]:
    with ledger.reading() as reading:
        rows = reading.connection.execute(bookkeeping.outbox.select().order_by(bookkeeping.outbox.c.number))
        return [row.type.removeprefix("dirigent.change.").removesuffix(".v1") for row in rows]


def test_the_first_catalog_and_the_first_models_are_applied_unasked_and_only_once(ledger):
    assert in_force(ledger) == POLICY.version
    start(ledger, POLICY)
    with ledger.reading() as reading:
        found = changes.newest(reading, 10)
        assert service.policy_in_force(reading) == POLICY
    assert {(one.proposal.kind, one.state, one.proposed_by) for one in found} == {
        ("catalog", "applied", "dirigent"),
        ("models", "applied", "dirigent"),
    }
    assert len(found) == 2


def test_a_catalog_that_nobody_agreed_to_keeps_the_service_from_starting_and_says_what_to_run(ledger):
    with pytest.raises(StateError) as caught:
        start(ledger, WIDER)
    told = str(caught.value)
    assert POLICY.version in told
    assert "wider" in told
    assert "dirigent change propose NEW_FOLDER --old FOLDER_IN_FORCE" in told
    assert "dirigent change approve CHANGE --reason WHY" in told
    assert in_force(ledger) == POLICY.version
    start(ledger, POLICY)


def test_one_that_widens_needs_somebody_else_than_its_proposer(ledger):
    name = propose(ledger, WIDER)
    with pytest.raises(StateError, match=f"dirigent change approve {name}"):
        start(ledger, WIDER)
    with pytest.raises(InputError, match="somebody else must approve it"):
        decide(ledger, name, "maria")
    assert decide(ledger, name, "jonas").state == "approved"
    start(ledger, WIDER)
    assert in_force(ledger) == "wider"
    assert events(ledger) == ["applied", "applied", "proposed", "approved", "applied"]
    assert verify(ledger.address).holds


def test_one_that_does_not_widen_needs_nobody(ledger):
    propose(ledger, NARROWER)
    start(ledger, NARROWER)
    assert in_force(ledger) == "narrower"


def test_who_works_alone_may_approve_their_own(ledger):
    name = propose(ledger, WIDER)
    with pytest.raises(StateError, match="waits for approval"):
        start(ledger, WIDER, approvals="one")
    decide(ledger, name, "maria", approvals="one")
    start(ledger, WIDER, approvals="one")
    assert in_force(ledger) == "wider"


def test_what_its_proposer_approved_elsewhere_does_not_start_a_service_that_asks_for_two(ledger):
    name = propose(ledger, WIDER)
    decide(ledger, name, "maria", approvals="one")
    with pytest.raises(StateError, match=f"only maria, who proposed it(.|\n)*dirigent change approve {name}"):
        start(ledger, WIDER)
    with pytest.raises(InputError, match="is approved already"):
        decide(ledger, name, "maria", approvals="one")
    assert in_force(ledger) == POLICY.version
    assert decide(ledger, name, "jonas").decided_by == "jonas"
    start(ledger, WIDER)
    assert in_force(ledger) == "wider"


def test_a_second_person_may_still_reject_what_its_proposer_approved(ledger):
    name = propose(ledger, WIDER)
    decide(ledger, name, "maria", approvals="one")
    assert decide(ledger, name, "jonas", approved=False).state == "rejected"
    with pytest.raises(StateError, match="nobody agreed"):
        start(ledger, WIDER, approvals="one")


def test_what_was_applied_with_its_proposers_approval_alone_needs_a_second_person_too(ledger):
    name = propose(ledger, WIDER)
    decide(ledger, name, "maria", approvals="one")
    start(ledger, WIDER, approvals="one")
    with pytest.raises(StateError, match="only maria, who proposed it"):
        start(ledger, WIDER)
    smaller = propose(ledger, version("smaller", stop_factor=19.0))
    with pytest.raises(StateError, match="waits for approval"):
        start(ledger, version("smaller", stop_factor=19.0))
    with pytest.raises(InputError, match="is applied already"):
        decide(ledger, name, "jonas", approved=False)
    assert decide(ledger, name, "jonas").state == "applied"
    start(ledger, WIDER)
    with ledger.reading() as reading:
        assert changes.find(reading, smaller).state == "proposed"
    start(ledger, version("smaller", stop_factor=19.0))
    assert in_force(ledger) == "smaller"
    assert verify(ledger.address).holds


def test_a_name_in_another_case_is_nobody_else(ledger):
    name = propose(ledger, WIDER, by="anna")
    with pytest.raises(InputError, match="was proposed by anna, and somebody else must approve it") as caught:
        decide(ledger, name, "Anna")
    assert "DIRIGENT_APPROVALS" not in str(caught.value)
    decide(ledger, name, "ANNA", approvals="one")
    with pytest.raises(StateError, match="only anna, who proposed it"):
        start(ledger, WIDER)


@pytest.mark.parametrize(
    ("effect", "widens"),
    [
        ({}, True),
        (EFFECT, False),
        (EFFECT | {"contacted_after": 6}, True),
        (EFFECT | {"begin_to_speak": 1, "fall_silent": 1}, True),
        (EFFECT | {"contacted_after": 4, "fall_silent": 1}, False),
    ],
)
def test_the_counted_effect_widens_too_and_one_that_nobody_could_count_does(ledger, effect, widens):
    with ledger.reading() as reading:
        assert service.proposal_of(reading, NARROWER, effect).widens is widens


def test_a_rejected_change_starts_nothing_and_is_decided_once(ledger):
    name = propose(ledger, NARROWER)
    assert decide(ledger, name, "maria", approved=False).state == "rejected"
    with pytest.raises(StateError, match="nobody agreed"):
        start(ledger, NARROWER)
    for approved in (True, False):
        with pytest.raises(InputError, match="is rejected already"):
            decide(ledger, name, "jonas", approved=approved)
    with pytest.raises(InputError, match="is no change"):
        decide(ledger, "g-none", "jonas")


def test_what_was_agreed_to_from_another_catalog_is_not_agreed_to(ledger):
    decide(ledger, propose(ledger, WIDER), "jonas")
    propose(ledger, NARROWER)
    start(ledger, NARROWER)
    with pytest.raises(StateError, match="nobody agreed"):
        start(ledger, WIDER)
    with pytest.raises(StateError, match="nobody agreed"):
        start(ledger, POLICY)  # back again is a change like any other


def test_the_catalog_in_force_cannot_be_proposed_and_none_before_the_first(ledger, tmp_path):
    with pytest.raises(StateError, match="in force already"):
        propose(ledger, POLICY)
    empty = Ledger(tmp_path / "empty.db", Keyring.fresh())
    with pytest.raises(StateError, match="no catalog is in force yet"):
        propose(empty, POLICY)
    empty.close()


def test_a_clock_that_begins_anew_with_every_start_does_not_bring_an_older_catalog_back(ledger):
    ledger.clock.shift -= timedelta(hours=1)
    propose(ledger, NARROWER)
    start(ledger, NARROWER)
    assert in_force(ledger) == "narrower"


def test_models_are_logged_and_never_refused_also_when_they_come_back(ledger):
    for models in ("models-2", "models-1", "models-1"):
        start(ledger, POLICY, models)
    with ledger.reading() as reading:
        found = [one.proposal for one in reversed(changes.newest(reading, 10)) if one.proposal.kind == "models"]
    assert [(one.from_version, one.to_version) for one in found] == [
        (None, "models-1"), ("models-1", "models-2"), ("models-2", "models-1"),
    ]  # fmt: skip


def test_a_fleet_that_starts_at_once_applies_a_change_once(ledger, tmp_path):
    decide(ledger, propose(ledger, WIDER), "jonas")
    fresh = Ledger(tmp_path / "fleet.db", Keyring.fresh())
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: start(ledger, WIDER, "models-2"), range(6)))
        list(pool.map(lambda _: start(fresh, POLICY), range(6)))
    assert events(ledger).count("applied") == 4  # two of them when the ledger was new
    assert events(fresh) == ["applied", "applied"]
    fresh.close()


def test_the_changes_are_shown_with_what_widens_and_the_counted_effect(ledger):
    name = propose(ledger, WIDER)
    decide(ledger, name, "jonas")
    status, body = service.show(SimpleNamespace(ledger=ledger))
    newest = json.loads(body)["changes"][0]
    assert (status, newest["id"], newest["state"], newest["decided_by"]) == (200, name, "approved", "jonas")
    assert newest["widening"] == ["stop_factor raised"]
    assert newest["changes"] == ["contact policy: stop_factor 10.0 → 20.0"]
    assert newest["effect"] == EFFECT
    assert Proposal("models", None, "x").widens is False
