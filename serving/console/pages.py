"""The console's routes. All stand below /ui and need a role that may read; one form answers what waits for a person."""

from __future__ import annotations

import re
from collections.abc import Callable

from babel import negotiate_locale
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.console.formats import LANGS, Lang
from serving.console.listing import list_page, portion
from serving.console.page import languages, page_of
from serving.console.rendering import FOLDER, SECURITY, answer, html
from serving.console.reviews import Reader, reviews_page
from serving.console.verdicts import ANSWERED, fields_of, record
from serving.gate import forbidden
from serving.problems import FieldError, Problem, invalid, not_found
from serving.reading import load
from serving.reserved import aftermath, waiting
from serving.weighing import weigh

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
STATIC = {"console.css": "text/css", "icon.svg": "image/svg+xml"}


def routes() -> list[Route]:
    """The pages; the application's `state.runtime` gives ledger and policy."""
    return [
        _route("/ui/", _home),
        _route("/ui/decisions", _list),
        _route("/ui/decisions/{decision_id}", _decision),
        _route("/ui/reviews", _reviews),
        Route("/ui/reviews/{reservation_id}", _verdict, methods=["POST"]),
        _route("/ui/static/{name}", _static),
    ]


def language_of(request: Request) -> Lang:
    """The language asked for, else the browser's first that we speak, else English."""
    asked = request.query_params.get("lang")
    for lang in LANGS:
        if asked == lang:
            return lang
    return accepted(request.headers.get("accept-language", ""))


def accepted(header: str) -> Lang:
    """The language of an `Accept-Language` header; its order stands for the weights, as browsers send it."""
    preferred = [part.partition(";")[0].strip().partition("-")[0].lower() for part in header.split(",")]
    return "de" if negotiate_locale(preferred, LANGS) == "de" else "en"


def _route(path: str, handler: Callable[[Request], Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        request.state.route = path
        if not request.state.client.may("read"):
            raise Problem(403, "forbidden", "Not allowed", "The role of this key does not allow it to read.")
        return await run_in_threadpool(handler, request)

    return Route(path, endpoint, methods=["GET"])


def _home(_: Request) -> Response:
    return RedirectResponse("/ui/decisions", 307, SECURITY)


def _list(request: Request) -> Response:
    lang, runtime = language_of(request), request.app.state.runtime
    page = list_page(portion(runtime.ledger, _before(request)), runtime.policy, lang)
    return answer(html("list.html", lang, page=page), lang)


def _before(request: Request) -> int | None:
    """The number of a decision, before which the list begins. Raises `Problem` where it is none."""
    given = request.query_params.get("before")
    if given is None:
        return None
    if not _NUMBER.fullmatch(given):
        raise invalid([FieldError("before", "a whole number, as the list's own links have it")])
    return int(given)


def _decision(request: Request) -> Response:
    lang, decision_id = language_of(request), request.path_params["decision_id"]
    runtime = request.app.state.runtime
    try:
        record, policy = load(runtime, decision_id)
    except Problem as problem:
        if problem.status != 404:
            raise
        links = languages("/ui/decisions", lang)
        return answer(html("missing.html", lang, languages=links), lang, 404)
    steps = [step.candidate.treatment.id for step in record.decision.plan.steps]
    with runtime.ledger.reading() as reading:
        after = aftermath(reading, decision_id, steps)
    page = page_of(record, policy, lang, weigh(record, policy, runtime.bundle), after)
    return answer(html("decision.html", lang, page=page), lang)


def _reviews(request: Request, problem: Problem | None = None) -> Response:
    lang, runtime, client = language_of(request), request.app.state.runtime, request.state.client
    answered = request.query_params.get("answered")
    told = problem.code if problem else answered if answered in ANSWERED else None
    reader = Reader(client.name, client.may("review"), runtime.keys.token(request.state.session))
    page = reviews_page(waiting(runtime), runtime.policy, lang, reader, told, simulated=runtime.simulated)
    return answer(html("reviews.html", lang, page=page), lang, problem.status if problem else 200, forms=True)


async def _verdict(request: Request) -> Response:
    request.state.route = "/ui/reviews/{reservation_id}"
    if not request.state.client.may("review"):
        raise forbidden("review")
    form = fields_of(await request.body())
    return await run_in_threadpool(_recorded, request, form)


def _recorded(request: Request, form: dict[str, str]) -> Response:
    done = record(request, form, language_of(request))
    return _reviews(request, done) if isinstance(done, Problem) else done


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        raise not_found("path")
    headers = {**SECURITY, "Cache-Control": "private, max-age=300"}
    return FileResponse(FOLDER / "static" / name, media_type=STATIC[name], headers=headers)
