"""Forgetting in a process that dies at one of the files which it replaces. The process is forked from one that has imported all of it."""

from __future__ import annotations

import os
from multiprocessing import get_context
from pathlib import Path

from features.files import settle
from features.home import Home
from features.rights import forget
from features.tables import removal

KILLED = 9
SECONDS = 120


def forget_until_killed(home: Home, leaving: str, number: int, moment: str) -> int:
    """Let a process of its own forget somebody and die just `before` or `after` it replaces the file of this number: its exit code."""
    forks = get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    process = forks.Process(target=_forget, args=(home, leaving, number, moment))
    process.start()
    process.join(SECONDS)
    assert process.exitcode is not None, "it does not end"
    return process.exitcode


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
