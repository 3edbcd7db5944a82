"""Whatever call to the store fails, before or after its effect, or is the last one of its process: asked again, it happened once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lengths import short_first
from tests.simulation.faults import FAULTS, Prepared, hit_at, prepare, writes
from tests.simulation.world import VOLATILE, without_files

KINDS = (
    "decide", "decide again, with a lease that is over", "confirm", "release", "outcome", "consent", "objection", "pause",
    "erasure", "step",
)  # fmt: skip
MOST = 200


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory: what dies here are processes, not the machine."""
    with tempfile.TemporaryDirectory(dir=VOLATILE if VOLATILE.is_dir() else None) as place:
        yield Path(place)


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Prepared:
    return prepare(folder / "prepared")


def test_every_kind_of_write_is_tried(prepared):
    assert set(writes(prepared)) == set(KINDS)


@pytest.mark.parametrize("kind", short_first(KINDS, 3))
def test_a_fault_at_any_call_to_the_store_leaves_one_effect(prepared, folder, kind):
    covered = 0
    with without_files():
        for fault in FAULTS:
            statements = []
            for number in range(1, MOST):
                try:
                    hit = hit_at(prepared, kind, number, fault, folder)
                except Exception as error:
                    raise AssertionError(f"{kind}, {fault}, call {number}") from error
                if hit is None:
                    break
                statements.append(hit)
            covered += len(statements)
            assert "BEGIN IMMEDIATE" in statements
            assert "COMMIT" in statements
    print(f"{kind}: {covered} faults")
