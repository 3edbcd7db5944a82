"""From a page's values to an HTML answer: templates with autoescape, and headers that let nothing foreign in."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from serving.console.formats import Lang
from serving.console.texts import Words

FOLDER = Path(__file__).parent
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
for _name in _TEMPLATES.list_templates():
    _TEMPLATES.get_template(_name)  # compiled now, so that no request makes code from text


def html(template: str, lang: Lang, **values: object) -> str:
    """A template filled; a name it needs and does not get is a programmer's error."""
    return _TEMPLATES.get_template(template).render(t=Words(lang), lang=lang, **values)


def answer(text: str, lang: Lang, status: int = 200, *, forms: bool = False) -> Response:
    """An HTML answer that is never kept: it names a customer. `forms`: it has one, which may be sent to this service."""
    policy = SECURITY["Content-Security-Policy"]
    security = {**SECURITY, "Content-Security-Policy": policy.replace("form-action 'none'", "form-action 'self'")}
    more = {"Cache-Control": "no-store", "Content-Language": lang, "Vary": "Accept-Language"}
    return HTMLResponse(text, status, (security if forms else SECURITY) | more)
