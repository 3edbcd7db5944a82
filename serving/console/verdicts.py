"""A person's verdict, sent with the form on the page of reviews: the one thing that the console writes."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serving import reservations
from serving.console.formats import Lang
from serving.console.rendering import SECURITY
from serving.problems import Problem

ANSWERED = ("approved", "rejected")
_LONGEST_FORM = 8192  # bytes: 300 characters of which each is escaped, and the rest


def fields_of(body: bytes) -> dict[str, str]:
    """The first value of each field of a form; none where it is longer than the page's own may be."""
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10) if len(body) <= _LONGEST_FORM else {}
    except ValueError:  # more fields than the form has
        return {}
    return {name: values[0] for name, values in found.items()}


def record(request: Request, form: dict[str, str], lang: Lang) -> Response | Problem:
    """Back to the page of reviews once the verdict is kept; the problem where it is not.

    A browser sends its session along whoever wrote the form; the token says that the form stood on a page of that session. Who brings
    an API key needs none.
    """
    runtime, client, session = request.app.state.runtime, request.state.client, request.state.session
    if session and not runtime.keys.fits(session, form.get("token", "")):
        return Problem(403, "other-form", "Not allowed", "This form is not of a page that this session opened.")
    verdict = {"verdict": form.get("verdict", ""), "reason": " ".join(form.get("reason", "").split())}
    try:
        reservations.review(runtime, client, request.path_params["reservation_id"], json.dumps(verdict).encode())
    except Problem as problem:
        return problem
    return RedirectResponse(f"/ui/reviews?lang={lang}&answered={verdict['verdict']}", 303, SECURITY)
