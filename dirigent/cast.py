"""The demo's cast: which households to show. Asked in dry run, so that looking for them changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dirigent.client import Client
from features.home import Home, Progress
from features.tables.store import open_tables

Answer = dict[str, Any]
POOL = 240


@dataclass(frozen=True, slots=True)
class Role:
    """One household to show: its id and why it is in the table."""

    customer: str
    story: str


def _acts(*journeys: str) -> Callable[[Answer], bool]:
    return lambda answer: answer["outcome"] == "act" and answer["action"]["journey"] in journeys


STORIES: tuple[tuple[str, Callable[[Answer], bool]], ...] = (
    ("lapsing", lambda a: _acts("churn_recovery", "win_back")(a) and len(a["plan"]) > 1),
    ("lapsing", _acts("churn_recovery", "win_back")),
    ("near the next tier", _acts("tier_upgrade")),
    ("has a reward to redeem", _acts("earn_to_redeem")),
    ("points about to lapse", _acts("reward_expiry")),
    ("left a cart", _acts("cart_recovery")),
    ("just bought", _acts("post_purchase")),
    ("new", _acts("welcome")),
    ("silence wins", lambda a: a["outcome"] == "silence" and a["arm"] == "exploit" and bool(a["alternatives"])),
    ("held out for measurement", lambda a: a["arm"] == "holdout"),
)


def find_cast(home: Home, client: Client, progress: Progress) -> list[Role]:
    """At least eight households: one per story found in a fixed sample, and one without any consent."""
    cast = [Role(_without_consent(home), "no consent at all")]
    taken: set[str] = {cast[0].customer}
    stories = dict.fromkeys(story for story, _fits in STORIES)
    for number, customer in enumerate(_pool(home)):
        if number % 40 == 0:
            progress(f"looking for households to show ({number} of {POOL} asked in dry run)")
        answer = client.decide(f"cast-{customer}", customer, mode="dry_run")
        for story, fits in STORIES:
            if story in stories and customer not in taken and fits(answer):
                del stories[story]
                taken.add(customer)
                cast.append(Role(customer, story))
    return cast


def _pool(home: Home) -> list[str]:
    """A fixed sample: half of it by hash, half of it households that came seldom lately or hold an open cart."""
    rows = (
        open_tables(home)
        .execute(f"""
        WITH last AS (
            SELECT customer_id, max(occurred_at) FILTER (type = 'purchase') AS bought, max(occurred_at) FILTER (type = 'cart_add') AS filled
            FROM events GROUP BY customer_id
        ), consenting AS (SELECT DISTINCT customer_id FROM consents WHERE state = 'granted')
        (SELECT customer_id FROM last SEMI JOIN consenting USING (customer_id) ORDER BY hash(customer_id) LIMIT {POOL // 2})
        UNION ALL
        (SELECT customer_id FROM last SEMI JOIN consenting USING (customer_id) WHERE filled > bought
         ORDER BY filled DESC, customer_id LIMIT {POOL // 4})
        UNION ALL
        (SELECT customer_id FROM last SEMI JOIN consenting USING (customer_id)
         WHERE bought BETWEEN (SELECT max(bought) FROM last) - INTERVAL 50 DAY AND (SELECT max(bought) FROM last) - INTERVAL 15 DAY
         ORDER BY hash(customer_id) LIMIT {POOL // 4})""")
        .fetchall()
    )
    return list(dict.fromkeys(row[0] for row in rows))


def _without_consent(home: Home) -> str:
    row = (
        open_tables(home)
        .execute("""
        SELECT customer_id FROM customers ANTI JOIN (SELECT DISTINCT customer_id FROM consents WHERE state = 'granted') USING (customer_id)
        ORDER BY hash(customer_id) LIMIT 1""")
        .fetchall()[0]
    )
    return str(row[0])
