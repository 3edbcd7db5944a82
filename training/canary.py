"""The canary: a child process loads a bundle's models first and must find the recorded answers. If one crashes, it crashes there.

`python -m training.canary FOLDER` exits 0 when every answer is as recorded, 1 when not, and by a signal when a model is broken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arbitration.errors import BundleError
from training.contents import read_models
from training.models import Model

ROWS = 5
TOLERANCE = 1e-9
TIMEOUT_SECONDS = 60
FILE = "canary.json"


def record(model: Model, rows: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """What the canary compares: a few rows (unknown as null), what is expected of them, and the contributions of the first."""
    taken = rows[:: max(1, len(rows) // ROWS)][:ROWS]
    return {
        "rows": [[None if np.isnan(value) else float(value) for value in row] for row in taken],
        "expected": model.predict(taken).tolist(),
        "contributions": [part.margin for part in model.attribute(taken[0]).contributions],
    }


def agrees(model: Model, recorded: Mapping[str, Any]) -> bool:
    """Whether a model gives the recorded answers."""
    rows = np.array(
        [[np.nan if value is None else value for value in row] for row in recorded["rows"]], dtype=np.float64
    )
    found = [part.margin for part in model.attribute(rows[0]).contributions]
    return bool(
        np.allclose(model.predict(rows), recorded["expected"], rtol=TOLERANCE, atol=TOLERANCE)
        and np.allclose(found, recorded["contributions"], rtol=TOLERANCE, atol=TOLERANCE)
    )


def fly(folder: Path) -> None:
    """Run the child on a bundle's folder; raises BundleError when it crashes, hangs or disagrees."""
    command = [sys.executable, "-m", "training.canary", str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this module, on a folder named by its digest
            command,
            cwd=Path(__file__).resolve().parent.parent,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError("its models hang", where=str(folder), mend="Run `dirigent promote`.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = (
            f"signal {-done.returncode}" if done.returncode < 0 else (said[-1] if said else f"exit {done.returncode}")
        )
        raise BundleError(f"its models failed the canary ({reason})", where=str(folder), mend="Run `dirigent promote`.")


def main(folder: Path) -> int:
    """Load every model of the bundle and compare; a model without recorded answers, or answers without a model, are wrong, too."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    recorded, models = json.loads(files[FILE]), read_models(files)
    wrong = sorted(recorded.keys() ^ models.keys())
    wrong += [name for name, model in models.items() if name in recorded and not agrees(model, recorded[name])]
    if wrong:
        sys.stderr.write(f"{', '.join(wrong)}: other answers than recorded\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
