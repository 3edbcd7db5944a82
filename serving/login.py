"""The console's door: a small form takes the API key once and answers with a session cookie; no key is ever in an address.

What every answer says to browsers (no caching, no guessing of types, no frames) is added by the gate.
"""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

COOKIE = "dirigent_session"
# The console's own pages and no other path: what a stranger typed is not repeated to them.
_PAGE = re.compile(r"/ui/(reviews|decisions(/d-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?)?")
_LONGEST_FORM = 4096  # bytes; anybody may send one, and a mebibyte of escapes takes a tenth of a second to read
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:22rem;padding:0 1rem}"
    "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;margin:.25rem 0 1rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SECURITY = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_FORM = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Dirigent</title>
<style>{style}</style>
<h1>Dirigent</h1>{note}
<form method="post" action="/ui/login">
<label>API key <span lang="de">(API-Schlüssel)</span><input name="key" type="password" autocomplete="current-password" required autofocus></label>
<input type="hidden" name="next" value="{target}"><button>Open <span lang="de">(Öffnen)</span></button></form></html>"""


def login_page(target: str, status: int = 200, note: str = "") -> Response:
    """The form; after it the browser goes to `target`, a page of the console."""
    safe = target if _PAGE.fullmatch(target) else "/ui/"
    return HTMLResponse(
        _FORM.format(style=_STYLE, target=safe, note=f'<p role="alert">{note}</p>' if note else ""), status, _SECURITY
    )


async def show(_: Request) -> Response:
    """GET /ui/login."""
    return login_page("/ui/")


async def enter(request: Request) -> Response:
    """POST /ui/login: a right key opens a session of eight hours; a form on another site cannot log anybody in (RFC 6265bis,
    W3C Fetch Metadata). Browsers say where a form came from; a caller that says nothing is no browser.
    """
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return login_page(
            "/ui/", 403, "This form came from another site. / Dieses Formular kam von einer anderen Seite."
        )
    form = await request.body()
    try:
        fields = parse_qs(form.decode("utf-8", "replace"), max_num_fields=10) if len(form) <= _LONGEST_FORM else {}
    except ValueError:  # more fields than the form has
        fields = {}
    target = fields.get("next", ["/ui/"])[0]
    keys = request.app.state.runtime.keys
    client = keys.client_of_key(fields.get("key", [""])[0].strip())
    if client is None or not client.may("read"):
        return login_page(
            target, 401, "This key does not open the console. / Dieser Schlüssel öffnet die Konsole nicht."
        )
    response = RedirectResponse(target if _PAGE.fullmatch(target) else "/ui/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, keys.open_session(client), httponly=True, samesite="strict", secure=secure, path="/ui")
    return response
