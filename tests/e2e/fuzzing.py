"""schemathesis over a running service and the document that it publishes: every case counted, every finding told.

The document says what may be sent; what depends on the shop's catalog (journeys, channels, the currency) is put into a copy of it
first, so that random requests reach further than the first look at a name. That costs no strictness: other names must be refused.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import CheckNode, ScenarioRecorder

from arbitration.policy import Policy
from serving.ledger.consents import CONFIRMED_OPT_IN
from tests.e2e.service_process import Server

# What no schema can say of a single request: what was asked before, what somebody said earlier, in which order two moments lie.
UNSAYABLE = (
    "a new one for every new question; it was used with another body",
    "a consent of this customer that waits for its confirmation",
    "valid_to after the consent begins",
    "confirmed_at not before requested_at",
    "a step of the decision",
    "1 to ",  # the later steps that a plan has
    "no later step",
    "only conversions follow from silence",
)
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Found:
    """What a run did: cases and answers, and every finding in words."""

    cases: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many cases were sent."""
        return self.cases.total()

    def lines(self) -> Iterator[str]:
        """The run for people."""
        for name, count in sorted(self.cases.items()):
            yield f"{count:8,}  {name}"
        yield f"{self.total:8,}  cases: " + ", ".join(f"{count:,} {phase}" for phase, count in self.phases.items())
        yield "answers: " + ", ".join(f"{count:,} x {status}" for status, count in sorted(self.statuses.items()))
        yield "checks: " + ", ".join(f"{name} {count:,}" for name, count in sorted(self.checks.items()))
        yield f"{len(self.findings)} findings"
        yield from self.findings[:20]


def fuzz(server: Server, policy: Policy, *, examples: int, seed: int, phases: tuple[str, ...] = PHASES) -> Found:
    """Send random requests to every call of a service: `examples` of each in the phases that draw them.

    The service must be one that may be written to, with a key that may do everything and no limits of rate.
    """
    published = server.http.get("/openapi.json").raise_for_status().json()
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "workers": 1,  # generating in two threads is no faster, and CPython 3.11 compiles unsafely in deep stacks
            "base-url": f"http://127.0.0.1:{server.port}",
            "headers": {"Authorization": f"Bearer {server.key}"},
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "410"]}},
        }
    )
    found = Found()
    for event in from_schema(schemathesis.openapi.from_dict(of_this_shop(published, policy), config=config)).execute():
        if isinstance(event, events.ScenarioFinished):
            found.phases[event.phase.value] += len(event.recorder.cases)
            _count(found, event.recorder)
        elif isinstance(event, events.NonFatalError):
            found.findings.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found


def of_this_shop(published: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """The published document with the names of one catalog where the service takes no others."""
    narrowed: dict[str, Any] = copy.deepcopy(dict(published))
    shapes = {name: shape.get("properties", {}) for name, shape in narrowed["components"]["schemas"].items()}
    journeys = sorted(policy.journeys)
    shapes["TriggerRef"]["journey"]["enum"] = journeys
    shapes["Money"]["currency"]["enum"] = [policy.economics.currency]
    shapes["DecisionRequest"]["channels"]["items"]["enum"] = sorted(policy.channels)
    shapes["ConsentReport"]["channel"]["anyOf"][0]["enum"] = sorted({*policy.channels, *CONFIRMED_OPT_IN})
    for path, calls in narrowed["paths"].items():
        if path.startswith("/v1/journeys/{journey}/"):
            calls["post"]["parameters"][0]["schema"]["enum"] = journeys
    return narrowed


def _count(found: Found, recorder: ScenarioRecorder) -> None:
    for case_id, node in recorder.cases.items():
        found.cases[node.value.operation.label] += 1
        sent = recorder.interactions.get(case_id)
        if sent is not None and sent.response is not None:
            found.statuses[sent.response.status_code] += 1
        for check in recorder.checks.get(case_id, []):
            found.checks[check.name] += 1
            if check.failure_info is not None and not _unsayable(check, recorder, case_id):
                found.findings.append(_told(check, recorder, case_id))


def _unsayable(check: CheckNode, recorder: ScenarioRecorder, case_id: str) -> bool:
    """Whether a request that fits the document was refused for nothing but what the document cannot say."""
    response = recorder.interactions[case_id].response
    if check.name != "positive_data_acceptance" or response is None or response.status_code != 422:
        return False
    errors = response.json().get("errors", [])
    return bool(errors) and all(one["expected"].startswith(UNSAYABLE) for one in errors)


def _told(check: CheckNode, recorder: ScenarioRecorder, case_id: str) -> str:
    case, response = recorder.cases[case_id].value, recorder.interactions[case_id].response
    answer = f"{response.status_code} {response.content[:400]!r}" if response is not None else "no answer"
    why = str(check.failure_info.failure if check.failure_info else "").strip().replace("\n", " ")
    return f"{case.method} {case.formatted_path} {check.name}: {why[:300]}\n    sent {case.query!r} {case.body!r:.600}\n    got {answer}"
