"""One code, four places: the gate's function, its sentence in two languages, its row in docs/reasons.md, its case."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from string import Formatter

import pytest

from arbitration import gates
from arbitration.codec import decode
from arbitration.customer import PERSONAL
from arbitration.domain import PARTS, Context, CustomerId, Decision
from arbitration.explain import explain
from arbitration.frames import CHANGES, CUSTOMER, CUSTOMER_THEN, FRAMES, PARTS_NAMED, STANDS
from arbitration.gates import GATES
from arbitration.gates.case import Case
from arbitration.policy import BusinessName, Policy
from arbitration.propose import propose
from arbitration.texts import BASES, DEGRADED, GATE_TEXTS, LESS_SURE_TEXTS, MISSING, MODELS, SELECTION_TEXTS, STOP_TEXTS
from tests.cases.test_cases import FILES, FOLDER, decision_of, merged
from tests.unit.arbitration.situations import NOW, POLICY

DOCS = Path(__file__).parents[3] / "docs" / "reasons.md"
CODES = [*GATE_TEXTS, *STOP_TEXTS, *SELECTION_TEXTS]
GROUPS = {
    "gate": GATE_TEXTS, "selection": SELECTION_TEXTS, "stop": STOP_TEXTS, "degraded": DEGRADED, "frame": FRAMES, "model": MODELS,
    "basis": BASES, "missing": MISSING, "part": PARTS_NAMED, "change": CHANGES, "customer": CUSTOMER,
    "customer then": CUSTOMER_THEN, "stands": STANDS, "less sure": LESS_SURE_TEXTS,
}  # fmt: skip
ALL_TEXTS = [(f"{group}: {code}", text) for group, texts in GROUPS.items() for code, text in texts.items()]


def facts_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_gates_texts_and_rows_have_the_same_codes_in_the_same_order() -> None:
    assert [gate.code for gate in GATES] == list(GATE_TEXTS)
    rows = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == CODES


BESIDE_GATES = {gates.contact_policy.is_quiet, gates.contact_policy.quiet_end}


def test_every_public_function_of_the_gate_files_is_a_gate() -> None:
    listed = {gate.check for gate in GATES}
    for module in (gates.consent, gates.contact_policy, gates.eligibility):
        own = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
        functions = {value for value in own if value.__name__ in GATE_TEXTS}
        public = {value for value in own if not value.__name__.startswith("_")} - BESIDE_GATES
        assert functions == public <= listed


def test_every_part_of_a_value_has_a_name() -> None:
    assert tuple(PARTS_NAMED) == PARTS


def test_the_customer_is_told_every_personal_reason_with_the_facts_that_there_are() -> None:
    for code in PERSONAL:
        assert facts_of(CUSTOMER[code].en) <= (facts_of(SELECTION_TEXTS[code].en) if code in SELECTION_TEXTS else set())


def test_what_is_told_in_the_past_or_of_a_less_sure_one_needs_no_other_facts() -> None:
    assert set(CUSTOMER_THEN) == PERSONAL | {"about", "nothing", "costs", "care"}
    for code, text in CUSTOMER_THEN.items():
        assert facts_of(text.en) <= facts_of(CUSTOMER[code].en)
    for code, text in LESS_SURE_TEXTS.items():
        assert facts_of(text.en) == facts_of(SELECTION_TEXTS[code].en)


def test_rows_of_gates_name_stage_and_an_existing_case() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for gate in GATES:
        assert f"| `{gate.code}` | {gate.stage} |" in text
    for target in re.findall(r"\]\((\S+)\)", text):
        assert (DOCS.parent / target).is_file(), target


def test_every_code_has_a_case_that_shows_it() -> None:
    shown: dict[str, list[str]] = {code: [] for code in CODES}
    for file in FILES:
        expect = json.loads(file.read_text(encoding="utf-8"))["expect"]
        refused = [*expect.get("rejected", {}).values(), *expect.get("rejected_windows", {}).values()]
        code = file.stem.split("__")[0]
        if code in {*expect.get("reasons", ()), *(no["code"] for no in refused)}:
            shown[code].append(file.stem)
        else:
            assert file.stem.endswith(("passes", "passes_until_then")), f"{file.name} does not show its code"
    assert [code for code, files in shown.items() if not files] == []


@pytest.mark.parametrize(("code", "text"), ALL_TEXTS, ids=[code for code, _ in ALL_TEXTS])
def test_both_languages_state_the_same_facts(code: str, text: BusinessName) -> None:
    assert text.en
    assert text.de
    assert facts_of(text.en) == facts_of(text.de), code


def decisions() -> list[Decision]:
    return [decision_of(json.loads(file.read_text(encoding="utf-8"))["change"]) for file in FILES]


def test_every_reason_brings_the_facts_that_its_sentence_needs() -> None:
    for reason in (reason for decision in decisions() for reason in decision.reasons):
        assert reason.code in CODES
        if reason.code in SELECTION_TEXTS:
            needed = facts_of(SELECTION_TEXTS[reason.code].en)
            assert needed - {"choice"} <= set(reason.facts)
            assert "choice" not in needed or {"journey", "channel", "decided_on"} <= set(reason.facts)


FIRST = ("objection", "suppression")


def verdicts(file: Path, asked: tuple[gates.Gate, ...]) -> list[str | None]:
    """What the gates say about every candidate of a case."""
    base = json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))
    given = merged(base, json.loads(file.read_text(encoding="utf-8"))["change"])
    context = decode(Context, {"features": {}, "time_zone": None, **given["context"]})
    policy, now = decode(Policy, given["policy"]), datetime.fromisoformat(given["now"])
    case = Case(context, policy, now)
    found = (gates.rejection(candidate, case, asked) for candidate in propose(context, policy, now))
    return [no.code if no else None for no in found]


@pytest.mark.parametrize("gate", [gate for gate in GATES if gate.code not in FIRST], ids=lambda gate: gate.code)
def test_no_gate_is_idle(gate: gates.Gate) -> None:
    """Without the gate its cases would end differently, or later gates could not ask their question at all."""
    files = [file for file in FILES if file.stem.split("__")[0] == gate.code]
    others = tuple(other for other in GATES if other is not gate)
    if gate.code == "unknown_journey":
        with pytest.raises(KeyError):
            verdicts(files[0], others)
        return
    assert [verdicts(file, GATES) for file in files] != [verdicts(file, others) for file in files]


@pytest.mark.parametrize("field", ["objected", "suppressed"])
def test_the_first_two_gates_guard_whoever_asks_them_without_decide(field: str) -> None:
    context = Context(
        CustomerId("c-1"),
        True,
        "Europe/Berlin",
        "de",
        {},
        objected=field == "objected",
        suppressed=field == "suppressed",
    )
    candidate = propose(context, POLICY, NOW)[0]
    no = gates.rejection(candidate, Case(context, POLICY, NOW))
    assert no is not None
    assert no.code == FIRST[field == "suppressed"]


def test_where_more_is_expected_of_the_runner_up_both_sentences_say_what_ranks() -> None:
    decision = decision_of({})
    policy = decode(Policy, json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))["policy"])
    first, second = (one for one in decision.reasons if one.code in ("worth_most", "runner_up"))
    more = replace(second, facts={**second.facts, "net": first.facts["net"] + 0.001})
    reasons = tuple(more if one is second else one for one in decision.reasons)
    for lang, starts, says in (
        ("en", "On the cautious side this is worth most: USD ", "expected, more but less surely; on the cautious side"),
        ("de", "Vorsichtig gerechnet ist das am meisten wert: ", "erwartet, mehr, aber weniger sicher; vorsichtig"),
    ):
        told = explain(replace(decision, reasons=reasons), policy, names={}, attributions=(), lang=lang)
        assert told.sentences[0].startswith(starts)
        assert says in told.sentences[1]
        plain_told = explain(decision, policy, names={}, attributions=(), lang=lang)
        assert not plain_told.sentences[0].startswith(starts)
        assert says not in plain_told.sentences[1]
