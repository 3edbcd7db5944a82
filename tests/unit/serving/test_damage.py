"""A ledger somebody wrote into: what is damaged fails alone and by its id, in every way of replaying; the rest goes on."""

from __future__ import annotations

import json
from contextlib import suppress
from types import SimpleNamespace

import pytest

from arbitration.errors import LedgerError
from serving.ledger.place import Address
from serving.ledger.store import Ledger
from serving.problems import Problem
from serving.reading import load
from serving.records import VERSION
from serving.replay import replay_of
from serving.replay_many import check_many, compare_many
from tests.unit.arbitration.situations import POLICY
from tests.unit.serving.recorded import KEYRING, RICHER, alter, keep, spoken_to, tampered


@pytest.fixture
def records():
    return spoken_to()


FAR = "9999-12-31T23:59:59Z"
TAMPERED_COLUMNS = [
    {"stopped": "x"}, {"stopped": "5"}, {"stopped": '{"a":"b"}'}, {"stopped": "[" * 50_000}, {"stopped": b"\xff"},
    {"opens_at": 9 * 10**18}, {"opens_at": "x"}, {"opens_at": b"\xff"}, {"inputs": "text"}, {"inputs": 5}, {"inputs": b""},
    {"net": "x"}, {"net": 9e999}, {"decided_on": "x"}, {"favorite": b"\xff"}, {"decided_at": "x"}, {"mode": b"\xff"},
]  # fmt: skip
TAMPERED_INPUTS = {
    "version text": lambda plain: plain.update(version="3"),
    "version true": lambda plain: plain.update(version=True),
    "version above": lambda plain: plain.update(version=VERSION + 1),
    "version zero": lambda plain: plain.update(version=0),
    "version part": lambda plain: plain.update(version=1.5),
    "no version": lambda plain: plain.pop("version"),
    "no context": lambda plain: plain.pop("context"),
    "context list": lambda plain: plain.update(context=[]),
    "no features": lambda plain: plain["context"].pop("features"),
    "no customer": lambda plain: plain["context"].pop("customer_id"),
    "no estimates": lambda plain: plain.pop("estimates"),
    "estimates": lambda plain: plain.update(estimates=5),
    "now": lambda plain: plain.update(now="x"),
    "now number": lambda plain: plain.update(now=5),
    "now without offset": lambda plain: plain.update(now="2018-01-02T10:00:00"),
    "now far": lambda plain: plain.update(now=FAR),
    "draw": lambda plain: plain.update(draw="x"),
    "feature": lambda plain: plain["context"]["features"].update(recency_days=[1]),
    "contacts": lambda plain: plain["context"].update(contacts=[{}]),
    "consents": lambda plain: plain["context"].update(consents=[5]),
}


def assert_one_is_damaged(path: Address) -> None:
    done = check_many(path, [1, 2, 3], lambda _: None)
    assert (done.identical, [one.decision_id for one in done.others], done.excused) == (2, ["d-0"], ())
    seen: list[int] = []
    found = compare_many(path, [1, 2, 3], RICHER, seen.append)
    assert sum(seen) == 3
    assert (found.radius.records, [one.decision_id for one in found.damaged]) == (2, ["d-0"])
    json.dumps(found.radius.to_plain(), allow_nan=False)


@pytest.mark.parametrize("changes", TAMPERED_COLUMNS, ids=lambda it: str(it)[:30])
def test_a_damaged_column_fails_its_own_decision_alone(tmp_path, records, changes):
    address = keep(tmp_path / "ledger.db", records)
    alter(address, **changes)
    assert_one_is_damaged(address)


@pytest.mark.parametrize("name", TAMPERED_INPUTS)
def test_damaged_inputs_fail_their_own_decision_alone(tmp_path, records, name):
    address = keep(tmp_path / "ledger.db", records)
    alter(address, inputs=tampered(address, records[0], "inputs", TAMPERED_INPUTS[name]))
    assert_one_is_damaged(address)


@pytest.mark.parametrize("changes", TAMPERED_COLUMNS, ids=lambda it: str(it)[:30])
def test_over_http_a_damaged_decision_is_a_problem_or_a_difference(tmp_path, records, changes):
    address = keep(tmp_path / "ledger.db", records)
    alter(address, **changes)
    runtime = SimpleNamespace(ledger=Ledger(address.place.path, KEYRING), policy=POLICY)
    with pytest.raises(Problem) as refused:
        replay_of(runtime, "d-0", b"")
    assert refused.value.status == 422
    with suppress(LedgerError):
        load(runtime, "d-0")
    assert json.loads(replay_of(runtime, "d-1", b""))["identical"]
    runtime.ledger.close()


@pytest.mark.parametrize("name", TAMPERED_INPUTS)
def test_a_damaged_record_is_not_explained(tmp_path, records, name):
    address = keep(tmp_path / "ledger.db", records)
    alter(address, inputs=tampered(address, records[0], "inputs", TAMPERED_INPUTS[name]))
    runtime = SimpleNamespace(ledger=Ledger(address.place.path, KEYRING), policy=POLICY)
    with pytest.raises(LedgerError) if name != "now far" else suppress(LedgerError):
        load(runtime, "d-0")
    runtime.ledger.close()
