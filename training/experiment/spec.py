"""The spec of an experiment: which columns hold what, with which probability each arm was shown, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from arbitration.errors import InputError

ROUNDED = 0.01
"""Probabilities written with a few digits may miss 1 by this much together (1/3 as 0.333)."""
MEND = "docs/experiments.md shows a whole spec"


class Spec(BaseModel):
    """What the shop says about its tables. `margin` is money per unit of reward, `cost` money per use of an arm."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    arm: str = Field(min_length=1)
    silence: str
    reward: str = Field(min_length=1)
    probability: dict[str, float] | str
    margin: float = 1.0
    cost: dict[str, float] = {}
    cluster: str | None = None
    features: tuple[str, ...] = ()

    @field_validator("silence", mode="before")
    @classmethod
    def _arm_as_text(cls, value: Any) -> Any:
        return arm_name(value)

    @field_validator("probability", "cost", mode="before")
    @classmethod
    def _arms_as_text(cls, value: Any) -> Any:
        return {arm_name(key): each for key, each in value.items()} if isinstance(value, Mapping) else value

    @field_validator("margin")
    @classmethod
    def _margin_is_money(cls, value: float) -> float:
        if not (isfinite(value) and value > 0):
            raise ValueError(f"must be a number above 0, not {value}")
        return value

    @field_validator("cost")
    @classmethod
    def _cost_is_money(cls, value: dict[str, float]) -> dict[str, float]:
        for arm, cost in value.items():
            if not (isfinite(cost) and cost >= 0):
                raise ValueError(f"of arm {arm!r} must be 0 or more, not {cost}")
        return value

    @field_validator("probability")
    @classmethod
    def _probabilities_are_chances(cls, value: dict[str, float] | str) -> dict[str, float] | str:
        if isinstance(value, str):
            return value
        for arm, probability in value.items():
            if not 0 < probability <= 1:
                raise ValueError(f"of arm {arm!r} must be above 0 and at most 1, not {probability}")
        if abs(sum(value.values()) - 1) > ROUNDED:
            raise ValueError(f"must sum to 1 over the arms, silence included, not to {sum(value.values()):.4g}")
        return value

    @model_validator(mode="after")
    def _columns_are_apart(self) -> Spec:
        taken = {"id": self.id, "arm": self.arm, "reward": self.reward}
        if len(set(taken.values())) < len(taken):
            raise ValueError("id, arm and reward must be three different columns")
        if isinstance(self.probability, str):
            taken["probability"] = self.probability
        if self.cluster is not None:
            taken["cluster"] = self.cluster
        for role, column in taken.items():
            if column in self.features:
                raise ValueError(f"{column!r} is the {role} and cannot be a feature: it would leak")
        if len(set(self.features)) < len(self.features):
            raise ValueError("features names a column twice")
        self._arms_are_known()
        return self

    def _arms_are_known(self) -> None:
        if isinstance(self.probability, str):
            return
        for role, arms in (("silence", [self.silence]), ("cost", list(self.cost))):
            for arm in arms:
                if arm not in self.probability:
                    raise ValueError(f"{role} names arm {arm!r}, which has no probability")

    def named_arms(self) -> tuple[str, ...]:
        """The arms that the spec itself names, silence first."""
        named = [self.silence, *(self.probability if isinstance(self.probability, dict) else ()), *self.cost]
        return tuple(dict.fromkeys(named))


def arm_name(value: Any) -> str:
    """An arm as text, whatever YAML or a table made of it: true and 1 become `true` and `1`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_spec(path: Path) -> Spec:
    """The spec in a YAML file; raises InputError where there is none, it is no YAML, or fields are wrong (all faults at once)."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError("there is no such file", where=str(path), mend=MEND) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"is no YAML ({' '.join(str(error).split())})", where=path.name, mend=MEND) from None
    return parse_spec(content, path.name)


def parse_spec(content: Any, where: str = "spec") -> Spec:
    """The spec in a mapping; raises InputError that names every wrong field."""
    if not isinstance(content, Mapping):
        raise InputError("must be a mapping of fields", where=where, mend=MEND)
    try:
        return Spec.model_validate(dict(content))
    except ValidationError as error:
        faults = "; ".join(dict.fromkeys(_fault(each) for each in error.errors()))
        raise InputError(faults, where=where, mend=MEND) from None


def _fault(error: Any) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    if field == "probability" and error["type"] == "missing":
        return "probability is missing: a log without probabilities says nothing about what the other arms would have earned"
    text = {"missing": "is missing", "extra_forbidden": "is no field of a spec"}.get(error["type"], error["msg"])
    return f"{field} {text.removeprefix('Value error, ')}".strip()
