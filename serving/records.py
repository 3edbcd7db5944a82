"""The record of a decision: all that went in and all that came out, enough to decide again and get the same bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arbitration.codec import canonical_text, decode, encode
from arbitration.decide import decide
from arbitration.domain import Attribution, Context, Decision, Estimates
from arbitration.policy import Policy

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One decision with its inputs. `request` is the caller's JSON; `bundle` the digest of the models' files.

    The policy is named by `decision.policy_version` and kept once in the ledger. `simulated` says that features and
    models rest on simulated rows, at least in part.
    """

    client: str
    request: Any
    mode: str
    now: datetime
    draw: float
    context: Context
    estimates: Estimates
    attributions: tuple[Attribution, ...]
    bundle: str
    models: dict[str, str]
    features: str
    simulated: bool
    decision: Decision

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_text({"version": VERSION, **{name: encode(getattr(self, name)) for name in _FIELDS}})

    @classmethod
    def from_bytes(cls, body: bytes) -> Record:
        """The record that `to_bytes` wrote."""
        data = json.loads(body)
        del data["version"]
        data["now"] = datetime.fromisoformat(data["now"])
        data["attributions"] = tuple(decode(Attribution, one) for one in data["attributions"])
        for name, kind in (("context", Context), ("estimates", Estimates), ("decision", Decision)):
            data[name] = decode(kind, data[name])
        return cls(**data)

    def decide_again(self, policy: Policy) -> Decision:
        """The decision that follows from the recorded inputs; equal to `decision` unless the rules have changed."""
        return decide(
            self.context,
            self.estimates,
            policy,
            decision_id=self.decision.decision_id,
            now=self.now,
            draw=self.draw,
        )


_FIELDS = tuple(Record.__annotations__)
