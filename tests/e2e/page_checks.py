"""A browser that visits the console as somebody who has just entered a key, and what it is asked about an open page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.e2e.service_process import Server

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

# Text against the surface behind it (WCAG 2.2, 1.4.3): every element that holds text of its own.
CONTRASTS = """() => {
  const color = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const found = color(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *')].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && one.getClientRects().length
    && !['title', 'desc'].includes(one.localName));
  return texts.map(one => {
    const style = getComputedStyle(one);
    const [a, b] = [light(color(one.ownerSVGElement ? style.fill : style.color)), light(behind(one))].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), one.textContent.trim().slice(0, 40)];
  });
}"""

# Dotted lines of the waterfall, and how many of them run through a text: [all, crossing].
CROSSINGS = """() => {
  const box = one => one.getBoundingClientRect();
  const texts = [...document.querySelectorAll('svg.waterfall text')].map(box);
  const lines = [...document.querySelectorAll('svg.waterfall .joint')].map(box);
  const over = (a, b) => a.left <= b.right && b.left <= a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom;
  return [lines.length, lines.filter(line => texts.some(text => over(line, text))).length];
}"""


@dataclass
class Visit:
    """One open page and everything the browser complained about or asked for."""

    page: Page
    root: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the browser's own: the next page was opened before an icon had come
            self.complaints.append(f"{request.failure}: {request.url}")

    def go(self, path: str) -> None:
        self.page.goto(self.root + path)

    def check(self) -> None:
        assert self.complaints == []
        assert self.requests
        assert [url for url in self.requests if not url.startswith(self.root)] == []


@contextmanager
def launched() -> Iterator[Browser]:
    """Headless Chromium that asks nobody but the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, server: Server, key: str, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
    """The console as the holder of `key` has it after signing in, with a window's width and color scheme."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="en-US")
    page, root = context.new_page(), f"http://127.0.0.1:{server.port}"
    page.goto(f"{root}/ui/login")
    page.fill("input[name=key]", key)
    page.click("button")
    page.wait_for_url("**/ui/decisions")
    seen = Visit(page, root)
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("requestfailed", seen.failed)
    page.on("request", lambda request: seen.requests.append(request.url))
    yield seen
    context.close()
