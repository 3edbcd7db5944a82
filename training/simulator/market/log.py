"""What the simulated shop records: features, candidate, probability and the reward within the horizon, which comes late."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers


@dataclass
class Entry:
    """One logged week over n customers; `reward` (n,) is the margin of this week and the next two, less the cost of the contact;

    `purchases` (n,) is how many of these weeks had a purchase; `arrived` and `clicked` (n,) whether the contact was.
    """

    week: int
    features: Floats
    candidate: Integers
    probability: Floats
    randomized: Booleans
    reward: Floats
    purchases: Integers
    arrived: Booleans
    clicked: Booleans


@dataclass(frozen=True)
class Rows:
    """Logged rows r of all customers: `customer` (r,), `week` (r,), `features` (r, FEATURES), and the entries' columns, each (r,)."""

    customer: Integers
    week: Integers
    features: Floats
    candidate: Integers
    probability: Floats
    randomized: Booleans
    reward: Floats
    purchases: Integers
    arrived: Booleans
    clicked: Booleans

    def where(self, mask: Booleans) -> Rows:
        """The rows where `mask` (r,) holds."""
        return Rows(**{one.name: getattr(self, one.name)[mask] for one in fields(self)})

    def known(self) -> Rows:
        """The rows that dice decided, with a probability above 0."""
        return self.where(self.randomized & (self.probability > 0))

    def frame(self, names: tuple[str, ...]) -> pd.DataFrame:
        """The rows as a table with the candidates' names, flagged as simulated."""
        table = pd.DataFrame(self.features, columns=list(names))
        return table.assign(
            customer=self.customer,
            week=self.week,
            candidate=np.array(law.NAMES)[self.candidate],
            probability=self.probability,
            randomized=self.randomized,
            reward=self.reward,
            purchases=self.purchases,
            simulated=True,
        )


@dataclass
class Log:
    """Entries by week; the last `HORIZON` are still waiting for their reward."""

    entries: list[Entry] = field(default_factory=list)

    def record(self, entry: Entry) -> None:
        """Append a week whose reward so far is minus its cost."""
        self.entries.append(entry)

    def reward(self, week: int, margin: Floats) -> None:
        """Credit the margin (n,) of `week` to every entry whose horizon covers it."""
        for entry in self.entries[-law.HORIZON :]:
            if week - law.HORIZON < entry.week <= week:
                entry.reward += margin
                entry.purchases += margin > 0

    def rows(self, before: int, every: int = 1) -> Rows:
        """Rows whose reward is complete at the start of week `before`, of every `every`-th customer, another part each week."""
        done = [entry for entry in self.entries if entry.week + law.HORIZON <= before]
        parts = [np.arange(entry.week % every, len(entry.reward), every) for entry in done]
        return Rows(
            customer=np.concatenate([np.zeros(0, dtype=np.int64), *parts]),
            week=np.repeat([entry.week for entry in done], [len(part) for part in parts]).astype(np.int64),
            features=np.concatenate([entry.features[part] for entry, part in zip(done, parts, strict=True)]),
            candidate=np.concatenate([entry.candidate[part] for entry, part in zip(done, parts, strict=True)]),
            probability=np.concatenate([entry.probability[part] for entry, part in zip(done, parts, strict=True)]),
            randomized=np.concatenate([entry.randomized[part] for entry, part in zip(done, parts, strict=True)]),
            reward=np.concatenate([entry.reward[part] for entry, part in zip(done, parts, strict=True)]),
            purchases=np.concatenate([entry.purchases[part] for entry, part in zip(done, parts, strict=True)]),
            arrived=np.concatenate([entry.arrived[part] for entry, part in zip(done, parts, strict=True)]),
            clicked=np.concatenate([entry.clicked[part] for entry, part in zip(done, parts, strict=True)]),
        )

    def fork(self) -> Log:
        """A log that goes on from here without touching this one."""
        return Log([Entry(e.week, e.features, e.candidate, e.probability, e.randomized, e.reward.copy(), e.purchases.copy(), e.arrived, e.clicked) for e in self.entries])  # fmt: skip
