"""A service at its limits: it says when to come back, and what a person said still gets through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.auth import create_key
from tests.e2e.service_process import private_home, running

TIGHT = {
    "DIRIGENT_RATE_PER_KEY": "40",
    "DIRIGENT_RATE_PER_PEER": "5",
    "DIRIGENT_CONCURRENCY": "8",
    "DIRIGENT_CONCURRENCY_PER_KEY": "6",
}


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    home = private_home(shop_home, tmp_path_factory.mktemp("limits") / "home")
    with running(home, create_key(home, "orchestrator", "orchestrator"), forked=True, **TIGHT) as found:
        yield found


def outcome(number: int) -> dict[str, object]:
    return {
        "id": f"pressed-{number}", "source": "t", "decision_id": "d-unknown", "type": "unsubscribed",
        "occurred_at": "2018-01-02T14:00:00Z",
    }  # fmt: skip


def test_outcomes_are_taken_while_decisions_are_turned_away(server):
    def decide(number: int) -> int:
        return server.decide(f"crowd-{number}", str(number)).status_code

    def tell(number: int) -> int:
        return server.http.post("/v1/outcomes", json=outcome(number)).status_code

    with ThreadPoolExecutor(32) as crowd, ThreadPoolExecutor(2) as witness:
        decided = [crowd.submit(decide, number) for number in range(160)]
        told = [witness.submit(tell, number) for number in range(30)]
        statuses = [one.result() for one in decided]
        assert {one.result() for one in told} == {202}
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 6


def test_who_is_turned_away_is_told_when_to_come_back(server):
    with ThreadPoolExecutor(32) as crowd:  # one by one, a slow machine is never over the rate
        answers = list(crowd.map(lambda _: server.http.get("/v1/decisions/d-1"), range(160)))
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_a_stranger_who_knocks_too_often_is_limited_and_a_key_from_the_same_address_is_not(server):
    with server.client("dgt_wrong") as stranger:
        statuses = [stranger.get("/metrics").status_code for _ in range(30)]
        assert stranger.get("/livez").status_code == 200
    assert set(statuses) == {401, 429}
    with server.client(create_key(server.home, "newcomer", "marketer")) as newcomer:
        assert newcomer.get("/ui/decisions").status_code == 200
