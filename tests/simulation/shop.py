"""The parts of one simulated service process: the real ledger and the real runtime, over features and models of a few lines."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event, insert

from arbitration.codec import canonical_json
from arbitration.policy import Policy
from features.store import OnlineFeatures
from serving.bootstrap import Runtime
from serving.clock import Clock
from serving.in_flight import InFlight
from serving.ledger import schema
from serving.ledger.keyring import Keyring
from serving.ledger.reading import Reading
from serving.ledger.schema import to_micros
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.metrics import Metrics
from serving.settings import Settings
from tests.simulation.catalog import CHANNELS
from training.bundle import Bundle

Step = Callable[[str], None]
SALT = b"s" * 32


class Features:
    """Features of customers in a dictionary, with the interface of the feature store's live side."""

    def __init__(self, values: Mapping[str, Mapping[str, float]], written: datetime) -> None:
        self._values, self._written = values, written

    def online(self, customer_id: str, _: Iterable[str]) -> OnlineFeatures:
        """What is known of the customer; a view that is too old is left out by the real age gate."""
        return OnlineFeatures(self._values.get(customer_id, {}), {"context": self._written})


EMPTY = Bundle(
    "simulated", churn_risk=None, next_basket=None, spend=None, channel_propensity=None, base_purchase=None, send_time=None,
    opt_out=None, effects=None, attention=None, metrics={}, data_window={}, created_at="", inputs="",
)  # fmt: skip
"""The bundle of a shop that had too little to learn from: the catalog's priors speak."""


class SteppedLedger(Ledger):
    """The real ledger, which tells `step` wherever another process could come in between: around every read and transaction, and
    before every statement outside of a transaction. `step` may raise: then the process died there.
    """

    def __init__(self, named: Path | str, keyring: Keyring, clock: Clock, step: Step) -> None:
        self.step = step
        super().__init__(named, keyring, clock)
        event.listen(self.engine, "connect", _fast)
        event.listen(self.engine, "before_cursor_execute", self._statement)
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """As the ledger's own, with steps."""
        self.step("read")
        with super().reading() as found:
            yield found

    @contextmanager
    def writing(self, customer_id: str | None = None, after: Reading | None = None) -> Iterator[Transaction]:
        """As the ledger's own, with a step before the lock is asked for and one after the commit."""
        self.step("lock")
        with super().writing(customer_id, after) as found:
            yield found
        self.step("committed")

    def _statement(self, connection: Any, _: Any, statement: str, *__: Any) -> None:
        driver: sqlite3.Connection = connection.connection.dbapi_connection
        if not driver.in_transaction and not statement.startswith("BEGIN"):
            self.step("statement")


def _fast(connection: sqlite3.Connection, _: object) -> None:
    # Simulated processes die between steps, the machine does not: what was committed need not reach a disk.
    for pragma in ("synchronous=OFF", "secure_delete=OFF", "wal_autocheckpoint=20000", "cache_size=-64000"):
        connection.execute(f"PRAGMA {pragma}")


def process(home: Path, policy: Policy, features: Features, ledger: Ledger) -> Runtime:
    """The runtime of one service process over a ledger."""
    return Runtime(
        settings=Settings(home=home), policy=policy, bundle=EMPTY, features=features,  # type: ignore[arg-type]
        ledger=ledger, clock=ledger.clock, salt=SALT, keys=SimpleNamespace(), metrics=Metrics(),  # type: ignore[arg-type]
        simulated=True, features_version="simulated", policy_bytes=canonical_json(policy), in_flight=InFlight(),
    )  # fmt: skip


def fill(
    ledger: Ledger, zones: Mapping[str, str], begin: datetime, contacted: Iterable[tuple[str, str, timedelta]]
) -> None:
    """The shop's own rows: customers with their zones, consents for the channels that need one, and contacts before `begin`."""
    with ledger.engine.begin() as connection:
        connection.execute(insert(schema.shop_customers), [
            {"customer_id": name, "time_zone": zone, "locale": "de"} for name, zone in zones.items()
        ])  # fmt: skip
        connection.execute(insert(schema.shop_consents), [
            {"customer_id": name, "channel": channel, "purpose": purpose, "state": "granted", "legal_basis": basis,
             "evidence_id": f"v-{channel}", "valid_from": to_micros(begin - timedelta(days=100))}
            for name in zones for channel in CHANNELS if channel != "in_app"
            for purpose, basis in (("marketing", "consent"), ("service", "contract"))
        ])  # fmt: skip
        rows = [
            {"customer_id": name, "journey": "welcome", "channel": channel, "purpose": "marketing",
             "sent_at": to_micros(begin - before), "engaged": False} for name, channel, before in contacted
        ]  # fmt: skip
        if rows:
            connection.execute(insert(schema.shop_contacts), rows)
        connection.commit()
