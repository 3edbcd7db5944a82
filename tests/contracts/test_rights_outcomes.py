"""What every ledger makes of the same outcome that is reported by several at once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from arbitration.errors import LedgerError
from serving.ledger import schema
from serving.ledger.engine import Held
from serving.ledger.verify import verify
from serving.metrics import Metrics
from serving.outcomes import report
from serving.problems import Problem
from tests.contracts.conftest import POLICY, rows_of

THREADS = 4


@pytest.fixture
def runtime(ledger):
    """The parts of a service that an outcome needs."""
    return SimpleNamespace(policy=POLICY, ledger=ledger, metrics=Metrics(), settings=SimpleNamespace(brand="brand"))


def told(number: int, decision_id: str = "d-unknown") -> bytes:
    """An outcome of a decision that is not here, so that nothing locks a customer."""
    said = {"id": f"o-{number}", "source": "esp", "decision_id": decision_id, "type": "opened"}
    return json.dumps(said | {"occurred_at": "2018-01-02T15:00:00Z"}).encode()


def tell(runtime, barrier: threading.Barrier, body: bytes) -> tuple[int, bytes | str]:
    """What its caller is told, who asks again where the one that was first takes longer to commit than others wait for it."""
    barrier.wait()
    while True:
        try:
            return report(runtime, body)
        except Held:
            continue
        except Problem as problem:
            return problem.status, problem.code


def test_the_same_outcome_from_many_at_once_is_kept_once_and_answered_alike(runtime):
    barrier = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(25):
            answers = set(pool.map(partial(tell, runtime, barrier), [told(number)] * THREADS))
            assert len(answers) == 1
            assert answers.pop()[0] == 202
    assert len(rows_of(runtime.ledger, schema.outcomes)) == 25


def test_of_different_outcomes_with_one_name_at_once_one_is_kept_and_the_others_are_refused(runtime):
    barrier = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(25):
            bodies = [told(number, f"d-{thread}") for thread in range(THREADS)]
            answers = list(pool.map(partial(tell, runtime, barrier), bodies))
            assert sorted(status for status, _ in answers) == [202] + [422] * (THREADS - 1)
            assert {code for status, code in answers if status == 422} == {"id-reused"}
    assert len(rows_of(runtime.ledger, schema.outcomes)) == 25


def test_an_outcome_that_the_store_refuses_for_another_reason_is_asked_for_again(runtime):
    refuse = "ALTER TABLE outcomes ADD CONSTRAINT no CHECK (step < 0)"
    if runtime.ledger.place.is_sqlite:
        refuse = "CREATE TRIGGER no BEFORE INSERT ON outcomes BEGIN SELECT RAISE(ABORT, 'no'); END"
    with runtime.ledger.writing() as tx:
        tx.connection.exec_driver_sql(refuse)
    with pytest.raises(LedgerError, match="could not be kept"):
        report(runtime, told(1))


def test_an_outcome_leaves_no_name_that_its_caller_chose(runtime):
    name = b"kunde-x7q-4711"
    body = told(1, "d-1").replace(b"o-1", name).replace(b"d-1", name + b"-d").replace(b"esp", name + b"-esp")
    first = report(runtime, body)
    assert first == report(runtime, body)
    answered = {"id": name.decode(), "source": f"{name.decode()}-esp", "decision_id": f"{name.decode()}-d"}
    assert json.loads(first[1]) == answered | {"matched": False}
    with pytest.raises(Problem, match="used before"):
        report(runtime, body.replace(b"opened", b"clicked"))
    assert len(rows_of(runtime.ledger, schema.outcomes)) == 1
    with runtime.ledger.reading() as reading:
        for table in schema.METADATA.sorted_tables:
            for row in reading.connection.execute(select(table)):
                cells = [bytes(cell) if isinstance(cell, memoryview) else cell for cell in row]
                assert name.decode() not in repr(cells), table.name
    assert verify(runtime.ledger.address).holds
