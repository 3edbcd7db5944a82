"""Which of many cases run every time, and which only in the long tests."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest


def short_first(cases: Iterable[Any], count: int) -> list[Any]:
    """The cases as parameters (a tuple is several); all but the first `count` are marked long."""
    rest = iter(cases)
    later = (case if isinstance(case, tuple) else (case,) for case in rest)
    return [*islice(rest, count), *(pytest.param(*case, marks=pytest.mark.long) for case in later)]
