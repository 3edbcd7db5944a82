"""A negative control: SIMULATED e-mails whose time of sending has no effect. Does `send_time` say so, and does it see a true effect?

    python -m benchmarks.quality.send_time_control [--repetitions 40] [--contacts 30000]

Every repetition draws customers with hours of their own, sends e-mails at random slots over 150 days, lets each be clicked with the
simulator's log-odds (`training/simulator/truth.py`), and trains `send_time` like `dirigent train` does. With weight 0 the hour changes nothing;
with the simulator's weight customers click more at the hours at which they shop. Their activity is some forty events each. Counted is how
often the card says "gain shown".
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import sys
import time

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import binom

from training.send_time import Outcome, train
from training.simulator import truth
from training.slots import BLOCKS, INPUTS, SLOTS

CUSTOMERS, DAYS = 3_000, 150
FIRST = pd.Timestamp("2017-03-06", tz="UTC")  # a Monday
FALSE_ALARMS = 0.025
"""Of intervals of 95 %, this share lies above 0 by chance."""


def emails(seed: int, contacts: int, weight: float) -> pd.DataFrame:
    """One simulated log of e-mails with the customers' activity beside it; `weight` of the hour on the log-odds of a click."""
    rng = np.random.default_rng(seed)
    blocks, weekdays = rng.dirichlet(np.full(BLOCKS, 2.0), CUSTOMERS), rng.dirichlet(np.full(7, 5.0), CUSTOMERS)
    appeal, who = rng.normal(0, truth.CUSTOMER_SD, CUSTOMERS), rng.integers(0, CUSTOMERS, contacts)
    day, block = rng.integers(0, DAYS, contacts), rng.integers(truth.FIRST_HOUR, truth.LAST_HOUR + 1, contacts) // 4
    log_odds = truth.CLICK_INTERCEPT + truth.CHANNEL_CLICK["email"] + appeal[who]
    log_odds += weight * np.log((blocks[who, block] + 0.05) / 0.2)
    count = 1 + rng.poisson(40, CUSTOMERS)
    seen = [rng.multinomial(count, shares) / count[:, None] for shares in (blocks, weekdays)]
    activity = np.column_stack([*seen, count])[who]
    return pd.DataFrame(activity, columns=list(INPUTS)).assign(
        slot=(day % 7 * BLOCKS + block) % SLOTS,
        customer_id=np.char.add("c", who.astype(str)),
        event_timestamp=FIRST + pd.to_timedelta(day * 24 + block * 4, unit="h"),
        arm="random",
        engaged=rng.random(contacts) < expit(log_odds),
    )


def served(outcome: Outcome) -> int:
    """Which of the models would be served."""
    return outcome.contest.trials.index(outcome.contest.best)


def main() -> None:
    """Print both worlds; exit code 1 when a gain is reported without effect more often than chance allows, or with one no more often."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repetitions", type=int, default=40)
    options.add_argument("--contacts", type=int, default=30_000)
    options.add_argument("--first", type=int, default=1, help="the first seed")
    given = options.parse_args()
    print(
        f"{given.repetitions} repetitions, {given.contacts:,} SIMULATED e-mails to {CUSTOMERS:,} customers each, seeds from {given.first}"
    )
    print(
        f"{'weight of the hour':<24}{'gain shown':>12}{'weight of the individual model':>34}{'mean gain':>12}{'seconds':>10}"
    )
    alarms = seen = 0
    for weight in (0.0, truth.TIMING_WEIGHT):
        began = time.perf_counter()
        found = [
            train(emails(seed, given.contacts, weight)) for seed in range(given.first, given.first + given.repetitions)
        ]
        gains = [one.gains[served(one)] for one in found]
        own, shown = np.mean([one.models[served(one)].weight for one in found]), sum(gain.shown for gain in gains)
        alarms, seen = (alarms, shown) if weight else (shown, seen)
        mean = np.mean([gain.mean for gain in gains])
        print(
            f"{weight:<24g}{f'{shown}/{given.repetitions}':>12}{own:>34.2f}{mean:>12.2g}{time.perf_counter() - began:>10.0f}",
            flush=True,
        )
    most = int(binom.ppf(0.99, given.repetitions, FALSE_ALARMS))
    held = alarms <= most < seen
    print(
        f"without effect a gain may be shown {most} times by chance, with one more often: {'holds' if held else 'DOES NOT HOLD'}"
    )
    sys.exit(not held)


if __name__ == "__main__":
    main()
