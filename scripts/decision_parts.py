"""The computed parts of `docs/decision.md`: one function per part, each a pure function of the decision it walks through.

Money has three decimals, probabilities are units of 2^-20. Where a part shows a formula of the engine it computes the formula by
itself, and stops when the engine has another result: the page cannot explain what the engine does not do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from arbitration import domain
from arbitration.domain import Context, Decision, Estimates, Explanation, Offer, Ranked
from arbitration.errors import StateError
from arbitration.gates import GATES
from arbitration.policy import Policy
from arbitration.propose import propose, treatments
from arbitration.selection import ONE
from arbitration.value import Worth, beliefs, timing_of
from arbitration.windows import zone_of

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Walk:
    """One decision, what it started from, and how it is told in both languages."""

    context: Context
    estimates: Estimates
    policy: Policy
    decision: Decision
    english: Explanation
    german: Explanation

    @property
    def winner(self) -> Ranked:
        """The drawn candidate."""
        if self.decision.winner is None:
            raise StateError("silence won", where="scripts.decision_page", mend="Choose another household.")
        return self.decision.winner

    @property
    def shown(self) -> list[Ranked]:
        """The winner, the best other treatment, and the best other one that carries an offer."""
        others = [item for item in self.best if item.candidate.treatment != self.winner.candidate.treatment]
        dear = [item for item in others[1:] if item.candidate.treatment.offer is not None]
        return [self.winner, *others[:1], *dear[:1]]

    @property
    def best(self) -> list[Ranked]:
        """The best window of each treatment that competes, best first."""
        found: dict[str, Ranked] = {}
        for item in self.decision.ranked:
            found.setdefault(item.candidate.treatment.id, item)
        return list(found.values())


def known(walk: Walk) -> str:
    """What is known of the household."""
    context, features = walk.context, walk.context.features
    rows = [
        ("household", str(context.customer_id), "real"),
        ("moment", f"{_local(walk.decision.decided_at, context)}, {context.time_zone}", "the data's end"),
        ("purchases in all", f"{features['purchases_total']}", "real"),
        ("days since the last purchase", _number(features["recency_days"], 1), "real"),
        ("that gap against the usual one", f"{_number(features['gap_ratio'], 1)} times", "real"),
        ("mean basket of 182 days", _number(features["basket_value_182d"], 2), "real"),
        ("consents for marketing", ", ".join(_granted(context)) or "none", "SIMULATED"),
        ("contacts that count for caps and cool-downs", f"{len(context.contacts)}", "SIMULATED"),
        ("points", _number(features["points_balance"], 0), "SIMULATED"),
    ]
    return _table(("known", "value", "source"), rows)


def proposed(walk: Walk) -> str:
    """How many candidates are proposed."""
    policy = walk.policy
    candidates = propose(walk.context, policy, walk.decision.decided_at)
    kinds = ("scheduled", "immediate")
    rows = []
    for timing in kinds:
        own = [one for one in candidates if policy.channels[one.treatment.channel].timing == timing]
        count = len({one.treatment.id for one in own})
        windows = len({one.window for one in own})
        channels = [name for name, channel in policy.channels.items() if channel.timing == timing]
        rows.append((timing, ", ".join(channels), f"{count}", f"{windows}", f"{len(own)}"))
    rows.append(("all", "", f"{len(treatments(policy))}", "", f"{len(candidates)}"))
    return _table(("channels", "", "treatments", "windows", "candidates"), rows)


def gates(walk: Walk) -> str:
    """How many candidates each gate stopped, in the order of the gates."""
    decision = walk.decision
    stopped = Counter(no.code for no in decision.rejections)
    sample = {no.code: no for no in reversed(decision.rejections)}
    left = len(decision.rejections) + len(decision.ranked)
    rows = [("", "proposed", "", f"{left}", "")]
    for gate in GATES:
        if gate.code in stopped:
            left -= stopped[gate.code]
            first = sample[gate.code].candidate.treatment.id
            rows.append((gate.stage, f"`{gate.code}`", f"{stopped[gate.code]}", f"{left}", f"`{first}`"))
    if left != len(decision.ranked):
        raise _differ("gates")
    return _table(("stage", "gate", "stopped", "left", "for example"), rows)


def values(walk: Walk) -> str:
    """The value of the winner, of the best rival and of the best one that carries an offer, part by part."""
    shown = walk.shown
    head = ("", *(f"`{item.candidate.treatment.id}`" for item in shown))
    rows: list[Sequence[str]] = [
        ("window opens", *(_local(item.candidate.window.opens_at, walk.context) for item in shown)),
        *_inputs(walk, shown),
    ]
    for part in domain.PARTS:
        amounts = [getattr(item.value, part) for item in shown]
        if any(amounts):
            rows.append((f"`{part}`", *(_money(amount) for amount in amounts)))
    rows += [
        ("**net**", *(f"**{_money(item.value.net)}**" for item in shown)),
        ("net, one standard deviation lower and higher", *(_range(item) for item in shown)),
        (
            "**`decided_on`**, half a standard deviation lower",
            *(f"**{_money(item.value.decided_on)}**" for item in shown),
        ),
        ("lowest evidence tier", *(f"{item.value.tier}" for item in shown)),
    ]
    return _table(head, rows)


def _inputs(walk: Walk, shown: Iterable[Ranked]) -> list[Sequence[str]]:
    """What the parts are made of."""
    estimates, policy = walk.estimates, walk.policy
    effects, factors, taus, risks, prices, offers = [], [], [], [], [], []
    for item in shown:
        treatment, channel = item.candidate.treatment, policy.channels[item.candidate.treatment.channel]
        used = beliefs(treatment, estimates, policy)
        factor = timing_of(item.candidate.window.slot, channel, estimates).mean
        tau = used.effect.mean * factor
        if abs(tau * estimates.basket_margin.mean - item.value.margin) > 1e-9:
            raise _differ("value")
        effects.append(f"{used.effect.mean:.4f} ± {used.effect.sd:.4f}")
        factors.append(f"{factor:.3f}")
        taus.append(f"{tau:.4f}")
        risks.append(f"{used.opt_out.mean:.5f} × {used.reach.mean:.2f}")
        offers.append(_offer(treatment.offer))
        prices.append(f"{estimates.attention_price.mean:.2f} × {channel.pressure:.1f}")
    same = (estimates.basket_margin, estimates.recency_value, estimates.tier_progress, estimates.base_purchase)
    margin, stake, progress, base = ([f"{one.mean:.3f}"] * len(taus) for one in same)
    return [
        ("effect of the contact, in purchases", *effects), ("× relative engagement of the window", *factors),
        ("= τ, incremental purchases", *taus), ("M, margin of a purchase", *margin),
        ("δ(V⁺ − V⁻), value of being a recent buyer", *stake), ("value of coming closer to the next tier", *progress),
        ("face value × share that redeems it", *offers), ("chance of a purchase without a contact", *base),
        ("opt-out chance × value of the channel", *risks), ("attention price × pressure", *prices),
    ]  # fmt: skip


def selected(walk: Walk) -> str:
    """The weights of the inverse gap, and the units of 2^-20 that follow."""
    selection, best = walk.policy.selection, walk.best
    favorite = best[0]
    top = favorite.value.decided_on
    near = [item for item in best[1:] if item.value.high > top]
    weights = {item.candidate: 1.0 / (len(near) + 1 + selection.greed * (top - item.value.decided_on)) for item in near}
    total = sum(weights.values())
    loss = sum(weights[item.candidate] * (top - item.value.decided_on) for item in near)
    silence = round(walk.decision.silence_probability * ONE)
    room = max(0.0, selection.exploration - silence / ONE)
    factor = min(1.0, room / total if total else 0.0, selection.exploration_budget / loss if loss else 1.0)
    rows = []
    for item in best:
        weight = weights.get(item.candidate)
        units = round(item.probability * ONE)
        if item is not favorite and units != (int(weight * factor * ONE) if weight else 0):
            raise _differ("select")
        rows.append(_chance(item, top, weight, units, is_favorite=item is favorite))
    rows.append(("silence", _money(0.0), _money(top), "", "floor", f"{silence}", f"{silence / ONE:.4f}"))
    head = ("treatment, best window", "`decided_on`", "gap", "near best", "weight", "units", "probability")
    scaled = (
        f"K = {len(near) + 1}, greed = {selection.greed:g}; all weights × {factor:.4f}, the least of 1, of the room "
        f"{room:.4f} / {total:.4f}, and of the budget {selection.exploration_budget:.4f} / {loss:.4f}. "
        f"Together {sum(round(item.probability * ONE) for item in walk.decision.ranked) + silence} units = 2^20."
    )
    return _table(head, rows) + "\n\n" + scaled


def _chance(item: Ranked, top: float, weight: float | None, units: int, *, is_favorite: bool) -> Sequence[str]:
    gap = _money(top - item.value.decided_on)
    told = "favorite: the rest" if is_favorite else f"{weight:.4f}" if weight else ""
    near = "" if is_favorite else "yes" if weight else "no"
    name = f"`{item.candidate.treatment.id}`"
    return name, _money(item.value.decided_on), gap, near, told, f"{units}", f"{item.probability:.4f}"


def planned(walk: Walk) -> str:
    """The plan by backward induction."""
    steps, worth = walk.decision.plan.steps, 0.0
    rows: list[Sequence[str]] = []
    for number in range(len(steps), 0, -1):
        step = steps[number - 1]
        chance = Worth(step.candidate.treatment, walk.estimates, walk.policy).at(step.candidate.window.slot)[1].mean
        after, own = worth, step.expected_value
        worth = own + (1.0 - chance) * after
        formula = f"{own:.3f} + (1 − {chance:.4f}) × {after:.3f} = **{worth:.3f}**"
        sent = _local(step.send_at, walk.context)
        name = f"`{step.candidate.treatment.id}`"
        rows.append((f"{number}", name, sent, f"{step.wait_hours:g} h", _money(own), f"{chance:.4f}", formula))
    if abs(worth - walk.decision.plan.expected_value) > 1e-9:
        raise _differ("plan")
    return _table(("k", "step", "sent", "wait", "q_k", "p_k", "V_k = q_k + (1 − p_k) · V_{k+1}"), rows)


def reasons(walk: Walk) -> str:
    """The sentences in both languages, by reason code."""
    rows = [
        (f"`{reason.code}`", english, german)
        for reason, english, german in zip(
            walk.decision.reasons, walk.english.sentences, walk.german.sentences, strict=True
        )
    ]
    store = ("for the store", walk.english.store_summary, walk.german.store_summary)
    return _table(("code", "English", "German"), [*rows, store])


def what_if(walk: Walk) -> str:
    """How sure the choice is, and single changes after which another favorite comes first."""
    if walk.english.sensitivity is None:
        raise _differ("sensitivity")
    weighed = walk.english.sensitivity
    lines = [weighed.sentence, *(drop.sentence for drop in weighed.drops)]
    rows = [
        (one.change.kind, one.sentence, f"`{one.favorite}`", _money(one.worth)) for one in walk.english.counterfactuals
    ]
    return (
        "\n".join(f"- {line}" for line in lines)
        + "\n\n"
        + _table(("change", "what if", "favorite then", "worth"), rows)
    )


PARTS: Mapping[str, Callable[[Walk], str]] = {
    "known": known,
    "propose": proposed,
    "gates": gates,
    "value": values,
    "select": selected,
    "plan": planned,
    "reasons": reasons,
    "counterfactuals": what_if,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _offer(offer: Offer | None) -> str:
    return "" if offer is None else f"{offer.face_value:.2f} × {offer.redemption:.2f}"


def _granted(context: Context) -> list[str]:
    return sorted({one.channel for one in context.consents if one.state == "granted" and one.purpose == "marketing"})


def _money(amount: float) -> str:
    rounded = round(amount, 3) + 0.0
    return f"{MINUS if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):.3f}"


def _range(item: Ranked) -> str:
    return f"{_money(item.value.low)} to {_money(item.value.high)}"


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else "unknown"


def _local(moment: datetime, context: Context) -> str:
    zone = zone_of(context.time_zone)
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %H:%M}"


def _differ(part: str) -> StateError:
    return StateError(
        f"the engine has another {part} than the page's formula", mend="correct scripts/decision_parts.py"
    )
