"""The registry: the only file that knows MLflow. `train` records models; `training.promotion` makes champions of them.

Aliases: `champion` is served, `candidate` is the best of the newest training, `challenger` the other kind beside it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from arbitration.codec import decode
from arbitration.errors import StateError
from features.home import Home, Progress, silent
from training import bundle
from training.attention import Attention
from training.categories import NextCategory, Shares
from training.contents import ATTENTION, CURVE, EFFECTS, MODELS, NEXT_CATEGORY, SEND_TIME, SHARES, Contents
from training.effects import Effects
from training.models import FloatArray, Model
from training.pipeline import NAMES, Entry, Training, inputs_digest
from training.plots import png
from training.references import read
from training.slots import Curve, SendTime

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CANDIDATE, CHALLENGER = "champion", "candidate", "challenger"
FILES = "serving"
DATABASE = "mlflow.db"
PLACES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
    ("model_versions", "source"), ("model_versions", "storage_location"),
)  # fmt: skip
REQUIREMENTS = ["lightgbm>=4.7,<5", "numpy>=2.0"]


@dataclass(frozen=True, slots=True)
class Result:
    """One registered version and its card; `best` says that `promote` would take it."""

    name: str
    kind: str
    version: int
    best: bool
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered version read back: its files, its card, when it was made and from what."""

    name: str
    version: int
    created_at: datetime
    inputs: str
    card: Mapping[str, Any]
    files: Mapping[str, bytes]

    def model(self) -> Model:
        """The model itself."""
        described = json.loads(self.files["signature.json"])
        features = tuple(item["name"] for item in described["features"])
        suffix = "txt" if described["kind"] == "tree" else "json"
        text = self.files[f"{self.name}.{suffix}"].decode()
        calibration = json.loads(self.files[f"{self.name}.calibration.json"])
        return read(self.name, described["kind"], features, text, calibration, link=described.get("link", "logit"))

    def samples(self) -> FloatArray:
        """The canary's rows."""
        rows = json.loads(self.files["samples.json"])
        return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


def train(home: Home, model: str | None = None, progress: Progress = silent) -> list[Result]:
    """Train all models or one, record each with its challenger. Raises InputError for an unknown name, StateError without data.

    Without a name, a model for which there is too little to learn from is skipped alone; `progress` says which, and why.
    """
    registry, inputs = Registry(home), inputs_digest(home)
    results = []
    for entry in Training(home, progress).entries(model):
        progress(f"recording {entry.name}")
        version = registry.record(entry, inputs)
        registry.point(entry.name, CANDIDATE if entry.best else CHALLENGER, version)
        results.append(Result(entry.name, entry.kind, version, entry.best, entry.card))
    registry.begin()
    return results


def registered(home: Home, name: str, which: str | int = CHAMPION) -> Registered:
    """A version by alias or number, with its model and card. Raises StateError when there is none."""
    return Registry(home).find(name, which)


