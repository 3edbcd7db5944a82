"""Effects: incremental purchases per contact for every journey and channel, shrunk by empirical Bayes.

Each level borrows from the one above: cell (journey x channel) -> journey -> all -> prior. With y the raw mean of a cell, s its
standard error and sigma the spread between the cells of a journey,

    mean = B * parent + (1 - B) * y,   B = s^2 / (s^2 + sigma^2)       (Efron & Morris 1975)

sigma is estimated by the method of moments (DerSimonian & Laird 1986), never below a floor, so that a cell with much data can
always leave its journey. A cell without data gets its parent's mean and a wider spread. How far an individual's propensity
moves the effect of its cell is measured as well (`Slope`), and is 0 where it was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np

from arbitration.domain import Estimate

TINY = 1e-18
INDIVIDUAL_RANGE = (0.25, 4.0)
"""How far an individual's propensity may move the effect of its cell, as a ratio."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured in one cell: raw mean, squared standard error and rows; rows 0 says that nothing was."""

    mean: float = 0.0
    variance: float = 0.0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Belief:
    """A shrunk mean with its standard deviation, and the raw numbers it came from (null where there are none)."""

    mean: float
    sd: float
    rows: int
    raw: float | None = None


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before any data: mean and sd of the overall level, and floors for the spread on the levels below."""

    mean: float
    sd: float
    floor: float


@dataclass(frozen=True, slots=True)
class Beliefs:
    """The three levels; `cells` are keyed `journey/channel`, `spread` is the sd between the cells of a journey."""

    cells: Mapping[str, Belief]
    journeys: Mapping[str, Belief]
    overall: Belief
    spread: float = 0.0

    def cell(self, journey: str, channel: str) -> Belief | None:
        """What is believed of a cell: of one never tried its journey's mean, as unsure as a new cell of it; None without either."""
        if found := self.cells.get(f"{journey}/{channel}"):
            return found
        parent = self.journeys.get(journey)
        return parent and Belief(parent.mean, sqrt(parent.sd**2 + self.spread**2), 0)


@dataclass(frozen=True, slots=True)
class Slope:
    """How much of tau_cell * (propensity ratio - 1) comes true: `used` is the shrunk slope, from `raw` with its standard error `sd`."""

    used: float = 0.0
    raw: float = 0.0
    sd: float = 0.0


@dataclass(frozen=True, slots=True)
class Effects:
    """`tau`: incremental purchases per contact. `engagement`: P(engage). `opt_out`: P(opt-out) per contact, by channel.

    `outcome` says which purchases were counted: `ordered`, those attributed to the moment, or `bought`, any at all. `slopes` holds
    the journeys' own slopes; `slope` is that of all the others.
    """

    tau: Beliefs
    engagement: Beliefs
    opt_out: Mapping[str, Belief]
    window_days: int
    version: str
    slope: Slope = Slope()
    outcome: str = "ordered"
    slopes: Mapping[str, Slope] = field(default_factory=dict)

    def effect(self, journey: str, channel: str, propensity: float | None) -> Estimate | None:
        """tau(x, a) = tau of the cell times 1 + slope * (ratio - 1), ratio = P(engage | x, a) over the cell's mean, within 1/4 and 4.

        Tier 2 with an individual propensity and a slope above 0, else 1; None for a journey that was never tried.
        """
        belief, mean = self.tau.cell(journey, channel), self.engagement.cell(journey, channel)
        if belief is None or self.tau.journeys[journey].rows == 0:
            return None
        slope = self.slopes.get(journey, self.slope)
        if propensity is None or mean is None or mean.mean <= 0 or slope.used <= 0:
            return Estimate(belief.mean, belief.sd, f"effects {self.version}", 1)
        beyond = within(propensity / mean.mean) - 1
        factor = 1 + slope.used * beyond
        sd = sqrt((belief.sd * factor) ** 2 + (belief.mean * beyond * slope.sd) ** 2)
        return Estimate(belief.mean * factor, sd, f"effects {self.version}", 2)


def within(ratio: float) -> float:
    """A propensity ratio inside INDIVIDUAL_RANGE."""
    return min(max(ratio, INDIVIDUAL_RANGE[0]), INDIVIDUAL_RANGE[1])


def shrink_slope(raw: float, sd: float) -> Slope:
    """Shrunk toward 0, no individual difference, as cells toward their journey, and kept within 0 and 1.

    One slope is all there is, so the method of moments takes its variance about 0 from itself, slope^2 - sd^2, not below 0: the
    positive-part rule slope * max(0, 1 - sd^2 / slope^2) (Efron & Morris 1973). It is 0 until the slope exceeds its error.
    """
    shrunk = raw - sd * (sd / raw) if raw > 0 else 0.0
    return Slope(min(max(shrunk, 0.0), 1.0), raw, sd)


def shrink(samples: Mapping[str, Sample], prior: Prior) -> tuple[dict[str, Belief], Belief]:
    """One level: every sample toward their common mean, which is itself shrunk toward the prior."""
    sigma2 = spread([sample for sample in samples.values() if sample.rows], prior.floor)
    parent = _combine(_pooled(list(samples.values()), sigma2), Belief(prior.mean, 0.0, 0), prior.sd**2)
    return {name: _combine(sample, parent, sigma2) for name, sample in samples.items()}, parent


