"""The feature store: the only file that knows Feast. Snapshots in, training sets and online values out."""

from __future__ import annotations

import io
import math
import os
import runpy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pandas as pd
from ruamel.yaml import YAML

from arbitration.domain import FeatureValue
from arbitration.errors import FeatureStoreError
from features.barred import barred
from features.files import exclusive
from features.home import Home
from features.online import Breaker, OnlineStoreAway, impatient
from features.online_rows import drop_from_redis, drop_from_sqlite
from features.registry import VIEWS
from features.tables.store import spill_privately

if TYPE_CHECKING:
    from feast import FeatureStore as Feast

REPOSITORY = Path(__file__).resolve().parent.parent / "feature_repo"
MEND = "Run `dirigent features` to build and load them."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """One customer's online values. `values` by flat name (channel features as `channel.name`), `written` by view (None: absent)."""

    values: Mapping[str, FeatureValue]
    written: Mapping[str, datetime | None]

    @property
    def known(self) -> bool:
        """Whether the store holds anything of this customer."""
        return any(moment is not None for moment in self.written.values())

    def fresh(self, now: datetime) -> tuple[dict[str, FeatureValue], tuple[str, ...]]:
        """Values young enough for their view's age gate, and the names of views that are absent or too old."""
        stale = tuple(
            name for name, moment in self.written.items()
            if moment is None or now - moment > timedelta(hours=VIEWS[name].max_age_hours)
        )  # fmt: skip
        gone = {feature.name for name in stale for feature in VIEWS[name].features}
        return {name: value for name, value in self.values.items() if name.split(".")[-1] not in gone}, stale


