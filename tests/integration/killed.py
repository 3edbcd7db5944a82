"""Forgetting in a process of its own, which may die at one of the files that it replaces."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from features.files import settle
from features.home import Home
from features.rights import forget
from features.tables import removal
from tests.forkserver import forks

KILLED = 9
SECONDS = 120


def forget_until_killed(home: Home, leaving: str, number: int, moment: str) -> int:
    """Let a process of its own forget somebody and die just `before` or `after` it replaces the file of this number: its exit code."""
    return ended(_started(_forget, home, leaving, number, moment))


def start_to_forget(home: Home, leaving: str) -> BaseProcess:
    """A process that forgets somebody."""
    return _started(forget, home, [leaving])


def ended(process: BaseProcess) -> int:
    """The exit code of a process, once it has one."""
    process.join(SECONDS)
    assert process.exitcode is not None, "it does not end"
    return process.exitcode


def _started(target: Callable[..., object], *arguments: object) -> BaseProcess:
    process = forks().Process(target=target, args=arguments)
    process.start()
    return process


def _forget(home: Home, leaving: str, left: int, moment: str) -> None:
    def deadly(fresh: Path, path: Path) -> None:
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            os._exit(KILLED)
        settle(fresh, path)
        if left == 0:
            os._exit(KILLED)

    vars(removal)["settle"] = deadly
    forget(home, [leaving])