class Registry:
    """MLflow on one SQLite file below the home, artifacts beside it; nothing is sent anywhere."""

    def __init__(self, home: Home) -> None:
        self._folder = home.mlflow
        self._folder.mkdir(parents=True, exist_ok=True)
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        self._uri = f"sqlite:///{self._folder / DATABASE}"
        self._client: MlflowClient | None = None

    @property
    def begun(self) -> bool:
        """Whether a training ever came to its end here, or recorded a model."""
        return (self._folder / DATABASE).exists()

    def begin(self) -> None:
        """Make the database, if there is none: a training that found too little for any model has been here, too."""
        self.client.search_experiments(max_results=1)

    @property
    def client(self) -> MlflowClient:
        """MLflow's client, made on first use because importing it takes seconds."""
        if self._client is None:
            import logging
            import warnings

            import mlflow
            from sqlalchemy.exc import SADeprecationWarning

            logging.getLogger("mlflow").setLevel(logging.WARNING)
            logging.getLogger("mlflow.utils.git_utils").setLevel(logging.ERROR)  # a machine without git is no fault
            warnings.filterwarnings("ignore", category=SADeprecationWarning)  # MLflow's own use of SQLAlchemy
            logging.getLogger("alembic").setLevel(logging.WARNING)
            _settle(self._folder)
            mlflow.set_tracking_uri(self._uri)
            self._client = mlflow.MlflowClient()
        return self._client

    def record(self, entry: Entry, inputs: str) -> int:
        """Log one run with everything of the entry and register it; returns the version's number."""
        import mlflow

        experiment = self._experiment(entry.name)
        with mlflow.start_run(experiment_id=experiment, run_name=f"{entry.name} {entry.kind}") as run:
            mlflow.log_params(dict(entry.parameters))
            mlflow.log_metrics(dict(entry.metrics))
            simulated = str(bool(entry.card.get("simulated"))).lower()
            mlflow.set_tags({"inputs": inputs, "kind": entry.kind, "simulated": simulated})
            for name, content in entry.files.items():
                mlflow.log_text(content.decode(), f"{FILES}/{name}")
            mlflow.log_dict(dict(entry.card), f"{FILES}/card.json")
            mlflow.log_text(entry.text, "card.md")
            for name, figure in entry.figures.items():
                _log_picture(name, png(figure))
            for name, table in entry.tables.items():
                mlflow.log_text(table.to_csv(index=False), f"tables/{name}.csv")
            source = self._log_booster(entry) or f"{run.info.artifact_uri}/{FILES}"
            self._ensure(entry.name)
            made = self.client.create_model_version(entry.name, source=source, run_id=run.info.run_id)
        return int(made.version)

    def point(self, name: str, alias: str, version: int) -> None:
        """Set an alias."""
        self.client.set_registered_model_alias(name, alias, str(version))

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Write tags on a version; a tag of the same name is replaced."""
        for key, value in tags.items():
            self.client.set_model_version_tag(name, str(version), key, value)

    def version_of(self, name: str, alias: str) -> int | None:
        """The version an alias names; None when there is none. Its files may be gone all the same."""
        from mlflow.exceptions import MlflowException

        try:
            return int(self.client.get_model_version_by_alias(name, alias).version)
        except MlflowException:
            return None

    def find(self, name: str, which: str | int) -> Registered:
        """A version by number or alias, with its files; raises StateError when there is none."""
        from mlflow.exceptions import MlflowException

        try:
            if isinstance(which, int):
                found = self.client.get_model_version(name, str(which))
            else:
                found = self.client.get_model_version_by_alias(name, which)
            run = self.client.get_run(str(found.run_id))
            files = _read(
                self._artifacts(name) / str(found.run_id) / "artifacts" / FILES
            )  # found even when the home was moved
        except (MlflowException, OSError) as error:
            raise StateError(f"no {which} of {name}", where=str(self._folder), mend="Run `dirigent train`.") from error
        made = datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC)
        return Registered(
            name, int(found.version), made, run.data.tags["inputs"], json.loads(files["card.json"]), files
        )

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        location = self._artifacts(name).as_uri()
        return (
            str(found.experiment_id) if found else str(self.client.create_experiment(name, artifact_location=location))
        )

    def _artifacts(self, name: str) -> Path:
        return self._folder / "artifacts" / name

    def _ensure(self, name: str) -> None:
        if not self.client.search_registered_models(filter_string=f"name='{name}'"):
            self.client.create_registered_model(name)

    @staticmethod
    def _log_booster(entry: Entry) -> str | None:
        """LightGBM's own format through MLflow, so that notebooks can load it by name; None for other kinds."""
        if entry.booster is None:
            return None
        import lightgbm
        import mlflow.lightgbm

        booster = lightgbm.Booster(model_str=entry.booster)
        return str(mlflow.lightgbm.log_model(booster, name="model", pip_requirements=REQUIREMENTS).model_uri)


def _log_picture(name: str, content: bytes) -> None:
    """A picture in the folder `plots` of the run under way; MLflow's own way would draw a shared figure again."""
    import mlflow

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.png"
        path.write_bytes(content)
        mlflow.log_artifact(str(path), "plots")


def _settle(folder: Path) -> None:
    """Make a home that was moved or copied its own: MLflow keeps absolute places, which would still be the old home's."""
    if not (folder / DATABASE).exists():
        return
    place = (folder / "artifacts").as_uri()
    with closing(sqlite3.connect(folder / DATABASE)) as database, database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = database.execute("SELECT name, artifact_location FROM experiments") if "experiments" in tables else ()
        old = {str(at).removesuffix(f"/{name}") for name, at in found if name in NAMES} - {place}
        for before in old:
            for table, column in PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (place, len(before) + 1, len(before) + 1, f"{before}/"),
                )


def export(home: Home, chosen: Mapping[str, Registered]) -> str:
    """The bundle of these versions, maybe of none at all; the same versions give the same bundle."""
    models = {name: chosen[name].model() for name in MODELS if name in chosen}
    contents = Contents(
        models,
        _send_time(chosen[SEND_TIME].files, models[SEND_TIME]) if SEND_TIME in chosen else None,
        decode(Effects, json.loads(chosen["effects"].files[EFFECTS])) if "effects" in chosen else None,
        decode(Attention, json.loads(chosen["attention"].files[ATTENTION])) if "attention" in chosen else None,
        {name: {**one.card, "registered": one.version} for name, one in chosen.items()},
        _next_category(chosen[NEXT_CATEGORY].files, models[NEXT_CATEGORY]) if NEXT_CATEGORY in chosen else None,
    )
    windows = [one.card["window"] for one in chosen.values()]
    return bundle.export(
        home, contents, {name: chosen[name].samples() for name in models},
        created_at=max((one.created_at.isoformat() for one in chosen.values()), default=""),
        data_window={"from": min(w["from"] for w in windows), "to": max(w["to"] for w in windows)} if windows else {},
        inputs=" ".join(sorted({one.inputs for one in chosen.values()})),
    )  # fmt: skip


def _send_time(files: Mapping[str, bytes], individual: Model) -> SendTime:
    timing = json.loads(files[CURVE])
    return SendTime(decode(Curve, timing["curve"]), individual, timing["weight"])


def _next_category(files: Mapping[str, bytes], pooled: Model) -> NextCategory:
    return NextCategory(decode(Shares, json.loads(files[SHARES])), pooled)


def _read(folder: Path) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    if "card.json" not in files:
        raise FileNotFoundError(folder / "card.json")
    return files
