"""What a person must see first, over HTTP and on the console's page: it waits in a list, is answered by somebody else, and leaves it."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from functools import partial

import pytest
from typer.testing import CliRunner

from arbitration.errors import InputError
from catalog.loading import EXAMPLE
from dirigent.main import app
from serving.auth import create_key
from tests.e2e.page_checks import CHROMIUM, CONTRASTS, launched, visiting
from tests.e2e.service_process import private_home, running

HOUSEHOLDS = [str(number) for number in range(1, 200)]


@pytest.fixture(scope="module")
def server(shop_home, tmp_path_factory):
    """A service whose catalog says of every message that it sets a price."""
    folder = tmp_path_factory.mktemp("reviews")
    home = private_home(shop_home, folder / "home")
    shutil.copytree(EXAMPLE, folder / "catalog")
    file = folder / "catalog" / "journeys.yaml"
    marked, count = re.subn(r"\{channel: (\w+), template: (\w+)\}", r"{channel: \1, template: \2, consequence: price}", file.read_text())  # fmt: skip
    assert count > 10
    file.write_text(marked)
    key, catalog = create_key(home, "engine", "orchestrator"), str(folder / "catalog")
    with running(home, key, forked=True, DIRIGENT_CATALOG=catalog) as found:
        yield found


@pytest.fixture(scope="module")
def key(server) -> str:
    return create_key(server.home, "maria", "marketer")


@pytest.fixture(scope="module")
def maria(server, key):
    with server.client(key) as client:
        yield client


@pytest.fixture(scope="module")
def held(server):
    """Decisions whose reservation waits for a person, each of another customer."""
    found = (server.decide(f"review-{number}", number).json() for number in HOUSEHOLDS)
    return (one for one in found if one.get("reservation", {}).get("review") == "required")


def waiting(client) -> list[str]:
    return [one["reservation_id"] for one in client.get("/v1/reviews").json()["reservations"]]


def review(client, reservation_id: str, verdict: str, reason: str = "The price is fair."):
    return client.post(f"/v1/reservations/{reservation_id}/review", json={"verdict": verdict, "reason": reason})


def test_what_waits_is_listed_with_its_decision_until_somebody_else_answers(server, maria, held):
    answer = next(held)
    place = answer["reservation"]
    assert place["id"] in waiting(maria)
    [listed] = [one for one in maria.get("/v1/reviews").json()["reservations"] if one["reservation_id"] == place["id"]]
    assert listed == maria.get(f"/v1/reservations/{place['id']}").json()
    assert (listed["decision_id"], listed["closes_at"]) == (
        answer["decision_id"],
        answer["action"]["window"]["closes_at"],
    )
    assert review(server.http, place["id"], "approved").status_code == 403
    approved = review(maria, place["id"], "approved")
    assert (approved.json()["reviewer"], approved.json()["review_reason"]) == ("maria", "The price is fair.")
    assert place["id"] not in waiting(maria)
    confirmed = server.http.post(f"/v1/reservations/{place['id']}/confirm", json={"epoch": place["epoch"]})
    assert confirmed.json()["state"] == "confirmed"
    second = next(held)["reservation"]["id"]
    assert review(maria, second, "rejected", "Too dear for this customer.").json()["state"] == "released"
    assert second not in waiting(maria)


def test_the_command_line_lists_and_answers(server, maria, key, held, monkeypatch):
    place = next(held)["reservation"]["id"]
    monkeypatch.setenv("DIRIGENT_URL", str(maria.base_url))

    def said(owner: str, *words: str) -> tuple[str, Exception | None]:
        monkeypatch.setenv("DIRIGENT_API_KEY", owner)
        done = CliRunner().invoke(app, ["review", *words])
        return done.output, done.exception

    assert place in said(key, "list")[0]
    _, refused = said(server.key, "approve", place, "--reason", "The price is fair.")
    assert isinstance(refused, InputError)
    assert "another key" in (refused.mend or "")
    assert (
        f"{place} is approved by maria; it is reserved"
        in said(key, "approve", place, "--reason", "The price is fair.")[0]
    )
    assert place not in said(key, "list")[0]
    _, unknown = said(key, "reject", "r-nothing", "--reason", "Too dear.")
    assert isinstance(unknown, InputError)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH; on Debian: apt-get install chromium")
@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_page_leads_from_the_list_to_the_decision_and_says_how_to_answer(server, maria, held, key, lang):
    answer = next(held)
    place = answer["reservation"]["id"]
    with launched() as browser:
        visit = partial(visiting, browser, server, key)
        with visit() as seen:
            seen.go(f"/ui/decisions?lang={lang}")
            seen.page.get_by_role("link", name={"en": "Reviews", "de": "Freigaben"}[lang]).click()
            assert seen.page.url == f"{seen.root}/ui/reviews?lang={lang}"
            assert seen.page.locator("nav.pages a[aria-current=page]").count() == 1
            row = seen.page.locator("tbody tr").filter(has_text=place)
            assert "engine" in row.inner_text()
            row.locator("a").click()
            assert answer["decision_id"] in seen.page.locator(".versions").inner_text()
            state = seen.page.locator(f"tr[data-reservation='{place}']")
            assert {"en": "A person must approve it", "de": "Ein Mensch muss zustimmen"}[lang] in state.inner_text()
            seen.check()
        with visit(360, {"en": "light", "de": "dark"}[lang]) as seen:
            for path in ("/ui/reviews", f"/ui/decisions/{answer['decision_id']}"):
                seen.go(f"{path}?lang={lang}")
                assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
                contrasts = seen.page.evaluate(CONTRASTS)
                assert [text for ratio, text in contrasts if ratio < 4.5] == []
            seen.check()
    review(maria, place, "rejected", "This was only to look at.")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH; on Debian: apt-get install chromium")
@pytest.mark.parametrize("lang", ["en", "de"])
def test_a_person_answers_on_the_page_itself(server, maria, held, key, lang):
    verdict, button, said = {
        "en": ("approved", "Approve", "Kept: approved."), "de": ("rejected", "Ablehnen", "Festgehalten: abgelehnt."),
    }[lang]  # fmt: skip
    answer = next(held)
    place = answer["reservation"]["id"]
    with launched() as browser, visiting(browser, server, key, 360) as seen:
        seen.go(f"/ui/decisions/{answer['decision_id']}?lang={lang}")
        seen.page.get_by_role("link", name={"en": "Answer it", "de": "Beantworten"}[lang]).click()
        assert seen.page.url == f"{seen.root}/ui/reviews?lang={lang}#{place}"
        row = seen.page.locator(f"tr[id='{place}']")
        row.get_by_role("button", name=button).click()
        assert place in waiting(maria), "without a reason nothing is sent"
        row.locator("input[name=reason]").fill("The price is fair.")
        row.get_by_role("button", name=button).click()
        seen.page.get_by_role("status").wait_for()
        assert said in seen.page.get_by_role("status").inner_text()
        assert seen.page.locator(f"tr[id='{place}']").count() == 0
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
        seen.check()
    assert place not in waiting(maria)
    kept = maria.get(f"/v1/reservations/{place}").json()
    assert (kept["review"], kept["reviewer"], kept["review_reason"]) == (verdict, "maria", "The price is fair.")


@contextmanager
def session_of(server, key):
    with server.client(None) as browser:
        browser.post("/ui/login", data={"key": key})
        yield browser


def token_on(browser) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', browser.get("/ui/reviews").text)
    assert found, "no form on the page"
    return found.group(1)


def test_a_form_from_elsewhere_or_of_another_session_keeps_nothing(server, maria, key, held):
    place = next(held)["reservation"]["id"]
    form = {"verdict": "approved", "reason": "The price is fair."}
    other = create_key(server.home, "otto", "marketer")
    with session_of(server, key) as browser, session_of(server, other) as another:
        for token in ({}, {"token": ""}, {"token": "0" * 64}, {"token": token_on(another)}, {"token": "\u00e9"}):
            refused = browser.post(f"/ui/reviews/{place}", data=form | token)
            assert (refused.status_code, 'role="alert"' in refused.text) == (403, True)
        assert place in waiting(maria)
        right = {"token": token_on(browser)}
        for reason in ("", "no", "write to anna@example.org", "x" * 301):
            refused = browser.post(f"/ui/reviews/{place}", data=form | right | {"reason": reason})
            assert (refused.status_code, "3 to 300 characters" in refused.text) == (422, True), reason
        assert browser.post(f"/ui/reviews/{place}", data=form | right | {"verdict": "maybe"}).status_code == 422
        assert browser.post(f"/ui/reviews/{place}", content="&".join(["token=x"] * 1000)).status_code == 403
        assert browser.post(f"/ui/reviews/{place}", content="reason=" + "%41" * 300_000).status_code == 403
        assert browser.post("/ui/reviews/r-nothing", data=form | right).status_code == 404
        assert place in waiting(maria)
        done = browser.post(f"/ui/reviews/{place}", data=form | right)
        assert (done.status_code, done.headers["location"]) == (303, "/ui/reviews?lang=en&answered=approved")
    assert place not in waiting(maria)


def test_who_asked_for_it_and_who_may_only_read_answer_nothing_on_the_page(server, maria, held):
    place = next(held)["reservation"]["id"]
    form = {"verdict": "approved", "reason": "The price is fair."}
    with session_of(server, create_key(server.home, "ines", "associate")) as browser:
        assert "<form" not in browser.get("/ui/reviews").text
        assert browser.post(f"/ui/reviews/{place}", data=form).status_code == 403
    with server.client(None) as stranger:
        assert stranger.post(f"/ui/reviews/{place}", data=form).status_code == 401
    assert place in waiting(maria)
    review(maria, place, "rejected")


def test_the_page_of_reviews_asks_for_a_key_and_leads_back(server):
    with server.client(None) as stranger:
        door = stranger.get("/ui/reviews")
    assert (door.status_code, 'value="/ui/reviews"' in door.text) == (401, True)
