"""Who may do what: one table of roles, one of endpoints. `docs/access.md` shows both, and a test calls every endpoint with every role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.routing import compile_path

Role = Literal["orchestrator", "data_scientist", "marketer", "associate", "privacy", "admin"]
Act = Literal["decide", "report", "read", "metrics", "consent", "privacy", "review", "stop", "resume"]

# What each act is, as the end of the sentence "the role of this key does not allow it to ...".
ACTS: Mapping[Act, str] = {
    "decide": "ask for live decisions and hold their reservations",
    "report": "report outcomes",
    "read": "read decisions, explanations, changes and the console",
    "metrics": "read the counters",
    "consent": "record consents, withdrawals, objections and pauses",
    "privacy": "export and erase what is known of a person",
    "review": "confirm or refuse a decision that needs a person",
    "stop": "stop a journey",
    "resume": "let a stopped journey speak again",
}
ALLOWED: Mapping[str, frozenset[Act]] = {
    "orchestrator": frozenset({"decide", "report", "read", "consent", "stop"}),
    "data_scientist": frozenset({"read", "metrics"}),
    "marketer": frozenset({"read", "review", "stop"}),
    "associate": frozenset({"read"}),
    "privacy": frozenset({"read", "consent", "privacy", "review", "stop"}),
    "admin": frozenset(ACTS),
}
# What a person said or what happened cannot wait behind questions: a late withdrawal is a contact too many.
URGENT: frozenset[Act] = frozenset({"report", "consent", "privacy", "stop"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path (as Starlette writes paths); `act` is what a role must allow, None means open to everybody."""

    method: str
    path: str
    act: Act | None


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/v1/decisions", "decide"),
    Endpoint("GET", "/v1/decisions/{decision_id}", "read"),
    Endpoint("GET", "/v1/decisions/{decision_id}/explanation", "read"),
    Endpoint("POST", "/v1/decisions/{decision_id}/replay", "read"),
    Endpoint("POST", "/v1/outcomes", "report"),
    Endpoint("POST", "/v1/reservations", "decide"),
    Endpoint("GET", "/v1/reservations/{reservation_id}", "read"),
    Endpoint("POST", "/v1/reservations/{reservation_id}/confirm", "decide"),
    Endpoint("POST", "/v1/reservations/{reservation_id}/release", "decide"),
    Endpoint("POST", "/v1/reservations/{reservation_id}/review", "review"),
    Endpoint("GET", "/v1/reviews", "read"),
    Endpoint("POST", "/v1/consents", "consent"),
    Endpoint("POST", "/v1/objections", "consent"),
    Endpoint("POST", "/v1/pauses", "consent"),
    Endpoint("POST", "/v1/erasures", "privacy"),
    Endpoint("GET", "/v1/erasures/{erasure_id}", "privacy"),
    Endpoint("POST", "/v1/exports", "privacy"),
    Endpoint("GET", "/v1/journeys", "read"),
    Endpoint("POST", "/v1/journeys/{journey}/stop", "stop"),
    Endpoint("POST", "/v1/journeys/{journey}/resume", "resume"),
    Endpoint("GET", "/v1/changes", "read"),
    Endpoint("GET", "/openapi.json", "read"),
    Endpoint("GET", "/metrics", "metrics"),
    Endpoint("GET", "/livez", None),
    Endpoint("GET", "/readyz", None),
    Endpoint("GET", "/ui/login", None),
    Endpoint("POST", "/ui/login", None),
    Endpoint("GET", "/ui/", "read"),
    Endpoint("GET", "/ui/decisions", "read"),
    Endpoint("GET", "/ui/decisions/{decision_id}", "read"),
    Endpoint("GET", "/ui/reviews", "read"),
    Endpoint("POST", "/ui/reviews/{reservation_id}", "review"),
    Endpoint("GET", "/ui/static/{name}", "read"),
)
OPEN = frozenset(endpoint.path for endpoint in ENDPOINTS if endpoint.act is None)
_EXACT = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
_PATTERNS: tuple[tuple[re.Pattern[str], Endpoint], ...] = tuple(
    (compile_path(endpoint.path)[0], endpoint) for endpoint in ENDPOINTS if "{" in endpoint.path
)
_METHODS = tuple(sorted({endpoint.method for endpoint in ENDPOINTS}))


def act_of(method: str, path: str) -> Act | None:
    """The act of a row of the table; a `KeyError` when there is no such row, so that no route exists without one."""
    return _EXACT[method, path].act


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """The row that a request's method and path fall under, matched as the router matches; None when there is none."""
    method = "GET" if method == "HEAD" else method
    exact = _EXACT.get((method, path))
    if exact is not None:
        return exact
    return next((row for pattern, row in _PATTERNS if row.method == method and pattern.match(path)), None)


def methods_of(path: str) -> tuple[str, ...]:
    """The methods that a path answers to, in order; none where nothing is served. Whoever may GET may ask for the HEAD alone."""
    found = [method for method in _METHODS if endpoint_of(method, path) is not None]
    return tuple(sorted({*found, "HEAD"})) if "GET" in found else tuple(found)
