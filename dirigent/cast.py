"""The demo's cast: which households to show. Asked in dry run, so that looking for them changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirigent.client import Client
from features.home import Home, Progress
from features.tables.store import open_tables

Answer = dict[str, Any]
POOL = 600


@dataclass(frozen=True, slots=True)
class Role:
    """One household to show: its id and why it is in the table."""

    customer: str
    story: str


def _acts(*journeys: str) -> Callable[[Answer], bool]:
    return lambda answer: answer["outcome"] == "act" and answer["action"]["journey"] in journeys


STORIES: tuple[tuple[str, Callable[[Answer], bool]], ...] = (
    ("has a fallback plan", lambda a: len(a["plan"]) > 1),
    ("lapsing", _acts("churn_recovery", "win_back")),
    ("near the next tier", _acts("tier_upgrade", "near_next_tier")),
    ("has a reward to redeem", _acts("earn_to_redeem")),
    ("points about to lapse", _acts("reward_expiry")),
    ("left a cart", _acts("cart_recovery")),
    ("just bought", _acts("post_purchase")),
    ("new", _acts("welcome")),
    ("has an open support case", _acts("open_case")),
    ("silence wins", lambda a: a["outcome"] == "silence" and a["arm"] == "exploit" and bool(a["alternatives"])),
    ("held out for measurement", lambda a: a["arm"] == "holdout"),
)


def find_cast(home: Home, client: Client, progress: Progress) -> list[Role]:
    """One household per story that the sample shows, and one without any consent."""
    cast = [Role(_without_consent(home), "no consent at all")]
    stories = dict(STORIES)
    for number, customer in enumerate(_pool(home)):
        if not stories:
            break
        if number % 150 == 0:
            progress(f"looking for households to show ({number} asked in dry run)")
        answer = client.decide(f"cast-{customer}", customer, mode="dry_run")
        story = next((name for name, fits in stories.items() if fits(answer)), None)
        if story is not None:
            del stories[story]
            cast.append(Role(customer, story))
    return cast


def _pool(home: Home) -> list[str]:
    """A fixed sample of households with a consent, taken in turn from all, from those with an open cart, and from the lapsing."""
    rows = (
        open_tables(home)
        .execute(f"""
        WITH last AS (
            SELECT customer_id, max(occurred_at) FILTER (type = 'purchase') AS bought, max(occurred_at) FILTER (type = 'cart_add') AS filled
            FROM events SEMI JOIN (SELECT customer_id FROM consents WHERE state = 'granted') USING (customer_id) GROUP BY customer_id
        ), grouped AS (
            SELECT customer_id, CASE WHEN filled > bought THEN 'cart'
                WHEN bought < (SELECT max(bought) FROM last) - INTERVAL 15 DAY THEN 'lapsing' ELSE 'other' END AS kind
            FROM last
        )
        SELECT customer_id FROM grouped
        ORDER BY row_number() OVER (PARTITION BY kind ORDER BY hash(customer_id)), kind LIMIT {POOL}""")
        .fetchall()
    )
    return [row[0] for row in rows]


def _without_consent(home: Home) -> str:
    row = (
        open_tables(home)
        .execute("""
        SELECT customer_id FROM customers ANTI JOIN (SELECT DISTINCT customer_id FROM consents WHERE state = 'granted') USING (customer_id)
        ORDER BY hash(customer_id) LIMIT 1""")
        .fetchall()[0]
    )
    return str(row[0])
