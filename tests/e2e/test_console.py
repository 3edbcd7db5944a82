"""A marketer's way through the console, in headless Chromium against the real service."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser

from serving.auth import create_key
from tests.e2e.page_checks import CHROMIUM, CONTRASTS, CROSSINGS, launched, visiting

pytestmark = pytest.mark.browser
if CHROMIUM is None:
    pytest.skip("no chromium on PATH; on Debian: apt-get install chromium", allow_module_level=True)
HOUSEHOLDS = [str(number) for number in range(1, 120)]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def decisions(server):
    """The answers of one decision that acts and one that stays silent."""
    found = {}
    for household in HOUSEHOLDS:
        answer = server.decide(f"console-{uuid.uuid4()}", household).json()
        found.setdefault(answer["outcome"], answer)
        if len(found) == 2:
            return found
    raise AssertionError("the example shop should act for some households and stay silent for others")


@pytest.fixture(scope="module")
def key(server) -> str:
    return create_key(server.home, "console-marketer", "marketer")


@pytest.fixture
def visit(chromium, server, key):
    """Opens a page as a marketer who has just entered the key, with a window's width and color scheme."""

    return partial(visiting, chromium, server, key)


def test_a_stranger_meets_the_door_and_the_key_leads_back_to_the_page(chromium, server, key, decisions):
    context = chromium.new_context()
    page = context.new_page()
    path = f"/ui/decisions/{decisions['act']['decision_id']}"
    page.goto(f"http://127.0.0.1:{server.port}{path}")
    assert page.locator("h1").inner_text() == "Dirigent"
    assert decisions["act"]["decision_id"] not in page.locator("body").inner_text()
    page.fill("input[name=key]", key)
    page.click("button")
    assert page.url.endswith(path)
    assert page.locator(".facts").count() == 1
    context.close()


def test_the_page_says_what_was_decided_and_the_picture_adds_up(visit, decisions):
    answer = decisions["act"]
    action = answer["action"]
    with visit() as seen:
        seen.go(f"/ui/decisions/{answer['decision_id']}?lang=en")
        headline = seen.page.locator("h1").inner_text()
        assert headline.startswith(("Send “", "Show “", "Present ", "Hand over ", "Leave out "))
        assert action["send_at_local"][11:16] in headline or "now" in headline
        assert "Simulated data." in seen.page.locator(".simulated").inner_text()
        amounts = dict(
            seen.page.locator("#worth-table [data-part]").evaluate_all(
                "rows => rows.map(r => [r.dataset.part, +r.dataset.amount])"
            )
        )
        net = amounts.pop("net")
        assert net == pytest.approx(action["expected_value"]["net"], abs=1e-12)
        assert sum(amounts.values()) == pytest.approx(net, abs=1e-9)
        shown = seen.page.locator("#worth-table .total .number").inner_text()
        assert shown == seen.page.locator("svg.waterfall g[data-part=net] .amount").text_content()
        assert float(re.sub(r"[^\d.]", "", shown)) == pytest.approx(abs(net), abs=0.0051)
        seen.check()


def test_every_bar_has_its_row(visit, decisions):
    with visit() as seen:
        seen.go(f"/ui/decisions/{decisions['act']['decision_id']}?lang=en")
        pairs = seen.page.locator(".pair").all()
        assert len(pairs) >= 2, "the value and at least one model"
        for pair in pairs:
            bars = pair.locator("svg g").evaluate_all(
                "all => all.map(g => [g.dataset.part || g.dataset.feature, g.querySelector('.amount').textContent])"
            )
            rows = pair.locator("tr[data-part], tr[data-feature]").evaluate_all(
                "all => all.map(r => [r.dataset.part || r.dataset.feature, r.querySelector('.number').textContent])"
            )
            assert bars == rows
        for model in pairs[1:]:
            margins = model.locator("tr[data-margin]").evaluate_all("rows => rows.map(r => +r.dataset.margin)")
            base = float(model.locator("tr[data-base]").get_attribute("data-base"))
            total = float(model.locator("tr[data-total]").get_attribute("data-total"))
            assert base + sum(margins) == pytest.approx(total, abs=1e-6)
        seen.check()


@pytest.mark.parametrize("width", [360, 1280])
def test_no_dotted_line_runs_through_a_word_or_an_amount(visit, decisions, width):
    with visit(width) as seen:
        seen.go(f"/ui/decisions/{decisions['act']['decision_id']}?lang=de")
        crossed = seen.page.evaluate(CROSSINGS)
        assert crossed[0] >= 8
        assert crossed[1] == 0
        seen.check()


def test_the_page_says_how_sure_it_is_and_what_would_change_it(visit, decisions, admin):
    for outcome in ("act", "silence"):
        decision_id = decisions[outcome]["decision_id"]
        told = admin.get(f"/v1/decisions/{decision_id}/explanation").json()
        with visit() as seen:
            seen.go(f"/ui/decisions/{decision_id}?lang=en")
            changes = seen.page.locator(".changes li")
            kinds = changes.evaluate_all("all => all.map(one => one.dataset.change)")
            assert kinds == [one["change"]["kind"] for one in told["counterfactuals"]]
            for at, one in enumerate(told["counterfactuals"]):
                assert one["sentence"] in changes.nth(at).inner_text()
            if "sensitivity" in told:
                assert (
                    told["sensitivity"]["sentence"] in seen.page.locator("section[aria-labelledby=sure]").inner_text()
                )
                assert seen.page.locator("svg.lead rect").count() == 1
            seen.check()


