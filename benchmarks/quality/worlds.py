"""Small simulated worlds whose policy values are known exactly, for the benchmarks of policy evaluation.

Everything here is SIMULATED: customers with several rows each, a trait of their own that moves all their rewards, features of five
kinds, a logging policy that depends on the kind and is never below 0.04, and a judged policy that prefers other arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.off_policy import Log, Plans
from training.off_policy.log import FloatArray

KINDS, ARMS = 5, 4
NAMES = tuple(f"arm {number}" for number in range(ARMS))
FLOOR = 0.04
FRAILTY = (0.5, 1.5)


@dataclass(frozen=True)
class World:
    """Tables by kind and arm, shape (5, 4): mean reward, logging policy, judged policy and its rival; `binary` rewards or money."""

    mean: FloatArray
    logging: FloatArray
    judged: FloatArray
    rival: FloatArray
    binary: bool

    def value(self, policy: FloatArray) -> float:
        """The exact value per row: kinds are equally likely."""
        return float((policy * self.mean).sum(axis=1).mean())


def world(binary: bool, rate: float = 0.1, seed: int = 11) -> World:
    """A world whose rewards have mean `rate`; the same seed gives the same world."""
    rng = np.random.default_rng(seed)
    mean = rate * rng.uniform(0.4, 1.6, (KINDS, ARMS))
    logging, judged, rival = (_softmax(rng.normal(0, scale, (KINDS, ARMS))) for scale in (0.7, 2.0, 2.0))
    return World(mean, FLOOR + (1 - ARMS * FLOOR) * logging, judged, rival, binary)


def draw(made: World, customers: int, rng: np.random.Generator) -> tuple[Log, NDArray[np.int64]]:
    """A log of customers with one to eight rows each, and the kind of every row."""
    cluster = np.repeat(np.arange(customers), rng.integers(1, 9, customers))
    usual = rng.integers(0, KINDS, customers)
    kind = np.where(rng.random(len(cluster)) < 0.7, usual[cluster], rng.integers(0, KINDS, len(cluster)))
    arm = _choose(made.logging[kind], rng)
    trait = rng.choice(FRAILTY, customers)[cluster]
    mean = made.mean[kind, arm] * trait
    reward = (rng.random(len(arm)) < mean).astype(np.float64) if made.binary else mean * rng.exponential(1.0, len(arm))
    features = np.eye(KINDS)[kind]
    return Log(NAMES, arm, reward, made.logging[kind, arm], cluster, features, probabilities=made.logging[kind]), kind


def draw_plans(made: World, customers: int, rng: np.random.Generator) -> tuple[Plans, NDArray[np.int64]]:
    """Plans of up to three steps, one to three a customer; after each step the next comes with a chance of 0.7, whatever was done."""
    cluster = np.repeat(np.arange(customers), rng.integers(1, 4, customers))
    shape = (len(cluster), 3)
    kind = rng.integers(0, KINDS, shape)
    ended = np.cumsum(np.column_stack([np.zeros(shape[0]), rng.random((shape[0], 2)) > 0.7]), axis=1) > 0
    arm = _choose(made.logging[kind].reshape(-1, ARMS), rng).reshape(shape)
    mean = made.mean[kind, arm] * rng.choice(FRAILTY, customers)[cluster][:, None]
    reward = mean * rng.exponential(1.0, shape)
    probability = made.logging[kind, arm]
    return Plans(NAMES, np.where(ended, -1, arm), reward, probability, cluster), kind


def _choose(chances: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    drawn = rng.random(len(chances))[:, None] > np.cumsum(chances, axis=1)[:, :-1]
    return np.asarray(drawn.sum(axis=1), dtype=np.int64)


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
