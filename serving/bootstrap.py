"""The composition root: the one place where settings become the parts of a running service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arbitration.codec import canonical_json
from arbitration.errors import FeatureStoreError, LedgerError, StateError
from arbitration.policy import Policy
from features.home import Home
from features.registry import VIEWS
from features.tables.store import open_tables
from serving.auth import Keys, secret
from serving.changes import admit
from serving.clock import Clock
from serving.forgetting import finish_in_background, reconcile
from serving.in_flight import InFlight
from serving.ledger.history import load_history
from serving.ledger.store import Ledger
from serving.logs import configure, log
from serving.metrics import Metrics
from serving.opening import open_ledger
from serving.settings import Settings
from serving.shop_time import check_time

if TYPE_CHECKING:
    from features.store import FeatureStore
    from training.bundle import Bundle

_PROBES = 20


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a request needs.

    `policy_bytes` is the policy as the ledger keeps it. `simulated`: the shop's tables, from which features and models come, hold simulated rows. `features_version` is the
    digest of the feature definitions.
    """

    settings: Settings
    policy: Policy
    bundle: Bundle
    features: FeatureStore
    ledger: Ledger
    clock: Clock
    salt: bytes
    keys: Keys
    metrics: Metrics
    simulated: bool
    features_version: str
    policy_bytes: bytes
    in_flight: InFlight

    def close(self) -> None:
        """Give connections back."""
        self.ledger.close()


def build(settings: Settings) -> Runtime:
    """Load and check every part, cheapest first. Raises a `DirigentError` that names what is missing and how to mend it."""
    from catalog.loading import load_catalog
    from features.store import FeatureStore
    from training import bundle

    configure(settings.log_level)
    home, clock = settings.paths, Clock(settings.as_of, settings.as_of_began)
    policy = load_catalog(settings.catalog)
    models = bundle.load(home)
    ledger = open_ledger(settings, clock)
    reconcile(ledger, home)
    load_history(ledger, home, clock.now(), policy)
    with ledger.reading() as reading:
        salt = secret(home, "salt", expected=reading.holds_decisions())
    check_time(ledger)
    features = FeatureStore(home)
    _check_features(features, ledger)
    admit(ledger, policy, models.digest, settings.approvals)
    runtime = Runtime(
        settings, policy, models, features, ledger, clock, salt, Keys(home), Metrics(),
        _simulated(home), features_version(), canonical_json(policy), InFlight(),
    )  # fmt: skip
    finish_in_background(ledger, home)
    log.info("built", policy=policy.version, bundle=models.digest, as_of=str(settings.as_of or ""))
    return runtime


def readiness(runtime: Runtime) -> list[str]:
    """What is missing for decisions; empty means ready. Models are verified before a runtime exists, so they are not asked."""
    missing = [] if runtime.features.ready() else ["feature store"]
    try:
        with runtime.ledger.reading() as reading:
            reading.profile("readiness")
    except LedgerError:
        missing.append("ledger")
    try:
        runtime.keys.check()
    except (StateError, OSError):  # without it nobody can be let in
        missing.append("API keys (keys/api_keys.json)")
    return missing


def _simulated(home: Home) -> bool:
    with open_tables(home, without=()) as tables:
        found = tables.execute(
            "SELECT bool_or(simulated) FROM (SELECT simulated FROM contacts UNION ALL SELECT simulated FROM events)"
        )
        return bool(found.fetchall()[0][0])


def features_version() -> str:
    """Digest of every feature's name, type and SQL: changes when a feature means something else."""
    known = [
        [view.name, view.base, feature.name, feature.dtype, feature.sql]
        for view in VIEWS.values()
        for feature in view.features
    ]
    return "sha256:" + hashlib.sha256(canonical_json(known)).hexdigest()[:16]


def _check_features(features: FeatureStore, ledger: Ledger) -> None:
    """A store that knows none of twenty customers was never loaded; serving priors for all would look like working."""
    with ledger.reading() as reading:
        names = reading.customers(_PROBES)
    if not any(features.online(name, []).known for name in names):
        raise FeatureStoreError("the online store is empty", where="feature store", mend="run: dirigent features")
