"""A shop for races on the ledger's own interface: few customers, three caps, and a clock on which hours pass within seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from arbitration.domain import Candidate, SendWindow, Treatment
from arbitration.policy import BusinessName, Cap, ContactPolicy, Policy
from catalog.loading import EXAMPLE, load_catalog
from serving.clock import Clock
from serving.ledger import schema
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger

START = datetime(2018, 3, 9, 20, 0, tzinfo=UTC)
"""Two days before America's clocks change and two weeks before Europe's, so that a race passes days of 23 hours."""
ZONES = ("America/New_York", "Australia/Sydney", "Europe/Berlin", "Asia/Kathmandu")
CHANNELS = ("push", "email", "sms", "in_app")
CAPS = (
    Cap("one_a_day", BusinessName("one a day", "eine am Tag"), 1, calendar="day"),
    Cap("three_a_week", BusinessName("three a week", "drei in der Woche"), 3, window_hours=168),
    Cap("push_every_four_hours", BusinessName("push", "Push"), 1, window_hours=4, channels=("push",)),
)
_OPEN = {"eligible": "True", "applicable": "True", "suitable": "True", "cooldown_hours": 0, "exclusive_group": None}


@dataclass(frozen=True, slots=True)
class Pace:
    """When a race began, by the machine's two clocks, and how many seconds of the shop pass in one of them."""

    wall: float
    monotonic: float
    speed: float

    @classmethod
    def from_now(cls, speed: float) -> Pace:
        """A pace that begins now."""
        return cls(time.time(), time.monotonic(), speed)

    def hours(self) -> float:
        """How many hours of the shop have passed."""
        return (time.monotonic() - self.monotonic) * self.speed / 3600


class FastClock(Clock):
    """The shop's clock at a pace that all processes share. It moves by its growing `shift`, which counts in PostgreSQL as well, where
    the database's own clock decides.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        super().__init__(START, pace.wall)
        self.declared = False  # a clock that runs behind the ledger must be found

    @property
    def shift(self) -> timedelta:
        """How far the shop's clock is from real time, by now."""
        return self._first + timedelta(seconds=(time.monotonic() - self._pace.monotonic) * (self._pace.speed - 1))

    @shift.setter
    def shift(self, first: timedelta) -> None:
        self._first = first


def hot_policy() -> Policy:
    """Two marketing journeys and one of service, whose rules always hold, under the three caps alone."""
    found = load_catalog(EXAMPLE)
    names = {"welcome": "marketing", "churn_recovery": "marketing", "open_case": "service"}
    journeys = {name: replace(found.journeys[name], purpose=purpose, **_OPEN) for name, purpose in names.items()}
    journeys = {name: replace(one, needs_trigger=False) for name, one in journeys.items()}
    channels = {name: replace(found.channels[name], held="False", available="True") for name in CHANNELS}
    caps = ContactPolicy(CAPS, quiet_from=0, quiet_to=0)
    return replace(found, journeys=journeys, channels=channels, contact_policy=caps, resources={})


def candidate(journey: str, channel: str, opens_at: datetime, length: timedelta) -> Candidate:
    """A contact that could be chosen."""
    return Candidate(Treatment(journey, channel, "standard"), SendWindow(opens_at, opens_at + length, 0))


def customers(count: int) -> dict[str, str]:
    """Names of customers with their time zones."""
    return {f"hot-{number}": ZONES[number % len(ZONES)] for number in range(count)}


def fill(named: object, keyring: Keyring, zones: dict[str, str]) -> None:
    """Make a ledger in which every customer has a time zone and proven consents for messages."""
    ledger = Ledger(named, keyring, Clock(START))  # type: ignore[arg-type]
    try:
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            people = [{"customer_id": name, "time_zone": zone} for name, zone in zones.items()]
            connection.execute(insert(schema.shop_customers), people)
            connection.execute(insert(schema.shop_consents), [
                {"customer_id": name, "channel": channel, "purpose": "marketing", "state": "granted", "legal_basis": "consent",
                 "evidence_id": "proof", "valid_from": schema.to_micros(START - timedelta(days=99))}
                for name in zones for channel in ("push", "email", "sms")
            ])  # fmt: skip
            connection.exec_driver_sql("COMMIT")
    finally:
        ledger.close()
