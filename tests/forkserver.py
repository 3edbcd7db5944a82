"""Processes that start in a moment: forked from one that has imported what they need and holds nothing else."""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.context import ForkServerContext


def forks() -> ForkServerContext:
    """Where such processes are made. Each begins with the arguments that it is given alone, as one that is spawned does."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.forked_imports"])
    return context
