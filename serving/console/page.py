"""One decision as a page: a record goes in, everything the template shows comes out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from arbitration.domain import Attribution, Decision, Ranked
from arbitration.naming import REACTION_MODELS, UNSHOWN, Naming
from arbitration.policy import Policy
from arbitration.value import beliefs, timing_of
from arbitration.wording import decimals
from serving.answers import NAMES, explanation
from serving.console.doubts import Altered, Distance, alterations, distance
from serving.console.evidence import Permission, Version, permissions, versions
from serving.console.formats import LANGS, Lang
from serving.console.influences import Influences, influences
from serving.console.reserved import Became, became
from serving.console.rivals import Rivals, rivals
from serving.console.steps import Course, course
from serving.console.voice import Voice
from serving.console.waterfall import Waterfall, waterfall
from serving.next_category import told_category
from serving.records import Record
from serving.reserved import Aftermath
from serving.weighing import UNWEIGHED, Weighed

NOTHING = Aftermath()


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
    distance: Distance | None
    alterations: tuple[Altered, ...]
    models: tuple[Influences, ...]
    rivals: Rivals
    plan: Course
    became: Became
    permissions: tuple[Permission, ...]
    degraded: tuple[str, ...]
    versions: tuple[Version, ...]


def page_of(
    record: Record, policy: Policy, lang: Lang, weighed: Weighed = UNWEIGHED, after: Aftermath = NOTHING
) -> DecisionPage:
    """The page of a record in one language; `policy` is the one that decided, `weighed` what would change the decision, `after` what
    became of it.
    """
    decision = record.decision
    voice = Voice.of(policy, lang, decision.time_zone)
    told = explanation(record, policy, lang, weighed)
    naming = Naming(decision, policy, NAMES, record.context.features, lang)
    since = became(after, decision, naming, voice)
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
        worth_note=_worth_note(decision.winner, shown, naming, voice),
        effect_note=_effect_note(record, policy, shown, voice),
        distance=distance(told, naming, voice),
        alterations=alterations(told, voice),
        models=tuple(
            influences(given, voice, _timed(given, decision.winner))
            for given in record.attributions
            if _moved(given, shown)
        ),
        rivals=rivals(decision, told, voice),
        plan=course(decision, naming, voice, since.states(after.reservations)),
        became=since,
        permissions=permissions(record, voice),
        degraded=tuple(voice.degraded(code) for code in decision.degraded),
        versions=versions(record, voice),
    )


def languages(path: str, lang: Lang, more: str = "") -> tuple[LanguageLink, ...]:
    """Links to a page in every language; `more` is the rest of its query."""
    return tuple(LanguageLink(one, f"{path}?lang={one}{more}", one == lang) for one in LANGS)


def headline(winner: Ranked | None, voice: Voice) -> str:
    """What was decided, in one sentence."""
    if winner is None:
        return voice.words("headline_silence")
    treatment = winner.candidate.treatment
    now = voice.policy.channels[treatment.channel].timing == "immediate"
    moment = voice.formats.moment(winner.candidate.window.opens_at)
    names = {"journey": voice.journey(treatment.journey), "channel": voice.channel(treatment.channel)}
    if treatment.kind == "message":
        return voice.words("headline_now", **names) if now else voice.words("headline_act", send_at=moment, **names)
    when = voice.words("when_now") if now else voice.words("when_at", moment=moment)
    route_to = voice.journey(treatment.route_to or "")
    return voice.words(f"headline_{treatment.kind}", when=when, route_to=route_to, **names)


def facts(record: Record, voice: Voice) -> tuple[Fact, ...]:
    """The figures at a glance."""
    decision, winner = record.decision, record.decision.winner
    found = [_worth_fact(winner, voice), _choice_fact(decision, voice)]
    if winner is not None and winner.candidate.treatment.kind not in UNSHOWN:
        tier = voice.words(f"tier_{winner.propensity.tier}")
        found.append(Fact(voice.words("reaction"), voice.formats.percent(winner.propensity.mean), tier))
    if likely := told_category(decision, record.estimates):
        share = voice.formats.percent(likely.probability)
        shown = likely.category.replace("/", "/\N{ZERO WIDTH SPACE}")  # long names of three words may be broken there
        found.append(Fact(voice.words("next_category"), shown, voice.words("next_category_note", share=share)))
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
    digits = decimals([value.net])
    low, high = voice.formats.money(value.low, digits), voice.formats.money(value.high, digits)
    return Fact(
        voice.words("expected_value"), voice.formats.money(value.net, digits), voice.words("range", low=low, high=high)
    )


def _effect_note(record: Record, policy: Policy, shown: Ranked | None, voice: Voice) -> str:
    """Where the money comes from: extra purchases, what each earns, and whether anybody measured that."""
    if shown is None:
        return ""
    treatment = shown.candidate.treatment
    believed = beliefs(treatment, record.estimates, policy)
    timing = timing_of(shown.candidate.window.slot, policy.channels[treatment.channel], record.estimates)
    measured = "effect_measured_simulated" if record.simulated else "effect_measured"
    basis = voice.words("effect_assumed" if believed.effect.tier == 0 else measured)
    money = (record.estimates.basket_margin.mean, record.estimates.recency_value.mean)
    now, later = (voice.formats.money(amount) for amount in money)
    count = voice.formats.number(100 * believed.effect.mean * timing.mean, 1)
    key = f"effect_note_{treatment.kind}" if treatment.kind in UNSHOWN else "effect_note"
    return voice.words(key, count=count, basis=basis, now=now, later=later)


def _worth_note(winner: Ranked | None, shown: Ranked | None, naming: Naming, voice: Voice) -> str:
    if shown is None:
        return voice.words("worth_none")
    treatment = shown.candidate.treatment
    if winner is not None:
        return voice.words(f"worth_intro_{treatment.kind}" if treatment.kind in UNSHOWN else "worth_intro")
    return voice.words("worth_of_best", choice=naming.choice(treatment.id))


def _timed(given: Attribution, winner: Ranked | None) -> float | None:
    """The chance of a reaction as the figures at the top tell it: at the chosen time."""
    return winner.propensity.mean if winner is not None and given.model == "channel_propensity" else None


def _moved(given: Attribution, shown: Ranked | None) -> bool:
    """Whether a model's estimate belongs on the page: nobody reacts to what is not shown."""
    return shown is None or shown.candidate.treatment.kind not in UNSHOWN or given.model not in REACTION_MODELS
