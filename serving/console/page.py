"""One decision as a page: a record goes in, everything the template shows comes out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from arbitration.domain import Decision, Ranked
from arbitration.explain import explain
from arbitration.policy import Policy
from arbitration.value import beliefs
from features.registry import business_names
from serving.console.evidence import Permission, Version, permissions, versions
from serving.console.formats import LANGS, Lang, money_digits
from serving.console.influences import Influences, influences
from serving.console.rivals import Rivals, rivals
from serving.console.steps import Course, course
from serving.console.voice import Voice
from serving.console.waterfall import Waterfall, waterfall
from serving.records import Record


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure at a glance."""

    label: str
    figure: str
    note: str


@dataclass(frozen=True, slots=True)
class LanguageLink:
    """The same page in one of the languages."""

    lang: Lang
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """All that one decision's page shows; every text is localized, every number formatted."""

    lang: Lang
    languages: tuple[LanguageLink, ...]
    simulated: bool
    title: str
    headline: str
    zone: str
    reasons: tuple[str, ...]
    facts: tuple[Fact, ...]
    worth: Waterfall | None
    worth_note: str
    effect_note: str
    models: tuple[Influences, ...]
    rivals: Rivals
    plan: Course
    permissions: tuple[Permission, ...]
    degraded: tuple[str, ...]
    versions: tuple[Version, ...]


def page_of(record: Record, policy: Policy, lang: Lang) -> DecisionPage:
    """The page of a record in one language; `policy` is the one that decided."""
    decision = record.decision
    voice = Voice.of(policy, lang, decision.time_zone)
    told = explain(decision, policy, names=business_names(), attributions=record.attributions, lang=lang)
    shown = decision.winner or (decision.ranked[0] if decision.ranked else None)
    return DecisionPage(
        lang=lang,
        languages=languages(f"/ui/decisions/{quote(decision.decision_id, safe='')}", lang),
        simulated=record.simulated,
        title=" ".join((voice.words("decision_title"), decision.decision_id)),
        headline=headline(decision.winner, voice),
        zone=voice.words("zone", zone=decision.time_zone) if voice.formats.known else voice.words("zone_unknown"),
        reasons=told.sentences,
        facts=facts(record, voice),
        worth=waterfall(shown.value, voice) if shown else None,
        worth_note=_worth_note(decision.winner, shown, voice),
        effect_note=_effect_note(record, policy, shown, voice),
        models=tuple(influences(given, voice) for given in record.attributions),
        rivals=rivals(decision, told, voice),
        plan=course(decision, voice),
        permissions=permissions(record, voice),
        degraded=tuple(voice.degraded(code) for code in decision.degraded),
        versions=versions(record, voice),
    )


def languages(path: str, lang: Lang) -> tuple[LanguageLink, ...]:
    """Links to a page in every language."""
    return tuple(LanguageLink(one, f"{path}?lang={one}", one == lang) for one in LANGS)


def headline(winner: Ranked | None, voice: Voice) -> str:
    """What was decided, in one sentence."""
    if winner is None:
        return voice.words("headline_silence")
    treatment = winner.candidate.treatment
    journey, channel = voice.journey(treatment.journey), voice.channel(treatment.channel)
    if voice.policy.channels[treatment.channel].timing == "immediate":
        return voice.words("headline_now", journey=journey, channel=channel)
    return voice.words(
        "headline_act", journey=journey, channel=channel, send_at=voice.formats.moment(winner.candidate.window.opens_at)
    )


def facts(record: Record, voice: Voice) -> tuple[Fact, ...]:
    """The figures at a glance."""
    decision, winner = record.decision, record.decision.winner
    found = [_worth_fact(winner, voice), _choice_fact(decision, voice)]
    if winner is not None:
        tier = voice.words(f"tier_{winner.propensity.tier}")
        found.append(Fact(voice.words("reaction"), voice.formats.percent(winner.propensity.mean), tier))
    decided = voice.words("decided_at", moment=voice.formats.short(decision.decided_at))
    found.append(Fact(voice.words("valid_until"), voice.formats.short(decision.valid_until), decided))
    found.append(
        Fact(voice.words("customer"), decision.customer_id, voice.words.known(f"mode_{record.mode}", record.mode))
    )
    return tuple(found)


def _choice_fact(decision: Decision, voice: Voice) -> Fact:
    if not decision.ranked:
        return Fact(voice.words("chosen"), voice.words("no_choice"), voice.words("no_choice_note"))
    chance = voice.words("probability", share=voice.formats.percent(decision.probability))
    arm = "silence" if decision.winner is None and decision.arm == "exploit" else decision.arm
    return Fact(voice.words("chosen"), voice.words(f"arm_{arm}"), chance)


def _worth_fact(winner: Ranked | None, voice: Voice) -> Fact:
    if winner is None:
        return Fact(voice.words("expected_value"), voice.formats.money(0.0), voice.words("silence_value"))
    value = winner.value
    digits = money_digits([value.net])
    low, high = voice.formats.money(value.low, digits), voice.formats.money(value.high, digits)
    return Fact(
        voice.words("expected_value"), voice.formats.money(value.net, digits), voice.words("range", low=low, high=high)
    )


def _effect_note(record: Record, policy: Policy, shown: Ranked | None, voice: Voice) -> str:
    """Where the money comes from: extra purchases, what each earns, and whether anybody measured that."""
    if shown is None:
        return ""
    believed = beliefs(shown.candidate, record.estimates, policy)
    measured = "effect_measured_simulated" if record.simulated else "effect_measured"
    basis = voice.words("effect_assumed" if believed.effect.tier == 0 else measured)
    money = (record.estimates.basket_margin.mean, record.estimates.recency_value.mean)
    now, later = (voice.formats.money(amount, money_digits([amount])) for amount in money)
    count = voice.formats.number(100 * believed.effect.mean * believed.timing.mean, 1)
    return voice.words("effect_note", count=count, basis=basis, now=now, later=later)


def _worth_note(winner: Ranked | None, shown: Ranked | None, voice: Voice) -> str:
    if shown is None:
        return voice.words("worth_none")
    if winner is not None:
        return voice.words("worth_intro")
    treatment = shown.candidate.treatment
    names = {"journey": voice.journey(treatment.journey), "channel": voice.channel(treatment.channel)}
    return voice.words("worth_of_best", **names)
