"""What the browser is asked about an open page: contrasts, crossings, and what it complained about."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page, Request

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
