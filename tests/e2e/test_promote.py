"""`dirigent promote` as a person runs it: the table, the refusal, force with a reason, the record."""

from __future__ import annotations

import os
import re
import subprocess

from features.home import Home
from tests.e2e.forked_process import verb
from tests.integration.planting import WHY, everything, home, plant, promoted, shuffled, split
from training import bundle, history
from training.dataset import Split

__all__ = ["home", "promoted", "split"]


def dirigent(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return verb(["promote", *arguments], environment(home))


def environment(home: Home) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "DIRIGENT_HOME": str(home.root)}


def test_the_command_refuses_forces_and_shows_its_history(home: Home, split: Split):
    version, before = plant(home, "churn_risk", shuffled(split)), everything(home)
    refused = dirigent(home, "churn_risk")
    assert refused.returncode == 3
    assert re.search(rf"churn_risk\s+\d+ → {version}\s+2,205\s+2,205\s+0\.\d+\s+0\.\d+\s+-[\d.]+\s+-[\d.]+\s+-[\d.]+\s+refused: worse", refused.stdout)  # fmt: skip
    assert "nothing was promoted" in refused.stderr
    assert '--force --reason "WHY"' in refused.stderr
    for arguments, words in (
        (("churn_risk", "--force"), "--force and --reason go together"),
        (("churn_risk", "--force", "--reason", " "), "needs a reason"),
    ):
        done = dirigent(home, *arguments)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert everything(home) == before

    forced = dirigent(home, "churn_risk", "--force", "--reason", WHY)
    assert forced.returncode == 0, forced.stderr
    assert WHY in forced.stdout
    assert bundle.current(home) in forced.stdout
    shown = dirigent(home, "--history")
    assert shown.returncode == 0, shown.stderr
    assert f"forced: {WHY}" in shown.stdout
    assert shown.stdout.count("bundle ") == 2
    path = history.path_of(home)
    path.write_bytes(path.read_bytes().replace(b"broken", b"better"))
    torn = dirigent(home, "--history")
    assert torn.returncode == 3
    assert "promotions.jsonl:2: was altered" in torn.stderr
