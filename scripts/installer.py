"""uv, run under the package index, proxy and certificate that pip is configured with.

uv installs the locks in seconds where pip takes minutes, but it reads none of pip's settings. A shop that reaches its
packages through a mirror has told pip about it, so pip's answers are handed on as uv's environment variables.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"

UV_NAME_OF = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
COMMA_SEPARATED = {"UV_FIND_LINKS"}


def pip_settings(listing: str) -> dict[str, str]:
    """Settings by name from the text of `pip config list` (`section.name='value'` a line).

    pip lists variables of the environment (section `:env:`) first and lets them win; then files, later ones win.
    """
    settings: dict[str, str] = {}
    from_environment: dict[str, str] = {}
    for line in listing.splitlines():
        key, found, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if found and name in UV_NAME_OF and section in {":env:", "global", "install"}:
            (from_environment if section == ":env:" else settings)[name] = str(ast.literal_eval(value))
    return settings | from_environment


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` plus pip's settings under uv's names; what the caller set for uv itself is left as it is.

    Best match over all indexes is pip's own rule, and safe here because every file is pinned by its hash.
    """
    result = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_LINK_MODE": "copy", **environment}
    for name, value in settings.items():
        variable = UV_NAME_OF[name]
        result.setdefault(variable, (",".join if variable in COMMA_SEPARATED else " ".join)(value.split()))
    return result


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the environment's pip; what it prints is returned, errors go to the terminal."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)


def pinned(lock: Path, name: str) -> str:
    """The lines of `lock` that pin `name` with its hashes, ready to be a requirements file of their own."""
    lines: list[str] = []
    for line in lock.read_text().splitlines():
        if line.startswith(f"{name}==") or (lines and line.startswith("    --hash")):
            lines.append(line)
        elif lines:
            break
    return "\n".join(lines) + "\n"


def bootstrap_uv() -> bool:
    """Put the uv that `requirements/dev.lock` pins into the environment; False when there is none for this platform."""
    wanted = pinned(ROOT / "requirements" / "dev.lock", "uv")
    version = wanted.split()[0].partition("==")[2]
    if UV.exists():
        installed = subprocess.run([str(UV), "--version"], stdout=subprocess.PIPE, text=True, check=False)
        if installed.stdout.split()[1:2] == [version]:
            return True
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirement:
        requirement.write(wanted)
        requirement.flush()
        flags = ("--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:")
        return pip("install", *flags, "-r", requirement.name).returncode == 0


def uv(arguments: Sequence[str]) -> int:
    """Run uv under pip's settings; returns its exit code."""
    settings = pip_settings(pip("config", "list").stdout)
    return subprocess.run([str(UV), *arguments], env=uv_environment(settings, os.environ), check=False).returncode


if __name__ == "__main__":
    sys.exit(
        uv(sys.argv[1:]) if bootstrap_uv() else "uv has no wheel for this platform, so the locks cannot be made here."
    )
