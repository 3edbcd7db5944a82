"""Make `.venv` from a lock: `python3 -m scripts.environment demo|dev`. A second run finds its stamp and does nothing.

The stamp holds the interpreter, the place and the digest of the lock, so a changed lock, a newer Python or a moved folder
is seen, and a fresh time stamp on an unchanged file is not. The project itself is put on the path by a `.pth` file and a
three-line console script: an editable install would need a build back end in every lock and leave an egg-info folder
behind, for the same result.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.installer import PYTHON, ROOT, VENV, bootstrap_uv, pip, uv

OLDEST = (3, 11)
# Programs that start others of their kind import this script again: only the first one runs.
CONSOLE_SCRIPT = '#!{python}\nfrom dirigent.main import run\n\nif __name__ == "__main__":\n    run()\n'


def say(line: str) -> None:
    """One line of progress."""
    print(f"environment: {line}", flush=True)


def need_system_package(package: str, purpose: str) -> None:
    """Install a Debian package where that is possible, otherwise stop with one line that says what to install."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"environment: {purpose} is missing. Install it first, on Debian: sudo apt-get install {package}")
    say(f"installing the system package {package} ({purpose})")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", "-qq", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            sys.exit(f"environment: apt-get {' '.join(command)} failed; {purpose} is needed (package {package})")


def need_openmp() -> None:
    """LightGBM's wheel links to the system's OpenMP, which slim images lack."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        need_system_package("libgomp1", "the OpenMP library that LightGBM needs")


def place() -> str:
    """Which interpreter `.venv` has and where it stands; empty when there is none that works."""
    show = "import sys; assert sys.version_info >= (3, 11); print(sys.version.split()[0], sys.prefix)"
    if not PYTHON.exists():
        return ""
    return subprocess.run([str(PYTHON), "-c", show], capture_output=True, text=True, check=False).stdout.strip()


def stamp_of(lock: Path) -> str:
    """What the stamp of `lock` must say when nothing is left to do."""
    return f"{place()}\n{hashlib.sha256(lock.read_bytes()).hexdigest()}\n"


def stamp_file(lock: Path) -> Path:
    """Where the stamp of `lock` lies."""
    return VENV / f"installed-{lock.stem}"


def is_current(lock: Path) -> bool:
    """True when `.venv` holds exactly this lock, made by this interpreter in this place."""
    stamp = stamp_file(lock)
    return stamp.exists() and bool(place()) and stamp.read_text() == stamp_of(lock)


def create() -> None:
    """Make an empty `.venv`, unless a working one stands here already."""
    stamped = [line.read_text().splitlines()[0] for line in VENV.glob("installed-*")]
    if place() and all(made_at == place() for made_at in stamped):
        return
    if importlib.util.find_spec("ensurepip") is None:
        need_system_package("python3-venv", "Python's venv module")
    say(f"creating {VENV.name} with Python {sys.version.split()[0]}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def install(lock: Path) -> None:
    """Install every package of the lock, each checked against its hash: with uv, or with pip where uv fails."""
    arguments = ["install", "--quiet", "--require-hashes", "-r", str(lock)]
    if bootstrap_uv() and uv(["pip", *arguments, "--python", str(PYTHON)]) == 0:
        return
    say("uv could not install the lock; trying pip, which takes a few minutes")
    if pip(*arguments).returncode != 0:
        sys.exit(
            "environment: neither uv nor pip could install the lock; see the lines above (network, index or proxy?)"
        )


def link_project() -> None:
    """Put the checkout on the environment's path and make the `dirigent` command."""
    [site_packages] = VENV.glob("lib/python*/site-packages")
    (site_packages / "dirigent.pth").write_text(f"{ROOT}\n")
    command = VENV / "bin" / "dirigent"
    command.write_text(CONSOLE_SCRIPT.format(python=PYTHON))
    command.chmod(0o755)


def main(name: str) -> None:
    """Bring `.venv` up to `requirements/<name>.lock`. The dev lock holds every pin of the others, so it serves for them."""
    lock, dev = (ROOT / "requirements" / f"{each}.lock" for each in (name, "dev"))
    need_openmp()
    if is_current(lock) or is_current(dev):
        return
    began = time.monotonic()
    create()
    say(f"installing requirements/{lock.name}, every file checked against its hash (under a minute on a fast line)")
    install(lock)
    link_project()
    stamp_file(lock).write_text(stamp_of(lock))
    say(f"ready in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(f"environment: Dirigent needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")
    if len(sys.argv) != 2 or not (ROOT / "requirements" / f"{sys.argv[1]}.lock").exists():
        sys.exit("usage: python3 -m scripts.environment demo|dev")
    main(sys.argv[1])
