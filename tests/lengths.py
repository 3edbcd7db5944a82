"""Which of many cases run every time, and which only in the long tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest


def short_first(names: Iterable[str], count: int) -> list[Any]:
    """The names as parameters; all but the first `count` are marked long."""
    rest = iter(names)
    return [*islice(rest, count), *(pytest.param(name, marks=pytest.mark.long) for name in rest)]
