"""The kill switch over HTTP: a journey stops by itself far beyond its plan, a person stops one, another lets it speak again."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from catalog.loading import EXAMPLE
from serving.auth import create_key
from tests.e2e.service_process import private_home, running

LIMIT = 2


@pytest.fixture(scope="module")
def shop(shop_home, tmp_path_factory):
    """A service whose journeys are planned for one contact an hour each and stop at two."""
    folder = tmp_path_factory.mktemp("stops")
    home = private_home(shop_home, folder / "home")
    shutil.copytree(EXAMPLE, folder / "catalog")
    for name, before, after in (
        ("journeys.yaml", "hourly_plan: 1000", "hourly_plan: 1"),
        ("contact_policy.yaml", "stop_factor: 10.0", f"stop_factor: {LIMIT}.0"),
    ):
        file = folder / "catalog" / name
        file.write_text(file.read_text().replace(before, after))
    key = create_key(home, "engine", "orchestrator")
    with running(home, key, forked=True, DIRIGENT_CATALOG=str(folder / "catalog")) as server:
        yield server


@pytest.fixture
def marketer(shop):
    with shop.client(create_key(shop.home, "maria", "marketer")) as client:
        yield client


@pytest.fixture
def admin(shop):
    with shop.client(create_key(shop.home, "ada", "admin")) as client:
        yield client


def journeys(client) -> dict[str, dict]:
    return {one["id"]: one for one in client.get("/v1/journeys").json()["journeys"]}


def reserved(shop) -> Counter:
    with closing(sqlite3.connect(shop.home.ledger)) as file:
        return Counter(
            dict(file.execute("SELECT journey, count(*) FROM contacts WHERE purpose = 'marketing' GROUP BY 1"))
        )


def customers(shop, count: int) -> list[str]:
    with closing(sqlite3.connect(shop.home.ledger)) as file:
        return [row[0] for row in file.execute("SELECT customer_id FROM shop_customers ORDER BY 1 LIMIT ?", (count,))]


def test_many_questions_at_once_reserve_the_limit_of_each_journey_and_not_one_more(shop, admin):
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda name: shop.decide(f"stop-{name}", name), customers(shop, 60)))
    assert {answer.status_code for answer in answers} == {200}
    counted, found = reserved(shop), journeys(admin)
    assert max(counted.values()) == LIMIT
    full = {name for name, count in counted.items() if count == LIMIT}
    stopped = {name: one["stopped"] for name, one in found.items() if "stopped" in one}
    assert set(stopped) == full
    assert {(one["by"], one["reason"], one["automatic"]) for one in stopped.values()} == {("dirigent", "volume", True)}
    assert all(found[name]["contacts_this_hour"] == LIMIT for name in full)
    spoke = Counter(answer.json()["action"]["journey"] for answer in answers if answer.json().get("action"))
    assert all(spoke[name] <= LIMIT for name in full)


def test_a_marketer_stops_a_journey_and_only_an_admin_lets_it_speak_again(shop, marketer, admin):
    name = next(name for name, one in journeys(admin).items() if "stopped" not in one and one["purpose"] == "marketing")
    answer = marketer.post(f"/v1/journeys/{name}/stop", json={"reason": "the text names last year"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["stopped"]["by"] == "maria"
    assert marketer.post(f"/v1/journeys/{name}/resume", json={"reason": "it is right"}).status_code == 403
    assert "stopped" not in admin.post(f"/v1/journeys/{name}/resume", json={"reason": "it is right"}).json()
    assert "stopped" not in journeys(admin)[name]
    assert marketer.post("/v1/journeys/nobody/stop", json={"reason": "not there"}).status_code == 404
    assert marketer.post(f"/v1/journeys/{name}/stop", json={"reason": "a@b.example"}).status_code == 422
