"""The floors in pyproject.toml are true: the oldest versions they allow fit together, and the service runs on them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from serving.auth import create_key
from tests.e2e.service_process import ROOT, SERVE, private_home, running

pytestmark = pytest.mark.long
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def uv(*arguments: str) -> None:
    """uv under the index settings that pip has."""
    command = [sys.executable, "-m", "scripts.installer", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def lowest(file: Path, *extras: str) -> dict[str, str]:
    """Name -> version of the oldest set that the floors of these extras allow; what they need in turn is newest."""
    chosen = [word for extra in extras for word in ("--extra", extra)]
    quiet = ("--quiet", "--no-emit-index-url", "--no-annotate", "--python-version", "3.11")
    uv("pip", "compile", *quiet, "--resolution", "lowest-direct", "pyproject.toml", *chosen, "-o", str(file))
    return dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE))


def floors(*extras: str) -> dict[str, str]:
    """Name -> the version after `>=` or `==` in pyproject.toml."""
    optional = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]
    found = (re.match(r"([\w.-]+)(?:\[[^]]*\])?(?:>=|==)([\d.]+)", line) for line in lines)
    return {match[1].lower().replace("_", "-").replace(".", "-"): match[2] for match in found if match}


@pytest.mark.parametrize("extras", [("serving",), ("serving", "training"), ("serving", "scale", "kafka")])
def test_every_floor_can_be_had(extras, tmp_path):
    chosen = lowest(tmp_path / "floors.txt", *extras)
    wanted = floors(*extras)
    assert len(wanted) > 20
    assert not {name: chosen[name] for name, floor in wanted.items() if not _within(chosen[name], floor)}


def _within(version: str, floor: str) -> bool:
    """Whether this is the floor, or the first of its line that can still be had: 45.0.1 for 45."""
    return f"{version}.".startswith(f"{floor}.")


def test_the_service_decides_on_its_floors(shop_home, tmp_path):
    lowest(tmp_path / "floors.txt", "serving")
    environment = tmp_path / "environment"
    uv("venv", "--quiet", "--python", sys.executable, str(environment))
    python = environment / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", str(python), "-r", str(tmp_path / "floors.txt"))
    home = private_home(shop_home, tmp_path / "home")
    command = [str(python), *SERVE[1:]]
    with running(home, create_key(home, "orchestrator", "orchestrator"), command) as server:
        assert server.decide("floor-1").status_code == 200
        assert server.http.get("/openapi.json").status_code in {200, 403}
        assert "Traceback" not in server.log.read_text()