def hierarchy(samples: Mapping[str, Sample], prior: Prior, shared: float = 0.0) -> Beliefs:
    """Two levels: cells, keyed `journey/channel`, toward their journey, journeys toward all, all toward the prior.

    `shared` is the variance of an error that all samples have in common, beside their own `variance`: that of a control group with
    which every cell is compared. No number of cells averages it away.
    """
    moved, left = _without_shared(samples, prior, shared)
    believed = _hierarchy(moved, prior)
    if left == 0.0:
        return believed
    cells = {
        name: replace(_less_sure(one, left), raw=samples[name].mean if samples[name].rows else None)
        for name, one in believed.cells.items()
    }
    journeys = {name: _less_sure(one, left) for name, one in believed.journeys.items()}
    return Beliefs(cells, journeys, _less_sure(believed.overall, left), believed.spread)


def _without_shared(samples: Mapping[str, Sample], prior: Prior, shared: float) -> tuple[Mapping[str, Sample], float]:
    """The samples less what the prior says of their common error, and the variance of what is left of it.

    Of the distance of their common mean from the prior's, the share shared / (shared + all other variance) is error.
    """
    _, _, journeys = _pooled_journeys(samples, prior)
    known = [one for one in journeys.values() if one.rows]
    if shared <= 0.0 or not known:
        return samples, 0.0
    common = _pooled(known, spread(known, prior.floor))
    other = prior.sd**2 + common.variance
    share = shared / (shared + other)
    error = share * (common.mean - prior.mean)
    return {
        name: replace(one, mean=one.mean - error) if one.rows else one for name, one in samples.items()
    }, share * other


def _pooled_journeys(
    samples: Mapping[str, Sample], prior: Prior
) -> tuple[dict[str, dict[str, Sample]], float, dict[str, Sample]]:
    """The cells of every journey, their sigma^2, and each journey's common mean."""
    members: dict[str, dict[str, Sample]] = {}
    for name, sample in samples.items():
        members.setdefault(name.split("/")[0], {})[name] = sample
    between = _spread_within([[s for s in group.values() if s.rows] for group in members.values()], prior.floor)
    return members, between, {journey: _pooled(list(group.values()), between) for journey, group in members.items()}


def _less_sure(belief: Belief, variance: float) -> Belief:
    return replace(belief, sd=sqrt(belief.sd**2 + variance))


def _hierarchy(samples: Mapping[str, Sample], prior: Prior) -> Beliefs:
    members, between, pooled = _pooled_journeys(samples, prior)
    journeys, overall = shrink(pooled, prior)
    cells = {
        name: _combine(s, journeys[journey], between) for journey, group in members.items() for name, s in group.items()
    }
    return Beliefs(cells, journeys, overall, sqrt(between))


def spread(samples: list[Sample], floor: float) -> float:
    """sigma^2 between samples (DerSimonian-Laird), at least floor^2."""
    return max(_excess(samples)[0], floor**2) if len(samples) > 1 else floor**2


def _spread_within(groups: list[list[Sample]], floor: float) -> float:
    """One sigma^2 for the cells of every journey: the groups' excesses added up before they are divided."""
    parts = [_excess(group) for group in groups if len(group) > 1]
    scale = sum(part[2] for part in parts)
    return max(sum(part[1] for part in parts) / scale, floor**2) if scale > 0 else floor**2


def _excess(samples: list[Sample]) -> tuple[float, float, float]:
    """Q - (k - 1) over its scale, and both: Q is the weighted sum of squares about the weighted mean."""
    means = np.array([sample.mean for sample in samples])
    weights = 1 / np.maximum([sample.variance for sample in samples], TINY)
    center = (weights * means).sum() / weights.sum()
    excess = float((weights * (means - center) ** 2).sum() - (len(samples) - 1))
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return (excess / scale if scale > 0 else 0.0), excess, scale


def _pooled(samples: list[Sample], sigma2: float) -> Sample:
    """Their common mean, weighted by precision including the spread between them."""
    known = [sample for sample in samples if sample.rows]
    if not known:
        return Sample()
    weights = np.array([1 / (sample.variance + sigma2) for sample in known])
    mean = float((weights * [sample.mean for sample in known]).sum() / weights.sum())
    return Sample(mean, float(1 / weights.sum()), sum(sample.rows for sample in known))


def _combine(sample: Sample, parent: Belief, sigma2: float) -> Belief:
    """A sample shrunk toward its parent; the parent's own doubt counts by the share that comes from it."""
    if sample.rows == 0:
        return Belief(parent.mean, sqrt(sigma2 + parent.sd**2), 0)
    share = sample.variance / (sample.variance + sigma2)
    mean = share * parent.mean + (1 - share) * sample.mean
    variance = share * sigma2 + share**2 * parent.sd**2
    return Belief(mean, sqrt(variance), sample.rows, sample.mean)
