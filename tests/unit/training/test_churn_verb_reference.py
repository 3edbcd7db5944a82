"""BG/NBD: its parameters are found again in simulated data, its formula is what simulation shows, and P(alive) is not the answer."""

from __future__ import annotations

import numpy as np
import pytest

from training.lapse_risk.purchasing import Purchasing, fit_purchasing, log_likelihood

TRUE = Purchasing(r=0.8, alpha=4.0, a=0.8, b=2.5)


@pytest.fixture(scope="module")
def bought():
    """Simulated by the model: repeats, last and age in weeks at the moment, and whether nothing is bought in 12 more weeks."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(6000):
        rate, leaving, age = rng.gamma(TRUE.r, 1 / TRUE.alpha), rng.beta(TRUE.a, TRUE.b), rng.uniform(30, 60)
        at, times, alive = 0.0, [], True
        while alive and at < age + 12:
            at += rng.exponential(1 / rate) if rate > 1e-9 else 1e9
            times.append(at)
            alive = rng.random() >= leaving
        past = [t for t in times if t <= age]
        rows.append((len(past), past[-1] if past else 0.0, age, not any(age < t <= age + 12 for t in times)))
    return np.array(rows, dtype=np.float64)


def test_parameters_are_found_again(bought):
    found = fit_purchasing(bought[:, 0], bought[:, 1], bought[:, 2])
    assert found.r == pytest.approx(TRUE.r, rel=0.15)
    assert found.alpha == pytest.approx(TRUE.alpha, rel=0.2)
    assert found.a / (found.a + found.b) == pytest.approx(TRUE.a / (TRUE.a + TRUE.b), rel=0.15)


def test_no_purchase_is_what_simulation_shows_and_one_minus_alive_is_not(bought):
    repeats, last, age, away = bought.T
    p = TRUE.no_purchase(repeats, last, age, 12.0)
    dead = 1 - TRUE.alive(repeats, last, age)
    assert p.mean() == pytest.approx(away.mean(), abs=0.012)
    for part in np.array_split(np.argsort(p), 5):
        assert p[part].mean() == pytest.approx(away[part].mean(), abs=0.05)
    assert abs(dead.mean() - away.mean()) > 0.2
    assert (p >= dead).all()


def test_longer_horizons_are_likelier_to_see_a_purchase(bought):
    repeats, last, age, _ = bought.T
    assert (TRUE.no_purchase(repeats, last, age, 4.0) >= TRUE.no_purchase(repeats, last, age, 8.0)).all()
    assert TRUE.no_purchase(repeats, last, age, 0.0) == pytest.approx(1.0)


def test_likelihood_of_who_never_came_back_is_that_of_silence():
    silent = log_likelihood(np.array([0.5, 3.0, 1.0, 2.0]), np.zeros(1), np.zeros(1), np.array([9.0]))
    assert silent[0] == pytest.approx(0.5 * np.log(3.0 / 12.0))


@pytest.mark.parametrize("rows", [[(0, 0, 5)], [(3, 4.0, 4.0)] * 4, [(500, 51.0, 52.0)] * 10 + [(0, 0, 0.1)]])
def test_odd_populations_give_finite_probabilities(rows):
    repeats, last, age = np.array(rows, dtype=np.float64).T
    p = fit_purchasing(repeats, last, age).no_purchase(repeats, last, age, 6.0)
    assert ((p >= 0) & (p <= 1)).all()
