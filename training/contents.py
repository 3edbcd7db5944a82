"""What is inside a serving bundle, as files and back: text and JSON only, nothing that could run. Every model may be missing.

<model>.txt or <model>.json    LightGBM's text, linear coefficients, or the numbers of a shrunk mean
<model>.calibration.json       slope and intercept
features.json                  per model: kind, link, version, and its features' names and dtypes in order
send_time.curve.json           the pooled curve and the weight of the individual model
next_category.shares.json      the shop's share of each product category
effects.json · attention.json · metrics.json · canary.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from arbitration.codec import decode, encode
from arbitration.errors import BundleError, InputError
from features.registry import FEATURES
from training.attention import Attention
from training.categories import FEATURES as OF_CATEGORIES
from training.categories import NextCategory, Shares
from training.effects import Effects
from training.models import Model
from training.references import read
from training.slots import FEATURES as OF_SLOTS
from training.slots import Curve, SendTime
from training.structure import AMOUNTS, PROBABILITIES, check_trees

MEND = "Run `dirigent promote` to export it again."
SEND_TIME = "send_time"
NEXT_CATEGORY = "next_category"
MODELS = (
    "churn_risk", "next_basket", "spend", NEXT_CATEGORY, "channel_propensity", "base_purchase", SEND_TIME, "opt_out",
)  # fmt: skip
CURVE, SHARES, EFFECTS, ATTENTION = (
    "send_time.curve.json",
    "next_category.shares.json",
    "effects.json",
    "attention.json",
)
SUFFIX = {"tree": "txt", "linear": "json", "mean": "json", "rates": "json", "shares": "json"}
MADE = frozenset((*OF_SLOTS, *OF_CATEGORIES))
"""Inputs that are made of features."""
OBJECTIVES = {"logit": PROBABILITIES, "log": AMOUNTS}


@dataclass(frozen=True)
class Contents:
    """Everything that serving believes, and how well it was measured; for what is missing the catalog's priors speak.

    `models` holds those of MODELS that there are, by name; `send_time` is there with its individual model, or both are not; so
    is `next_category` with its pooled one.
    """

    models: Mapping[str, Model]
    send_time: SendTime | None
    effects: Effects | None
    attention: Attention | None
    metrics: Mapping[str, Any]
    next_category: NextCategory | None = None

    def __post_init__(self) -> None:
        if (self.next_category is None) != (NEXT_CATEGORY not in self.models):
            raise ValueError("a next category has shares and a pooled model, or neither")
        if (self.send_time is None) != (SEND_TIME not in self.models):
            raise ValueError("a send time has a curve and an individual model, or neither")


def model_files(model: Model) -> dict[str, bytes]:
    """One model's own files."""
    return {
        f"{model.name}.{SUFFIX[model.kind]}": model.text().encode(),
        f"{model.name}.calibration.json": _json(asdict(model.calibration)),
    }


def signature_of(model: Model) -> dict[str, Any]:
    """Kind, link, version and inputs of a model; columns made by training, such as `channel=email`, are float64."""
    dtypes = {name: feature.dtype for name, feature in FEATURES.items()}
    inputs = [{"name": name, "dtype": dtypes.get(name, "float64")} for name in model.features]
    return {"kind": model.kind, "link": model.link, "version": model.version, "features": inputs}


def write(contents: Contents) -> dict[str, bytes]:
    """File name -> bytes of everything but the canary."""
    files: dict[str, bytes] = {}
    for model in contents.models.values():
        files |= model_files(model)
    files["features.json"] = _json({name: signature_of(model) for name, model in contents.models.items()})
    if contents.send_time:
        files[CURVE] = _json({"curve": encode(contents.send_time.curve), "weight": contents.send_time.weight})
    if contents.next_category:
        files[SHARES] = _json(encode(contents.next_category.shares))
    if contents.effects:
        files[EFFECTS] = _json(encode(contents.effects))
    if contents.attention:
        files[ATTENTION] = _json(encode(contents.attention))
    files["metrics.json"] = _json(dict(contents.metrics))
    return files


def read_models(files: Mapping[str, bytes]) -> dict[str, Model]:
    """Every model that `features.json` names, after the structural check; raises BundleError where a file is missing or does not fit.

    A model's file that it does not name is refused, too: it would be believed to be in use.
    """
    try:
        named = json.loads(files["features.json"])
        if strangers := {*named, *_models_with_files(files)} - ({*named} & {*MODELS}):
            raise ValueError(f"{min(strangers)} is no model that is described")
        return {name: _read_model(name, named[name], files) for name in MODELS if name in named}
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"its files do not fit together ({error})", where="bundle", mend=MEND) from error


def read_contents(files: Mapping[str, bytes]) -> Contents:
    """Everything; raises BundleError as `read_models` does."""
    models = read_models(files)
    try:
        effects = decode(Effects, json.loads(files[EFFECTS])) if EFFECTS in files else None
        attention = decode(Attention, json.loads(files[ATTENTION])) if ATTENTION in files else None
        metrics, category = json.loads(files["metrics.json"]), _read_next_category(models, files)
        return Contents(models, _read_send_time(models, files), effects, attention, metrics, category)
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"its files do not fit together ({error})", where="bundle", mend=MEND) from error


def _models_with_files(files: Mapping[str, bytes]) -> set[str]:
    """Names of the models that have a calibration, which each has; send time's curve and the categories' shares count as their own."""
    parts = {name for name, file in ((SEND_TIME, CURVE), (NEXT_CATEGORY, SHARES)) if file in files}
    return {name.partition(".")[0] for name in files if name.endswith(".calibration.json")} | parts


def _read_send_time(models: Mapping[str, Model], files: Mapping[str, bytes]) -> SendTime | None:
    if SEND_TIME not in models:
        return None
    timing = json.loads(files[CURVE])
    return SendTime(decode(Curve, timing["curve"]), models[SEND_TIME], float(timing["weight"]))


def _read_next_category(models: Mapping[str, Model], files: Mapping[str, bytes]) -> NextCategory | None:
    if NEXT_CATEGORY not in models:
        return None
    return NextCategory(decode(Shares, json.loads(files[SHARES])), models[NEXT_CATEGORY])


def _read_model(name: str, described: Mapping[str, Any], files: Mapping[str, bytes]) -> Model:
    features = tuple(str(item["name"]) for item in described["features"])
    _check_features(described["features"])
    text = files[f"{name}.{SUFFIX[described['kind']]}"].decode()
    if described["kind"] == "tree":
        check_trees(text, len(features), f"{name}.txt", OBJECTIVES[described["link"]])
    calibration = json.loads(files[f"{name}.calibration.json"])
    model = read(name, described["kind"], features, text, calibration, link=described["link"])
    if model.version != described["version"]:
        raise ValueError(f"{name} is {model.version}, not {described['version']}")
    return model


def _check_features(inputs: list[dict[str, str]]) -> None:
    """A model made for features that this version does not compute, or computes as another type, must not guess."""
    for item in inputs:
        made = "=" in item["name"] or item["name"] in MADE
        if not made and (item["name"] not in FEATURES or FEATURES[item["name"]].dtype != item["dtype"]):
            raise ValueError(f"this version computes no feature {item['name']} of type {item['dtype']}")


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
