"""The software bill of materials of the service: `python3 -m scripts.sbom LOCK FILE` writes CycloneDX 1.6 (JSON) from a lock.

What the image installs is exactly what the lock pins, so the lock says all: name, version, the hash of every file that is
accepted, and who asked for the package. The same lock gives the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)(?: *; *(.*?))? *\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"^    # {1,3}(?:via )?([\w.-]+)(?: \(pyproject\.toml\))?$")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock. `marker`: on which machines it is installed (empty: on all); `via`: who asked for it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's URL, which also names it within the document."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins_of(text: str) -> list[Pin]:
    """Every pin of a lock as `make lock` writes it. Raises ValueError for a line that it does not know."""
    blocks: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if found := _PIN.match(line):
            blocks.append((found, []))
        elif blocks:
            blocks[-1][1].append(line)
        elif not line.startswith("#"):
            raise ValueError(f"not a line of a lock: {line}")
    return [_pin(found, lines) for found, lines in blocks]


def _pin(found: re.Match[str], lines: list[str]) -> Pin:
    hashes = tuple(match[1] for line in lines if (match := _HASH.search(line)))
    via = tuple(match[1] for line in lines if (match := _VIA.match(line)) and match[1] != "via")
    return Pin(found[1], found[2], found[3] or "", hashes, via)


def document(pins: list[Pin], project: Mapping[str, Any]) -> dict[str, Any]:
    """The bill of materials. `project` is the table of that name in pyproject.toml."""
    own = f"pkg:generic/{project['name']}@{project['version']}"
    purls: dict[str, list[str]] = {str(project["name"]): [own]}
    for pin in pins:
        purls.setdefault(pin.name, []).append(pin.purl)  # one for each Python, where a package dropped older ones
    needs: dict[str, list[str]] = {purl: [] for same in purls.values() for purl in same}
    for pin in pins:
        for asker in pin.via:
            for purl in purls[asker]:
                needs[purl].append(pin.purl)
    root = {"type": "application", "bom-ref": own, "name": project["name"], "version": project["version"], "purl": own}
    licensed = {**root, "licenses": [{"license": {"id": project["license"]}}]}
    components = [_component(pin) for pin in pins]
    content = json.dumps([licensed, components], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {"component": licensed},
        "components": components,
        "dependencies": [{"ref": purl, "dependsOn": sorted(asked)} for purl, asked in sorted(needs.items())],
    }


def _component(pin: Pin) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in pin.hashes],
    }
    if pin.marker:
        found["properties"] = [{"name": "dirigent:marker", "value": pin.marker}]
    return found


def write(lock: Path, file: Path) -> int:
    """Write the bill of materials of `lock`; returns how many packages it lists."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = pins_of(lock.read_text())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document(pins, project), indent=2) + "\n")
    return len(pins)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python3 -m scripts.sbom LOCK FILE")
    print(f"sbom: {write(Path(sys.argv[1]), Path(sys.argv[2]))} packages in {sys.argv[2]}")
