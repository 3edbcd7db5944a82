"""Money: the value of a customer's next basket, and the spend of the next 56 days, from which a year's is reckoned.

Rows are weekly cut-offs of everybody who bought in the 182 days before; the label window is the 56 days after. The test is the
last weekly moment whose window lies inside the data; 4 weeks choose and calibrate, 10 weeks train, label windows apart. A model
speaks only where it beats the simple reference (`training.amounts`): the mean basket of 182 days, and the spend of 182 days.
"""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from features.home import Home
from features.snapshots import ANCHOR
from features.tables.store import open_tables
from training.amounts import compete
from training.churn import FEATURES, VALIDATION_WEEKS, WEEK, split_at
from training.churn import NAME as SERVICE
from training.contest import Contest
from training.dataset import Split, dataset, historical
from training.fitting import Recipe
from training.labels import BUYER_DAYS, SPEND_DAYS, last_known, spend_labels
from training.shortage import TooLittle

BASKET, SPEND = "next_basket", "spend"
WINDOW = timedelta(days=SPEND_DAYS)
TRAIN_WEEKS = 10
RECENT_DAYS = 28.0
BASKET_RECIPE = Recipe(
    leaves=7, learning_rate=0.03, trees=200, min_rows=100, monotone={"basket_value_182d": 1}, link="log"
)
SPEND_RECIPE = Recipe(
    leaves=7, learning_rate=0.03, trees=200, min_rows=100, link="log",
    monotone={"money_28d": 1, "money_91d": 1, "money_182d": 1, "recency_days": -1},
)  # fmt: skip
BASKET_NOTE = "Of those who buy in the 56 days; how likely that is, other models say."
SPEND_NOTE = (
    "A year is reckoned as 365/56 times this: season, growth and loss of customers beyond 56 days are not in it."
)


def train_basket(rows: pd.DataFrame) -> Contest:
    """The next basket, from `labeled` rows, of those who bought."""
    own = ("basket_value_182d", "frequency_182d")
    return compete(BASKET, split(rows, BASKET), BASKET_RECIPE, own_mean=own, scale=1.0, notes=(BASKET_NOTE,))


def train_spend(rows: pd.DataFrame) -> Contest:
    """The spend of 56 days, from `labeled` rows, 0 of those who did not buy."""
    scale = SPEND_DAYS / BUYER_DAYS
    return compete(SPEND, split(rows, SPEND), SPEND_RECIPE, own_mean=("money_182d",), scale=scale, notes=(SPEND_NOTE,))


def split(rows: pd.DataFrame, label: str) -> Split:
    """Train, validation and test of one label."""
    last = rows["event_timestamp"].max().to_pydatetime()
    return split_at(dataset(rows[rows[label].notna()], FEATURES, label, group="group"), last, WINDOW, TRAIN_WEEKS)


def labeled(home: Home) -> pd.DataFrame:
    """Labels joined to features. Raises TooLittle when there is too little history. `group` says whether the last purchase is at most 28 days ago."""
    with open_tables(home) as connection:
        last = last_known(connection, WINDOW)
        if last is None:
            raise TooLittle(
                "there are no purchases to learn from",
                mend="Import events of type purchase; see features/tables/contract.py.",
            )
        examined = ANCHOR + WEEK * ((last - ANCHOR) // WEEK)
        weeks = TRAIN_WEEKS + VALIDATION_WEEKS + 2 * (WINDOW // WEEK)
        rows = historical(home, SERVICE, spend_labels(connection, [examined - WEEK * week for week in range(weeks)]))
    recent = rows["recency_days"] <= RECENT_DAYS
    return rows.assign(group=recent.map({True: "bought in 28 days", False: "bought before"}))