class FeatureStore:
    """Feast behind five verbs: apply, materialize, historical, online, ready. Raises FeatureStoreError with how to mend."""

    def __init__(self, home: Home) -> None:
        self._home = home
        os.environ["DIRIGENT_HOME"] = str(home.root)  # feature_repo reads it
        self._store: Feast | None = None
        self._reader: Feast | None = None
        self._breaker = Breaker()
        self._services: dict[str, Any] = {}

    @property
    def feast(self) -> Feast:
        """Feast's own object, for loading and for training; made on first use because importing Feast takes seconds."""
        self._store = self._store or _feast(_settings())
        return self._store

    @property
    def _online(self) -> Feast:
        """Feast as decisions read it: a Redis that does not answer at once is given up."""
        redis = os.environ.get("DIRIGENT_REDIS")
        if redis is None:
            return self.feast
        self._reader = self._reader or _feast(_settings(impatient(redis)))
        return self._reader

    def apply(self) -> None:
        """Register entities, views and services of `feature_repo/definitions.py`."""
        missing = [name for name in VIEWS if not (self._home.features / f"{name}.parquet").exists()]
        if missing:
            raise FeatureStoreError(f"no snapshots of view {missing[0]}", where=str(self._home.features), mend=MEND)
        self._home.feast.mkdir(parents=True, exist_ok=True)
        feast = self.feast  # the definitions import it as well
        found = runpy.run_path(str(REPOSITORY / "definitions.py"))
        feast.apply([*found["entities"].values(), *found["views"].values(), *found["services"]])

    def materialize(self, at: datetime) -> None:
        """Load into the online store each key's newest snapshot not after `at` and within its view's TTL."""
        feast = self.feast
        with exclusive(self._home, "tables"):
            for name, view in VIEWS.items():
                start = at - timedelta(days=view.ttl_days)
                with _quiet():
                    feast.materialize(start_date=start, end_date=at, feature_views=[name])
            self.drop(barred(self._home))

    def historical(self, service: str, rows: pd.DataFrame) -> pd.DataFrame:
        """Point-in-time features for `rows` (keys and `event_timestamp`), one column per feature of the service.

        A snapshot counts only if it was created by then; older than the view's TTL means null. Rows of the barred are left out.
        """
        feast = self.feast
        rows = rows[~rows["customer_id"].isin(barred(self._home))]
        with _quiet():
            job = feast.get_historical_features(
                entity_df=rows, features=feast.get_feature_service(service), filter_by_created_timestamp=True
            )
            frame: pd.DataFrame = job.to_df()
        return frame

    def online(self, customer_id: str, channels: Iterable[str]) -> OnlineFeatures:
        """What the online store holds of one customer, for the decision; no age gate yet (`OnlineFeatures.fresh`).

        Of the barred nothing is read: they are answered like somebody unknown. Raises OnlineStoreAway when it does not
        answer: after a fraction of a second, and then at once for two seconds.
        """
        if customer_id in barred(self._home):
            return OnlineFeatures({}, dict.fromkeys(VIEWS))
        values: dict[str, FeatureValue] = {}
        written: dict[str, datetime | None] = {}
        rows = self._read("decision_customer", [{"customer_id": customer_id}])
        for name in ("customer", "timing", "context", "category"):
            _collect(rows[0], name, "", values, written)
        names = sorted(channels)
        pairs = [{"customer_id": customer_id, "channel": channel} for channel in names]
        for channel, row in zip(names, self._read("decision_channel", pairs) if pairs else [], strict=True):
            _collect(row, "channel", f"{channel}.", values, written)
        return OnlineFeatures(values, written)

    def ready(self) -> bool:
        """Whether decisions can be made: registry and online store are there. A Redis that is away is no hindrance."""
        try:
            self.online("readiness", [])
        except OnlineStoreAway:
            return "DIRIGENT_REDIS" in os.environ  # were all processes taken out at once, nobody would decide anything
        except FeatureStoreError:
            return False
        return True

    def _read(self, service: str, rows: list[dict[str, Any]]) -> list[dict[str, tuple[Any, datetime | None]]]:
        if not (self._home.feast / "registry.db").exists():
            raise FeatureStoreError("the feature store is empty", where=str(self._home.feast), mend=MEND)
        if not self._breaker.allows():
            raise self._away("a moment ago", asked=False)
        try:
            response = self._online.get_online_features(features=self._service(service), entity_rows=rows)
        except Exception as error:  # Feast raises bare library errors of its backends
            self._breaker.failed()
            raise self._away(type(error).__name__, asked=True) from error
        self._breaker.answered()
        return _rows(response, len(rows))

    def _away(self, kind: str, *, asked: bool) -> OnlineStoreAway:
        if redis := os.environ.get("DIRIGENT_REDIS"):
            mend = f"Start Redis at {redis}, correct DIRIGENT_REDIS (host:port), or load it: `dirigent features`."
            return OnlineStoreAway(f"Redis cannot be read ({kind})", where="DIRIGENT_REDIS", mend=mend, asked=asked)
        return OnlineStoreAway(f"cannot be read ({kind})", where=str(self._home.feast), mend=MEND, asked=asked)

    def _service(self, name: str) -> Any:
        if name not in self._services:
            self._services[name] = self._online.get_feature_service(name)
        return self._services[name]

    def drop(self, customers: Iterable[str]) -> int:
        """Delete what the online store holds of these customers, in every view; returns how many keys that were.

        Raises FeatureStoreError when the store does not answer.
        """
        leaving = frozenset(customers)
        if not leaving or not (self._home.feast / "registry.db").exists():
            return 0
        from feast.infra.key_encoding_utils import deserialize_entity_key

        config = self.feast.config

        def leaves(key: bytes) -> bool:
            entity = deserialize_entity_key(key, config.entity_key_serialization_version)
            values = dict(zip(entity.join_keys, entity.entity_values, strict=True))
            return values["customer_id"].string_val in leaving

        try:
            if config.online_store.type == "redis":
                from feast.infra.online_stores.redis import RedisOnlineStore

                client = RedisOnlineStore()._get_client(config.online_store)  # noqa: SLF001 - Feast deletes whole views only
                return drop_from_redis(client, config.project.encode(), leaves)
            return drop_from_sqlite(Path(config.online_store.path), leaves)
        except Exception as error:  # bare library errors of the backends, as in `_read`
            raise self._away(type(error).__name__, asked=True) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Feast prints a report per view, its DuckDB draws a bar, and its Ibis uses a deprecated call of DuckDB."""
    import ibis

    spill_privately(ibis.get_backend().con)
    with suppress(duckdb.InvalidInputException):  # a notebook without widgets has no bar to switch off, and refuses
        ibis.get_backend().raw_sql("SET enable_progress_bar = false")
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _feast(settings: Mapping[str, Any]) -> Feast:
    import_feast()
    from feast import FeatureStore as Feast
    from feast import RepoConfig

    return Feast(config=RepoConfig(**settings, repo_path=REPOSITORY))


def import_feast() -> None:
    """Import Feast without the run-time type checks that it asks for, which took seven tenths of its import.

    It marks its classes `typechecked`, and typeguard compiles every method of them anew. That is meant for development, says
    typeguard, and does nothing under `python -O`; the assertions that `-O` takes away as well are to stay.
    """
    import typeguard

    os.environ.setdefault("FEAST_USAGE", "False")  # no telemetry
    checked = typeguard.typechecked
    with warnings.catch_warnings():  # its import changes the process's warning filters
        vars(typeguard)["typechecked"] = _as_it_is
        try:
            import feast  # noqa: F401 - what is imported from it later is there
        finally:
            vars(typeguard)["typechecked"] = checked


def _as_it_is(target: T) -> T:
    return target


def _settings(redis: str | None = None) -> dict[str, Any]:
    """`feature_store.yaml` with the environment filled in; Redis replaces SQLite when `DIRIGENT_REDIS` names one.

    `redis` is Feast's connection string where it is to hold more than that.
    """
    text = (REPOSITORY / "feature_store.yaml").read_text()
    settings: dict[str, Any] = YAML(typ="safe").load(os.path.expandvars(text))
    if named := redis or os.environ.get("DIRIGENT_REDIS"):
        settings["online_store"] = {"type": "redis", "connection_string": named}
    return settings


def _rows(response: Any, count: int) -> list[dict[str, tuple[Any, datetime | None]]]:
    """Feast's answer by row: feature name -> (value, moment it was written for, None when the row is absent)."""
    from feast.type_map import feast_value_type_to_python_type

    names = list(response.proto.metadata.feature_names.val)
    rows: list[dict[str, tuple[Any, datetime | None]]] = [{} for _ in range(count)]
    for name, vector in zip(names, response.proto.results, strict=True):
        for row, value, stamp in zip(rows, vector.values, vector.event_timestamps, strict=True):
            moment = stamp.ToDatetime(tzinfo=UTC) if stamp.seconds > 0 else None
            row[name] = (feast_value_type_to_python_type(value), moment)
    return rows


def _collect(
    row: dict[str, tuple[Any, datetime | None]],
    view: str,
    prefix: str,
    values: dict[str, FeatureValue],
    written: dict[str, datetime | None],
) -> None:
    """Copy one view's features of a row; NaN counts as unknown."""
    known = [
        feature.name for feature in VIEWS[view].features if feature.name in row
    ]  # none where the store is of before the view
    moments = [row[name][1] for name in known]
    if any(moments) or view not in written:
        written[view] = max((moment for moment in moments if moment), default=None)
    for name in known:
        value = row[name][0]
        values[prefix + name] = None if value is None or (isinstance(value, float) and math.isnan(value)) else value