def test_the_language_switch_keeps_the_page(visit, decisions):
    with visit() as seen:
        seen.go(f"/ui/decisions/{decisions['act']['decision_id']}")
        assert seen.page.locator("html").get_attribute("lang") == "en"
        seen.page.get_by_role("link", name="Deutsch").click()
        assert seen.page.locator("html").get_attribute("lang") == "de"
        assert seen.page.url.endswith(f"{decisions['act']['decision_id']}?lang=de")
        text = seen.page.locator("body").inner_text()
        for german in ("Warum nicht etwas anderes", "Was es wert ist", "Simulierte Daten.", "Was folgt"):
            assert german in text
        for english in ("Why", "Simulated", "Margin", "Send times", "worth"):
            assert english not in text
        seen.check()


def test_the_page_says_how_its_places_stand_and_what_waits(visit, decisions):
    answer = decisions["act"]
    with visit() as seen:
        seen.go(f"/ui/decisions/{answer['decision_id']}?lang=en")
        row = seen.page.locator(f"tr[data-reservation='{answer['reservation']['id']}']")
        assert row.get_attribute("data-state") == "reserved"
        assert "It waits to be confirmed." in row.inner_text()
        assert seen.page.locator("ol.plan li .state").first.inner_text() == "reserved"
        seen.go(f"/ui/decisions/{decisions['silence']['decision_id']}?lang=en")
        told = seen.page.locator("section[aria-labelledby=became]").inner_text()
        assert "No place was taken" in told or seen.page.locator("tr[data-wait]").count()
        seen.check()


def test_silence_is_explained_as_well(visit, decisions):
    with visit() as seen:
        seen.go(f"/ui/decisions/{decisions['silence']['decision_id']}?lang=en")
        assert seen.page.locator("h1").inner_text() == "Send nothing now."
        assert seen.page.locator(".reasons li").count() >= 1
        assert seen.page.locator("ol.plan").count() == 0
        seen.check()


def test_the_reasons_against_the_others_open_with_the_keyboard(visit, decisions):
    with visit() as seen:
        seen.go(f"/ui/decisions/{decisions['act']['decision_id']}?lang=en")
        closed = seen.page.locator("details.rivals:not([open])").first
        group = seen.page.locator(f"details[data-group={closed.get_attribute('data-group')}]")
        group.locator("summary").focus()
        seen.page.keyboard.press("Enter")
        assert group.locator("table").is_visible()
        counted = seen.page.locator("tr[data-candidates]").evaluate_all("rows => rows.map(r => +r.dataset.candidates)")
        intro = seen.page.locator("section[aria-labelledby=rivals] > p").inner_text()
        assert sum(counted) + 1 == int(re.match(r"[\d,]+", intro).group().replace(",", ""))
        seen.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "de"])
def test_a_phone_shows_everything_without_sideways_scrolling_and_with_contrast(visit, decisions, scheme, lang):
    with visit(360, scheme) as seen:
        for path in ("", f"/{decisions['act']['decision_id']}", f"/{decisions['silence']['decision_id']}"):
            seen.go(f"/ui/decisions{path}?lang={lang}")
            seen.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
            contrasts = seen.page.evaluate(CONTRASTS)
            assert len(contrasts) > 10
            assert [text for ratio, text in contrasts if ratio < 4.5] == []
        seen.check()


def test_the_color_scheme_follows_the_reader(visit, decisions):
    surfaces = []
    for scheme in ("light", "dark"):
        with visit(1280, scheme) as seen:
            seen.go(f"/ui/decisions/{decisions['act']['decision_id']}")
            surfaces.append(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    brightness = [sum(map(int, re.findall(r"\d+", surface)[:3])) for surface in surfaces]
    assert brightness[0] > 600
    assert brightness[1] < 200


def test_the_list_leads_to_the_page(visit, decisions):
    with visit() as seen:
        seen.go("/ui/")
        assert seen.page.url == f"{seen.root}/ui/decisions"
        target = decisions["act"]["decision_id"]
        seen.page.locator(f"a[href*='{target}']").click()
        assert target in seen.page.locator(".versions").inner_text()
        seen.check()


def test_every_decision_can_be_reached_from_the_list_once_and_in_order(server, admin):
    written = [server.decide(f"list-{uuid.uuid4()}", household).json()["decision_id"] for household in HOUSEHOLDS]
    path, found, portions = "/ui/decisions?lang=de", [], 0
    while path:
        text, portions = admin.get(path).text, portions + 1
        found += re.findall(r'href="/ui/decisions/(d-[0-9a-f-]+)', text)
        assert ("Die neuesten" in text) == (portions > 1)
        further = re.search(r'href="(/ui/decisions\?[^"]+)" rel="next"', text)
        path = html.unescape(further[1]) if further else None
    assert portions > 2
    assert len(found) == len(set(found))
    assert [name for name in reversed(found) if name in set(written)] == written


@pytest.mark.parametrize("before", ["", "x", "-1", "1e3", "9" * 30])
def test_a_place_that_is_none_is_refused_by_name(admin, before):
    refused = admin.get(f"/ui/decisions?before={before}")
    assert refused.status_code == 422
    assert "before" in refused.text


def test_headers_let_nothing_foreign_in(server, admin, decisions):
    for path in (
        "/ui/decisions",
        f"/ui/decisions/{decisions['act']['decision_id']}",
        "/ui/static/console.css",
        "/ui/decisions/d-unknown",
    ):
        headers = admin.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self';")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert "no-store" in headers["Cache-Control"] or path.endswith(".css")


def test_what_is_not_there_is_said_in_the_readers_language(admin):
    answer = admin.get("/ui/decisions/d-unknown", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"})
    assert (answer.status_code, answer.headers["Content-Language"]) == (404, "de")
    assert "Diese Entscheidung gibt es nicht" in answer.text
    assert admin.get("/ui/static/../pages.py").status_code == 404
    assert admin.get("/ui/static/pages.py").status_code == 404
    assert admin.post("/ui/decisions").status_code == 405
