"""What a verb does not need is not imported for it: the list of verbs is there at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {"bentoml", "duckdb", "feast", "httpx", "lightgbm", "mlflow", "numpy", "pandas", "pydantic", "sklearn", "sqlalchemy"}  # fmt: skip


def test_the_list_of_verbs_loads_no_library_that_only_their_work_needs():
    program = "import sys, dirigent.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(loaded.stdout.split())
