"""The order of the files of tests: none is lost, the shop is built first, and nobody waits for it."""

from __future__ import annotations

from types import SimpleNamespace

from tests.order import SECONDS, TESTS, arranged

SHOP, OTHERS = ("shop_home",), ()
FILES = {
    "unit/test_order.py": OTHERS, "e2e/test_relay.py": SHOP, "e2e/test_orchestrator.py": SHOP, "e2e/test_replay.py": SHOP,
    "reliability/test_races.py": OTHERS, "simulation/test_simulation.py": OTHERS, "contracts/test_outbox.py": OTHERS,
}  # fmt: skip


def test_every_file_that_is_named_is_there():
    assert [name for name in SECONDS if not (TESTS / name).is_file()] == []


def test_files_stay_whole_and_the_long_ones_come_first():
    given = [SimpleNamespace(path=TESTS / name, fixturenames=FILES[name]) for name in FILES for _ in range(3)]
    found = arranged(given)  # type: ignore[arg-type]
    assert sorted(map(id, found)) == sorted(map(id, given))
    names = [item.path.relative_to(TESTS).as_posix() for item in found]
    assert names[::3] == names[1::3] == names[2::3]
    assert names[::3] == [
        "e2e/test_orchestrator.py", "simulation/test_simulation.py", "contracts/test_outbox.py", "reliability/test_races.py",
        "unit/test_order.py", "e2e/test_replay.py", "e2e/test_relay.py",
    ]  # fmt: skip


def test_without_a_shop_the_longest_comes_first():
    given = [SimpleNamespace(path=TESTS / name, fixturenames=OTHERS) for name in FILES]
    assert arranged(given)[0].path == TESTS / "e2e/test_orchestrator.py"  # type: ignore[arg-type]
