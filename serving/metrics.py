"""What the service counts, in Prometheus text. Labels are catalog words and codes, never a customer."""

from __future__ import annotations

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from arbitration.domain import Decision

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The counters of one process."""

    media_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # The two that every decision counts remember their lines: the library looks for one longer than it counts.
        self._decisions = cache(
            self._counter("decisions", "Decisions made", "mode", "outcome", "journey", "channel").labels
        )
        self._rejections = cache(
            self._counter("rejections", "Decisions in which a gate removed a candidate", "code").labels
        )
        self._degraded = self._counter("degraded", "Decisions that missed something", "what")
        self.replays = self._counter("replays", "Requests answered again from the ledger")
        self.stops = self._counter("journey_stops", "Journeys stopped by their own volume", "journey")
        self.outcomes = self._counter("outcomes", "Outcomes received", "type", "matched")
        self.requests = self._counter("requests", "HTTP answers", "method", "route", "status")
        self.problems = self._counter("problems", "HTTP answers that were problems", "code")
        self.latency = Histogram(
            "dirigent_request_seconds", "Time to answer", ["method", "route"], buckets=_SECONDS, registry=self.registry
        )
        self.ready = Gauge("dirigent_ready", "1 when decisions can be made", registry=self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"dirigent_{name}", meaning, labels, registry=self.registry)

    def count(self, decision: Decision, mode: str) -> None:
        """Count one new decision."""
        treatment = decision.winner.candidate.treatment if decision.winner else None
        journey, channel = (treatment.journey, treatment.channel) if treatment else ("", "")
        self._decisions(mode, decision.outcome, journey, channel).inc()
        for code in {rejection.code for rejection in decision.rejections}:
            self._rejections(code).inc()
        for what in decision.degraded:
            self._degraded.labels(what).inc()

    def text(self) -> bytes:
        """Everything counted so far."""
        return generate_latest(self.registry)
