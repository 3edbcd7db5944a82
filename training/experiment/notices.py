"""Warnings that stand in the report: each has a name, so that a program can look for it, and a sentence for a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """One named warning."""

    name: str
    text: str


class Notices:
    """Collects warnings in the order in which they arise."""

    def __init__(self) -> None:
        self.found: list[Notice] = []

    def add(self, name: str, text: str) -> None:
        """Keep a warning; the same one twice is kept once."""
        notice = Notice(name, text)
        if notice not in self.found:
            self.found.append(notice)

    def names(self) -> set[str]:
        """Names of all warnings so far."""
        return {notice.name for notice in self.found}
