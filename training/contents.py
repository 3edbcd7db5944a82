"""What is inside a serving bundle, as files and back: text and JSON only, nothing that could run.

<model>.txt or <model>.json    LightGBM's text, linear coefficients, or the numbers of a shrunk mean
<model>.calibration.json       slope and intercept
features.json                  per model: kind, link, version, and its features' names and dtypes in order
send_time.curve.json           the pooled curve and the weight of the individual model
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
from training.effects import Effects
from training.models import Model
from training.references import read
from training.slots import FEATURES as MADE
from training.slots import Curve, SendTime
from training.structure import AMOUNTS, PROBABILITIES, check_trees

MEND = "Run `dirigent promote` to export it again."
MODELS = ("churn_risk", "next_basket", "spend", "channel_propensity", "base_purchase", "send_time", "opt_out")
SUFFIX = {"tree": "txt", "linear": "json", "mean": "json", "rates": "json"}
OBJECTIVES = {"logit": PROBABILITIES, "log": AMOUNTS}


@dataclass(frozen=True)
class Contents:
    """Everything that serving believes, and how well it was measured. `models` holds each of MODELS by name."""

    models: Mapping[str, Model]
    send_time: SendTime
    effects: Effects
    attention: Attention
    metrics: Mapping[str, Any]


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
    files["send_time.curve.json"] = _json(
        {"curve": encode(contents.send_time.curve), "weight": contents.send_time.weight}
    )
    files["effects.json"] = _json(encode(contents.effects))
    files["attention.json"] = _json(encode(contents.attention))
    files["metrics.json"] = _json(dict(contents.metrics))
    return files


def read_models(files: Mapping[str, bytes]) -> dict[str, Model]:
    """Every model, after the structural check; raises BundleError where a file is missing or does not fit."""
    try:
        return {name: _read_model(name, files) for name in MODELS}
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"its files do not fit together ({error})", where="bundle", mend=MEND) from error


def read_contents(files: Mapping[str, bytes]) -> Contents:
    """Everything; raises BundleError as `read_models` does."""
    models = read_models(files)
    try:
        timing = json.loads(files["send_time.curve.json"])
        effects = decode(Effects, json.loads(files["effects.json"]))
        send_time = SendTime(decode(Curve, timing["curve"]), models["send_time"], float(timing["weight"]))
        attention = decode(Attention, json.loads(files["attention.json"]))
        return Contents(models, send_time, effects, attention, json.loads(files["metrics.json"]))
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"its files do not fit together ({error})", where="bundle", mend=MEND) from error


def _read_model(name: str, files: Mapping[str, bytes]) -> Model:
    described = json.loads(files["features.json"])[name]
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
