"""A decision in words, built by rule from its reasons; nothing is said that the decision does not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from arbitration.domain import (
    Attribution,
    Contribution,
    Decision,
    FeatureValue,
    Ranked,
    Reason,
    Rejection,
    Treatment,
)
from arbitration.explanation import ContributionLine, Direction, Explanation, Lang, WhyNot
from arbitration.policy import BusinessName, Policy
from arbitration.reasons import furthest
from arbitration.texts import BASES, DEGRADED, FRAMES, GATE_TEXTS, MISSING, MODELS, SELECTION_TEXTS
from arbitration.wording import moment, money, plain, share

_MONEY = frozenset({"net", "decided_on", "lost_by", "stake", "plan_value"})
_SHARES = frozenset({"risk", "probability"})
_MOMENTS = frozenset({"send_at", "free_at"})
STORE_WORDS = 4
RULE_CODES = frozenset({"not_eligible", "not_applicable", "not_suitable", "channel_unavailable"})
SAY_IT_ALL = frozenset({"consent_missing", "unknown_time_zone"})
"""Codes whose sentence already names what is missing."""


def explain(
    decision: Decision,
    policy: Policy,
    *,
    names: Mapping[str, BusinessName],
    attributions: Iterable[Attribution],
    lang: Lang,
) -> Explanation:
    """The explanation in one language. `names` are the business names of features, `attributions` the models' margins."""
    words = _Words(decision, policy, names, lang)
    return Explanation(
        lang=lang,
        headline=words.headline(),
        sentences=tuple(words.sentence(reason) for reason in decision.reasons),
        store_summary=words.store_summary(),
        why_not=tuple(words.why_not()),
        contributions=words.contributions(attributions),
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """One decision and one language."""

    decision: Decision
    policy: Policy
    names: Mapping[str, BusinessName]
    lang: Lang

    def say(self, name: BusinessName) -> str:
        return name.de if self.lang == "de" else name.en

    def frame(self, key: str, **facts: FeatureValue) -> str:
        return self.say(FRAMES[key]).format(**{name: self.fact(name, value) for name, value in facts.items()})

    def fact(self, name: str, value: FeatureValue) -> str:
        """One fact as people read it; what kind of fact it is follows from its name."""
        if isinstance(value, (int, float)) and name in _MONEY:
            return money(value, self.policy.economics.currency, self.lang)
        if isinstance(value, (int, float)) and name in _SHARES:
            return share(value, self.lang)
        if isinstance(value, str) and name in _MOMENTS:
            return moment(datetime.fromisoformat(value), self.decision.time_zone, self.lang)
        finder = self._finders().get(name)
        return finder(value) if finder and isinstance(value, str) else plain(value, self.lang)

    def _finders(self) -> Mapping[str, Callable[[str], str]]:
        return {
            "journey": self.journey,
            "channel": self.channel,
            "basis": self.basis,
            "missing": self.missing,
            "by": self.journey,
            "rule": self.rule,
            "names": self.degraded,
        }

    def journey(self, journey: str) -> str:
        return self.say(self.policy.journeys[journey].name) if journey in self.policy.journeys else journey

    def channel(self, channel: str) -> str:
        return self.say(self.policy.channels[channel].name) if channel in self.policy.channels else channel

    def basis(self, basis: str) -> str:
        return self.say(BASES[basis]) if basis in BASES else basis

    def missing(self, missing: str) -> str:
        return self.say(MISSING[missing]) if missing in MISSING else self.feature(missing)

    def rule(self, rule: str) -> str:
        """A rule with the features' business names and signs that people read."""
        for sign, shown in (("<=", "≤"), (">=", "≥"), ("==", "="), ("!=", "≠")):
            rule = rule.replace(sign, shown)

        def word(found: re.Match[str]) -> str:
            name = found[0]
            return self.say(FRAMES[name]) if name in ("and", "or", "not") else self.feature(name)

        return re.sub(r"[A-Za-z_][A-Za-z_0-9.]*", word, rule)

    def degraded(self, names: str) -> str:
        return ", ".join(self.say(DEGRADED[name]) if name in DEGRADED else name for name in names.split(", "))

    def feature(self, feature: str) -> str:
        """The business name; a channel's feature gets the channel's name behind it."""
        if feature in self.names:
            return self.say(self.names[feature])
        channel, _, name = feature.partition(".")
        return f"{self.say(self.names[name])}, {self.channel(channel)}" if name in self.names else feature

    def headline(self) -> str:
        if self.decision.winner is None:
            return f"{self.frame('headline_silence')}: {self.sentence(self.decision.reasons[0])}"
        treatment, step = self.decision.winner.candidate.treatment, self.decision.plan.steps[0]
        facts = {"journey": treatment.journey, "channel": treatment.channel, "send_at": step.send_at.isoformat()}
        return self.frame("headline_act", **facts)

    def sentence(self, reason: Reason) -> str:
        if reason.code in SELECTION_TEXTS:
            facts = {name: self.fact(name, value) for name, value in reason.facts.items()}
            return self.say(SELECTION_TEXTS[reason.code]).format(**facts)
        return self.clause(reason.code, reason.facts) + "."

    def clause(self, code: str, facts: Mapping[str, FeatureValue]) -> str:
        """A gate's text with what is known of when it would pass, what is missing and what stood in the way."""
        said = dict(facts)
        if code in RULE_CODES:
            said["rule"] = said.pop("by", None)
        if code in SAY_IT_ALL:
            said.pop("missing", None)
        known = [
            self.frame(key, **{key: said[key]})
            for key in ("missing", "by", "rule", "free_at", "messages")
            if said.get(key)
        ]
        return self.say(GATE_TEXTS[code]) + (f" ({', '.join(known)})" if known else "")

    def store_summary(self) -> str:
        """The channel's name, and before it as many words of the journey's name as fit into four."""
        if self.decision.winner is None:
            never = self.decision.reasons[0].code in ("objection", "suppression")
            return self.frame("store_never" if never else "store_silence")
        treatment = self.decision.winner.candidate.treatment
        channel = self.channel(treatment.channel).split()[: STORE_WORDS - 1]
        journey = self.journey(treatment.journey).split()[: STORE_WORDS - len(channel)]
        return f"{' '.join(journey)}: {' '.join(channel)}"

    def why_not(self) -> Iterable[WhyNot]:
        """One line per treatment that did not win: money if one of its windows passed, else the gate of its best window."""
        winner = self.decision.winner
        done = {winner.candidate.treatment} if winner else set[Treatment]()
        for item in self.decision.ranked:
            if item.candidate.treatment not in done:
                done.add(item.candidate.treatment)
                yield self._lost(item)
        for no in furthest(self.decision.rejections):
            if no.candidate.treatment not in done:
                done.add(no.candidate.treatment)
                yield self._refused(no)

    def _lost(self, item: Ranked) -> WhyNot:
        winner = self.decision.winner
        lost_by = (winner.value.decided_on if winner else 0.0) - item.value.decided_on
        code = "below_silence" if not winner and lost_by >= 0 else "lost_by" if lost_by >= 0 else "not_drawn"
        sentence = self._title(item.candidate.treatment) + self.frame(code, lost_by=abs(lost_by))
        return WhyNot(item.candidate.treatment.id, code, lost_by, sentence)

    def _refused(self, no: Rejection) -> WhyNot:
        free_at = no.free_at.isoformat() if no.free_at else None
        clause = self.clause(no.code, {"missing": no.missing, "by": no.by, "free_at": free_at})
        return WhyNot(no.candidate.treatment.id, no.code, None, self._title(no.candidate.treatment) + clause)

    def _title(self, treatment: Treatment) -> str:
        return f"{self.journey(treatment.journey)}, {self.channel(treatment.channel)}: "

    def contributions(self, attributions: Iterable[Attribution]) -> tuple[ContributionLine, ...]:
        """All contributions, largest margin first."""
        pairs = [(given.model, part) for given in attributions for part in given.contributions]
        return tuple(self._contribution(*pair) for pair in sorted(pairs, key=lambda it: -abs(it[1].margin)))

    def _contribution(self, model: str, part: Contribution) -> ContributionLine:
        direction: Direction = "raises" if part.margin > 0 else "lowers" if part.margin < 0 else "none"
        facts = {"name": self.feature(part.feature), "value": plain(part.value, self.lang), "model": self._model(model)}
        sentence = self.say(FRAMES[direction]).format(**facts)
        return ContributionLine(model, part.feature, part.margin, direction, sentence)

    def _model(self, model: str) -> str:
        return self.say(MODELS[model]) if model in MODELS else model
