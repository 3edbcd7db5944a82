"""Vowpal Wabbit's contextual bandit as a policy of the SIMULATED market, in an environment of its own (`peers` says how to make one).

    DIRIGENT_PEER_PYTHON=.peers-uplift/bin/python python -m benchmarks.quality.simulator --quick \
        --beside benchmarks.quality.vowpal:VowpalWabbit --only VowpalWabbit

`--cb_explore_adf --cb_type mtr --epsilon 0.05`, a customer's features crossed with the action, one example per customer and week,
cost = -reward once its three weeks are over; the logged weeks before week 0 are learned first. Everything else is Vowpal Wabbit's
default. Its answer is odds without money in it, so nobody can say who would gain most from the scarce channel: who may have it is drawn
before it is asked, and the others are not shown that channel.
"""

from __future__ import annotations

import os
import subprocess
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.quality.peer_vw import received, sent
from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers
from training.simulator.market.log import Entry
from training.simulator.market.policies import SCARCE_CANDIDATES
from training.simulator.market.state import FEATURES, MENU, Choice, View

PEER_SIDE = Path(__file__).with_name("peer_vw.py")
VARIABLE = "DIRIGENT_PEER_PYTHON"
SEED = 20261123
MOMENT_COLUMNS = [FEATURES.index(name) for name in law.MOMENTS[1:]]


class VowpalWabbit:
    """Asks a child process each week; the child ends with the policy."""

    def __init__(self) -> None:
        python = os.environ.get(VARIABLE)
        if not python:
            raise RuntimeError(f"{VARIABLE} must name the Python of the environment that has vowpalwabbit")
        self._child = subprocess.Popen(
            [python, str(PEER_SIDE), str(SEED), *law.NAMES], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._learned: set[int] = set()
        self._shown: dict[int, Booleans] = {}
        weakref.finalize(self, _end, self._child)

    def choose(self, view: View) -> Choice:
        """Learn what has become complete, then draw from the answered odds.

        The probability is that given who may have the scarce channel, which is what this learner has to be told.
        """
        shown = offered(view.admissible, view.quota, view.rng)
        odds = self._ask(self._complete(view), view.features, shown)
        candidate = drawn(odds, view.rng)
        self._shown[view.week] = shown
        rows = np.arange(len(candidate))
        return Choice(candidate, odds[rows, candidate], np.ones(len(rows), dtype=bool))

    def _complete(self, view: View) -> list[tuple[Entry, Booleans]]:
        """Weeks that are not learned yet and whose reward is complete, with what was shown in them."""
        found = []
        for entry in view.log.entries:
            if entry.week + law.HORIZON <= view.week and entry.week not in self._learned:
                self._learned.add(entry.week)
                found.append((entry, self._shown.pop(entry.week) if entry.week in self._shown else presumed(entry)))
        return found

    def _ask(self, weeks: list[tuple[Entry, Booleans]], features: Floats, shown: Booleans) -> Floats:
        """Odds (n, candidates) after learning `weeks`."""
        known = [(entry, mask, entry.randomized & (entry.probability > 0)) for entry, mask in weeks]
        width = features.shape[1]
        columns = [
            (entry.features[rows], mask[rows], entry.candidate[rows], entry.probability[rows], -entry.reward[rows])
            for entry, mask, rows in known
        ]
        none = (np.zeros((0, width)), np.zeros((0, law.CANDIDATES), dtype=bool), np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))  # fmt: skip
        names = ("features", "shown", "action", "probability", "cost")
        joined = dict(zip(names, map(np.concatenate, zip(none, *columns, strict=True)), strict=True))
        return _exchanged(self._child, {**joined, "asked": features, "asked_shown": shown})


def offered(admissible: Booleans, quota: int, rng: np.random.Generator) -> Booleans:
    """What is shown to the bandit (n, candidates): the scarce channel only to `quota` of those who may have it, by lot."""
    could = np.flatnonzero(admissible[:, SCARCE_CANDIDATES].any(axis=1))
    losers = rng.permutation(could)[quota:]
    shown = admissible.copy()
    shown[np.ix_(losers, SCARCE_CANDIDATES)] = False
    return shown


def drawn(odds: Floats, rng: np.random.Generator) -> Integers:
    """One candidate per row of `odds` (n, candidates); never one with odds of 0, whatever single precision left of their sum."""
    cumulated = odds.cumsum(axis=1)
    return np.asarray((rng.random((len(odds), 1)) * cumulated[:, -1:] >= cumulated).sum(axis=1), dtype=np.int64)


def presumed(entry: Entry) -> Booleans:
    """What was shown in a week before this policy's: the moment's journeys on every channel, for the log does not say who was reachable."""
    moments = entry.features[:, MOMENT_COLUMNS]
    return MENU[np.where(moments.any(axis=1), moments.argmax(axis=1) + 1, 0)]


def _exchanged(child: subprocess.Popen[bytes], message: dict[str, Any]) -> Floats:
    """The child's answer to a message."""
    try:
        sent(_pipe(child.stdin), **message)
        answer = received(_pipe(child.stdout))
    except BrokenPipeError:
        answer = None
    if answer is None:
        raise RuntimeError(f"the Python of {VARIABLE} ended early; has it vowpalwabbit?")
    return np.asarray(answer["odds"], dtype=np.float64)


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("the peer has no pipe")
    return end


def _end(child: subprocess.Popen[bytes]) -> None:
    """The end of its input ends the child."""
    for pipe in (child.stdin, child.stdout):
        with suppress(BrokenPipeError):
            _pipe(pipe).close()
    child.wait()
