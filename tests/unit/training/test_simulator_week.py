"""The simulated market itself: seeds, consents, pressure, delay, drift."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from training.simulator.market import laws as law
from training.simulator.market.laws import NAMES, WORLDS, Laws
from training.simulator.market.people import People, Scene, draw_people
from training.simulator.market.play import Market, check
from training.simulator.market.policies import Dice, FixedPriority, NeverSend, certain
from training.simulator.market.state import FEATURES, Choice, State, View, newborn, observe
from training.simulator.market.week import Week, begin, end, opt_out_hazard

STRONG = WORLDS["strong"]
EMAIL = NAMES.index("earn_to_redeem/email")


def small(laws: Laws = STRONG, customers: int = 600, seed: int = 3) -> Market:
    """A market that plays in a blink."""
    return Market(laws, seed, customers, weeks=12, history=4)


def settled(laws: Laws, customers: int = 4000) -> tuple[People, State]:
    """People who have all just joined and can all be reached."""
    people = draw_people(laws, customers, 5, joining=(0, 1))
    state = newborn(people)
    state.reachable[:] = True
    return people, state


def one_week(people: People, state: State, laws: Laws, week: int, candidate: int) -> Week:
    """The same candidate for everybody, whatever the moment."""
    scene = Scene(people, laws, 5, week)
    begin(state, scene)
    return end(state, scene, np.full(len(people), candidate))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    runs = [small(seed=seed).run(Dice()) for seed in (3, 3, 4)]
    assert runs[0].value.tobytes() == runs[1].value.tobytes()
    for one, other in zip(runs[0].log.entries, runs[1].log.entries, strict=True):
        assert all(getattr(one, f.name) == getattr(other, f.name) if f.name == "week" else getattr(one, f.name).tobytes() == getattr(other, f.name).tobytes() for f in fields(one))  # fmt: skip
    assert runs[0].value.tobytes() != runs[2].value.tobytes()


def test_one_policys_run_leaves_the_start_of_the_next_untouched() -> None:
    market = small()
    first = market.run(NeverSend()).value
    market.run(FixedPriority())
    assert market.run(NeverSend()).value.tobytes() == first.tobytes()


def test_those_who_left_never_buy_again() -> None:
    people, state = settled(STRONG)
    state.alive[:] = False
    assert one_week(people, state, STRONG, 1, EMAIL).expected.sum() == 0


class Watched(FixedPriority):
    """Remembers which channels were open and which was used, week by week."""

    def __init__(self) -> None:
        self.open: list[np.ndarray] = []
        self.used: list[np.ndarray] = []

    def choose(self, view: View) -> Choice:
        """As the fixed priority does."""
        choice = super().choose(view)
        self.open.append(view.admissible[:, [NAMES.index(f"earn_to_redeem/{name}") for name in law.CHANNELS]])
        sent = np.flatnonzero(choice.candidate)
        self.used.append(np.zeros_like(self.open[-1]))
        self.used[-1][sent, law.CHANNEL_OF[choice.candidate[sent] - 1]] = True
        return choice


def test_a_withdrawn_consent_never_comes_back_and_is_never_used() -> None:
    policy = Watched()
    run = small(replace(STRONG, fatigue=4.0), customers=2000).run(policy)
    assert run.opt_outs.sum() > 20
    closed = [before & ~after for before, after in pairwise(policy.open)]
    assert sum(int(week.sum()) for week in closed) == run.opt_outs[:-1].sum()
    assert not any((after & ~before).any() for before, after in pairwise(policy.open))
    assert not any((used & ~may).any() for used, may in zip(policy.used, policy.open, strict=True))


def test_a_candidate_without_consent_or_moment_or_above_the_quota_is_refused() -> None:
    people, state = settled(STRONG, 400)
    scene = Scene(people, STRONG, 5, 1)
    begin(state, scene)
    state.reachable[:200, law.EMAIL] = False
    view: View = observe(state, scene, small().start[1], scene.draws("policy"))
    with pytest.raises(ValueError, match="not admissible"):
        check(certain(np.full(400, EMAIL)), view)
    with pytest.raises(ValueError, match="scarce"):
        check(certain(np.full(400, NAMES.index("earn_to_redeem/sms"))), view)
    assert view.features.shape == (400, len(FEATURES))


def test_opt_outs_rise_with_pressure_and_sleeping_dogs_leave_sooner() -> None:
    people, _ = settled(STRONG)
    hazards = [opt_out_hazard(people, STRONG, np.full(len(people), pressure)).mean() for pressure in (0.0, 1.0, 2.0)]
    assert hazards[0] < hazards[1] < hazards[2]
    hazard = opt_out_hazard(people, STRONG, np.zeros(len(people))).mean(axis=1)
    assert hazard[people.dog].mean() > 3 * hazard[~people.dog].mean()


def test_in_a_pressed_population_more_opt_out_of_the_same_message() -> None:
    left = []
    for pressure in (0.0, 3.0):
        people, state = settled(STRONG, 40_000)
        state.pressure[:] = pressure
        left.append(one_week(people, state, STRONG, 1, EMAIL).opted_out.sum())
    assert left[1] > 2 * left[0] > 0


def test_pressure_fades_wears_the_effect_and_costs_attachment_for_good() -> None:
    people, state = settled(STRONG)
    one_week(people, state, STRONG, 1, EMAIL)
    felt, attached = state.pressure.copy(), state.attached.copy()
    assert 0.4 < felt.max() <= law.FADING
    first = np.abs(state.pending).sum()
    state.pending[:] = 0
    one_week(people, state, STRONG, 2, EMAIL)
    assert np.abs(state.pending).sum() < first
    assert (state.attached <= attached).all()
    assert state.attached.mean() < attached.mean() < 1


def test_effects_come_over_three_weeks_and_sleeping_dogs_buy_less() -> None:
    laws = replace(STRONG, fatigue=0.0)
    people, quiet = settled(laws)
    _, told = settled(laws)
    gaps = []
    for week in range(1, 6):
        silent = one_week(people, quiet, laws, week, 0)
        gaps.append(one_week(people, told, laws, week, EMAIL if week == 1 else 0).expected - silent.expected)
    assert all(gap[~people.dog].sum() > 0 for gap in gaps[:3])
    assert np.abs(gaps[4]).sum() == 0
    assert 0.03 < people.dog.mean() < 0.2
    assert sum(gap[people.dog] for gap in gaps[:3]).sum() < 0


def test_most_mail_programs_do_not_open_by_themselves_but_some_do_for_those_who_left() -> None:
    people, state = settled(STRONG)
    state.alive[:] = False
    one_week(people, state, STRONG, 1, EMAIL)
    assert state.opens[people.machine].mean() == pytest.approx(law.REACH[law.EMAIL], abs=0.03)
    assert state.opens[~people.machine].sum() == state.clicks.sum() == 0


def test_after_the_drift_the_journeys_effects_have_changed_places() -> None:
    laws = replace(STRONG, drift_week=20)
    before, after = laws.journey_effect(19), laws.journey_effect(20)
    assert before.argmax() != after.argmax()
    assert sorted(before) == sorted(after)
    assert (STRONG.journey_effect(20) == before).all()


def test_the_season_moves_purchases() -> None:
    people, state = settled(STRONG)
    high, low = (max(range(52), key=lambda week: sign * STRONG.season(week)) for sign in (1, -1))
    state.attached[:] = 1
    bought = [one_week(people, state.copy(), STRONG, week, 0).expected.mean() for week in (high, low)]
    assert bought[0] > bought[1]
