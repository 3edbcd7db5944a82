"""In which order the files of tests run: what takes long comes first, so that the workers end together.

`pytest-xdist` gives one file after the other to whichever worker is free. The first worker builds the shop, and files that need it
would only wait for that; so the others get long files that do not need it until the shop is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SECONDS: Mapping[str, int] = {
    "contracts/test_audit.py": 10, "contracts/test_audit_mutations.py": 15, "contracts/test_ledger.py": 12,
    "contracts/test_outbox.py": 30, "e2e/test_canaries.py": 30, "e2e/test_changes.py": 45, "e2e/test_choose.py": 20, "e2e/test_hostile_input.py": 35,
    "e2e/test_isolation.py": 10, "e2e/test_orchestrator.py": 45, "e2e/test_redis_gone.py": 20, "e2e/test_promote.py": 25, "e2e/test_replay.py": 35,
    "e2e/test_schema.py": 25, "e2e/test_startup.py": 25, "e2e/test_workers.py": 40, "integration/test_catalog_diff.py": 20,
    "integration/test_database_faults.py": 25, "integration/test_disk_faults.py": 10, "integration/test_forgetting.py": 25,
    "integration/test_promotion.py": 45, "integration/test_redis_store.py": 15, "integration/test_replay.py": 15, "integration/test_rights_in_files.py": 25,
    "integration/test_training.py": 35, "integration/test_training_home.py": 40, "integration/test_training_notebook.py": 30,
    "reliability/test_races.py": 30, "reliability/test_service_under_fire.py": 35, "simulation/test_faults.py": 20,
    "simulation/test_simulation.py": 40,
}  # fmt: skip
"""What the long files take. A file that is not named is no mistake, and a number need not be right."""
OF_A_TEST, OF_A_SERVICE = 0.02, 15.0
"""What is believed of a file that is not named: for each test, and in all where a service is started."""
OF_THE_SHOP = 300.0
"""What the other workers do while the shop is built."""


def arranged(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The same tests, file by file: first one that builds the shop, then what needs none until it is there, then the longest."""
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path.relative_to(TESTS).as_posix(), []).append(item)
    longest = sorted(files, key=lambda name: (-_seconds(name, files), name))
    early = [name for name in longest if _needs_shop(files[name])][:1]
    meanwhile = 0.0
    for name in longest:
        if early and meanwhile < OF_THE_SHOP and not _needs_shop(files[name]):
            early.append(name)
            meanwhile += _seconds(name, files)
    return [item for name in (*early, *(name for name in longest if name not in early)) for item in files[name]]


def _seconds(name: str, files: Mapping[str, Sequence[pytest.Item]]) -> float:
    believed = OF_A_SERVICE if name.startswith("e2e/") else OF_A_TEST * len(files[name])
    return SECONDS.get(name, believed)


def _needs_shop(items: Sequence[pytest.Item]) -> bool:
    return any("shop_home" in getattr(item, "fixturenames", ()) for item in items)
