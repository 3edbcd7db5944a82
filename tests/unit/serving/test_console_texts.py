"""Both languages of the console say the same things, and every text is used."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import serving.console
from arbitration.counterfactual import KINDS
from arbitration.domain import PARTS, Kind
from arbitration.gates import GATES
from arbitration.plan import STOP_IF
from arbitration.wording import money, share
from features.registry import FEATURES, VIEWS
from serving.console.formats import LANGS, Formats
from serving.console.model_texts import MODELS
from serving.console.reserved_texts import RESERVED
from serving.console.rivals import CLAUSES
from serving.console.texts import EVIDENCE, FRAME, HEAD, INFLUENCE, LIST, PLAN, RIVALS, TEXTS, WORTH, Words
from serving.console.voice import UNITS, VIEW_NAMES
from serving.console.weighing_texts import WEIGHING

FOLDER = Path(serving.console.__file__).parent
SOURCES = "\n".join(
    path.read_text()
    for path in sorted(FOLDER.rglob("*"))
    if path.suffix in (".py", ".html") and path.name not in ("texts.py", "reserved_texts.py")
)
FORMED = (
    "arm_", "tier_", "mode_", "model_", "group_", "stop_", "basis_", "purpose_", "goes_on_", "headline_", "change_", "evidence_",
    "effect_note_", "worth_intro_", "state_", "review_", "by_", "wait_",
)  # fmt: skip
"""Keys that are made from a code of the decision."""


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_it_with_the_same_facts(key):
    placeholders = [
        [name for _, name, _, _ in Formatter().parse(text) if name] for text in (TEXTS[key].en, TEXTS[key].de)
    ]
    assert TEXTS[key].en.strip()
    assert TEXTS[key].de.strip()
    assert sorted(placeholders[0]) == sorted(placeholders[1])


def test_no_key_stands_in_two_groups():
    groups = (FRAME, HEAD, WORTH, WEIGHING, INFLUENCE, RIVALS, PLAN, MODELS, RESERVED, EVIDENCE, LIST)
    assert sum(map(len, groups)) == len(TEXTS)


def test_templates_name_only_texts_that_exist():
    asked = set(re.findall(r"""\b(?:t|words)\(\s*"([a-z_0-9]+)\"""", SOURCES))
    assert len(asked) > 60
    assert asked <= set(TEXTS)


def test_every_text_is_used():
    quoted = set(re.findall(r'"([a-z_0-9]+)"', SOURCES))
    unused = [key for key in TEXTS if key not in {*quoted, *PARTS} and not key.startswith(FORMED)]
    assert unused == []


def test_every_stage_of_a_gate_has_a_group():
    assert {f"group_{gate.stage}" for gate in GATES} <= set(TEXTS)


def test_every_unit_and_view_of_the_features_can_be_said():
    assert {feature.unit for feature in FEATURES.values()} <= {
        *UNITS,
        "money",
        "share",
        "flag",
        "hour",
        "ratio",
        "level",
    }
    assert set(VIEWS) == set(VIEW_NAMES)


@pytest.mark.parametrize("lang", LANGS)
def test_parts_of_a_value_have_names(lang):
    assert len({Words(lang)(part) for part in (*PARTS, "net")}) == len(PARTS) + 1


@pytest.mark.parametrize("lang", LANGS)
def test_every_kind_of_treatment_and_of_change_has_its_words(lang):
    facts = {"journey": "j", "channel": "c", "when": "w", "route_to": "r", "send_at": "s"}
    for kind in get_args(Kind):
        assert Words(lang)("headline_act" if kind == "message" else f"headline_{kind}", **facts)
    assert all(Words(lang)(f"change_{kind}") for kind in KINDS)


def test_every_reason_that_settles_a_reservation_has_words():
    document = (Path(__file__).resolve().parents[3] / "docs" / "reservations.md").read_text()
    [line] = [line for line in document.splitlines() if line.startswith("| why it ended |")]
    codes = {*re.findall(r"`([a-z_]+)`", line.split("`settled_by`:")[1]), *STOP_IF}
    assert {"confirm", "lease_over", "review_rejected", "converted"} <= codes
    assert {code for code in codes if code not in CLAUSES and f"by_{code}" not in TEXTS} == set()


def test_numbers_and_moments_follow_the_language():
    moment = datetime(2018, 3, 5, 13, 5, tzinfo=UTC)
    english, german = (Formats(lang, "EUR", "Europe/Berlin") for lang in LANGS)
    assert english.money(-1234.5, signed=True).replace("\xa0", " ") == "−EUR 1,234.50"
    assert german.money(1234.5, signed=True).replace("\xa0", " ") == "+1.234,50 EUR"
    assert german.money(-0.00001, 2, signed=True).replace("\xa0", " ") == "0,00 EUR"
    assert (english.number(0.5, signed=True), german.number(1234.5)) == ("+0.50", "1.234,5")
    assert english.moment(moment) == "Monday, 5 March 2018, 14:05"
    assert german.moment(moment) == "Montag, 5. März 2018, 14:05"
    assert (english.short(moment), german.short(moment)) == ("Mon 5 Mar, 14:05", "Mo, 5. März, 14:05")


def test_the_page_writes_amounts_as_the_sentences_do():
    for lang in LANGS:
        formats = Formats(lang, "USD")
        for amount in (1234.5, 0.3456, -0.0344, 0.0004, 0.0):
            assert formats.money(amount).replace("\xa0", " ") == money(amount, "USD", lang)
            assert formats.percent(abs(amount) % 1).replace("\xa0", " ") == share(abs(amount) % 1, lang)


@pytest.mark.parametrize(
    ("part", "shown"), [(0.0, "0%"), (0.00001, "< 0.1%"), (0.123, "12.3%"), (0.99999, "> 99.9%"), (1.0, "100%")]
)
def test_a_share_never_reads_as_certain_unless_it_is(part, shown):
    assert Formats("en", "USD").percent(part).replace("\xa0", " ") == shown
