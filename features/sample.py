"""Whose past is learned from: every customer of a shop with up to MOST_CUSTOMERS, and a fixed random part of a larger one.

Models gain little from more customers than these, and features at every week of everybody's past would take days where a shop has
millions. The part is drawn by the digest of the customer's id, so that snapshots and labels agree without asking each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil

from features.schema import View

MOST_CUSTOMERS = 30_000
PART = 100_000
"""Customers whose features of today are computed in one go: more would not fit into memory."""
SAMPLED = f"(md5_number(customer_id) % 1000000 * (SELECT count(*) FROM customers) < {MOST_CUSTOMERS * 1_000_000})"
"""SQL condition on a row's `customer_id`: the customer is one of those who are learned from."""


def spines(view: View, moments: list[datetime], channels: list[str], customers: int) -> Iterator[str]:
    """SQL of the rows to compute, one after the other: the sample at every moment but the last, at which everybody is."""
    from features.compute import spine_of  # brings pandas, which whoever only reads labels' windows must not wait for

    if customers <= MOST_CUSTOMERS:
        yield spine_of(view, moments, channels)
        return
    if moments[:-1]:
        yield spine_of(view, moments[:-1], channels, f"(SELECT * FROM customers WHERE {SAMPLED})")
    parts = ceil(customers / PART)
    for part in range(parts):
        of_part = f"(SELECT * FROM customers WHERE md5_number(customer_id) % {parts} = {part})"
        yield spine_of(view, moments[-1:], channels, of_part)
