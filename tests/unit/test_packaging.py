"""What is shipped: an image and a composition that give away no more than they must, and a bill of what is inside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from scripts.sbom import document, pins_of

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LOCK = (ROOT / "requirements" / "serving.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BUILT = ("arbitration", "catalog", "dirigent", "feature_repo", "features", "serving", "training")
SCRATCH = "/tmp"  # noqa: S108  # the container's own
each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), comments gone and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    steps = instructions()
    return steps[max(at for at, (word, _) in enumerate(steps) if word == "FROM") :]


def only(word: str) -> str:
    """What follows this word in the last stage, where it stands once."""
    [found] = [rest for each, rest in last_stage() if each == word]
    return found


def test_the_image_is_built_on_a_named_release_and_from_the_lock_alone():
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11[\w.]*-slim-bookworm", base) for base in bases)
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes -r /build/serving.lock" in installs[0]
    assert not [rest for word, rest in instructions() if word == "ADD" or "curl" in rest or "wget" in rest]


def test_the_image_runs_without_root_says_how_it_is_and_holds_no_secret():
    assert only("USER") == "10001:10001"
    words = [word for word, _ in last_stage()]
    assert words.index("USER") > max(at for at, word in enumerate(words) if word in {"RUN", "COPY"})
    assert "/readyz" in only("HEALTHCHECK")
    assert only("STOPSIGNAL") == "SIGTERM"
    assert only("ENTRYPOINT") == '["dirigent"]'
    assert not re.search(r"(?i)(password|secret|token|_key)=", only("ENV"))
    assert not [rest for word, rest in last_stage() if word == "RUN" and re.search(r"\bgcc\b|build-essential", rest)]


def test_what_libraries_keep_goes_where_a_read_only_image_may_be_written():
    told = dict(re.findall(r"(\w+)=(\S+)", only("ENV")))
    assert told["HOME"] == SCRATCH
    assert told["BENTOML_HOME"].startswith(SCRATCH)
    assert told["PYTHONDONTWRITEBYTECODE"] == "1"
    assert told["DIRIGENT_HOME"] == only("VOLUME")


def test_the_build_sees_the_packages_the_lock_and_nothing_else():
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {*BUILT, "requirements/serving.lock"}
    kept_out = [rule.removeprefix("**/") for rule in rules[1:] if not rule.startswith("!")]
    for name in ("customers.parquet", "ledger.db", "__pycache__"):
        assert any(fnmatch(name, rule) for rule in kept_out), name


@each_service
def test_a_container_may_do_nothing_that_it_need_not(service):
    assert service["read_only"] is True
    assert service["tmpfs"][0] == SCRATCH
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert not [volume for volume in service.get("volumes", []) if "docker.sock" in volume]


@each_service
def test_images_have_a_tag_and_ports_are_published_on_loopback_alone(service):
    assert re.search(r":v?\d[\w.-]*$", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_stores_are_reached_from_inside_alone():
    assert COMPOSE["networks"]["inner"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inner"]
        assert "ports" not in SERVICES[name]
    assert SERVICES["postgres"]["image"].startswith("postgres:15")
    assert SERVICES["redis"]["image"].startswith("redis:7")


def test_no_password_stands_in_the_file():
    text = (ROOT / "compose.yaml").read_text()
    places = re.findall(r"\$\{(\w*(?:PASSWORD|HOME)\w*)([^}]*)\}", text)
    assert {name for name, _ in places} == {"POSTGRES_PASSWORD", "DIRIGENT_HOME"}
    assert all(rest.startswith(":?") for _, rest in places), "unset is an error, not a default"
    assert re.findall(r"://\w+:([^@\n]+)@", text) == ["${POSTGRES_PASSWORD:?set it in .env}"]
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@each_service
def test_a_container_waits_until_what_it_needs_is_healthy(service):
    assert service["healthcheck"].get("test") or service["healthcheck"] == {"disable": True}
    for name, condition in service.get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}
        assert SERVICES[name]["healthcheck"]["test"]


def test_the_service_has_two_workers_and_everything_that_lasts_has_a_volume():
    assert SERVICES["service"]["command"] == ["serve", "--workers", "2"]
    assert set(SERVICES["service"]["depends_on"]) == {"postgres", "redis"}
    assert SERVICES["relay"]["command"] == ["relay"]
    assert [name for name, one in SERVICES.items() if one["healthcheck"] == {"disable": True}] == ["relay"]
    kept = {volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", ())} & {
        "ledger",
        "online",
    }
    assert kept == set(COMPOSE["volumes"])
    told = SERVICES["service"]["environment"]
    assert told["DIRIGENT_LEDGER"].startswith("postgresql+psycopg://dirigent:")
    assert told["DIRIGENT_REDIS"] == "redis:6379"


def test_mlflow_is_the_release_that_training_uses_and_does_not_reach_the_keys():
    pinned = re.search(r"^mlflow==(\S+)", (ROOT / "requirements" / "dev.lock").read_text(), re.MULTILINE)
    assert pinned is not None
    assert SERVICES["mlflow"]["image"].endswith(f":v{pinned[1]}")
    [volume] = SERVICES["mlflow"]["volumes"]
    assert all(side.endswith("/mlflow") for side in re.split(r"(?<=/mlflow):", volume))


def test_the_bill_of_materials_lists_every_pin_and_every_hash_of_the_lock(tmp_path):
    file = tmp_path / "dist" / "sbom.cdx.json"
    subprocess.run([sys.executable, "-m", "scripts.sbom", "requirements/serving.lock", file], cwd=ROOT, check=True)
    bill = json.loads(file.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    pins = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", LOCK, re.MULTILINE)
    assert [(one["name"], one["version"]) for one in bill["components"]] == pins
    assert [one["purl"] for one in bill["components"]] == [f"pkg:pypi/{name}@{version}" for name, version in pins]
    hashes = [digest["content"] for one in bill["components"] for digest in one["hashes"]]
    assert hashes == re.findall(r"--hash=sha256:([0-9a-f]{64})", LOCK)
    assert all(one["hashes"] for one in bill["components"])


def test_the_bill_of_materials_says_who_needs_what():
    bill = document(pins_of(LOCK), PROJECT)
    named = {bill["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in bill["components"])}
    needs = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert needs.keys() == named
    assert {purl for asked in needs.values() for purl in asked} == named - {bill["metadata"]["component"]["bom-ref"]}
    direct = {purl.split("/")[1].split("@")[0] for purl in needs[bill["metadata"]["component"]["bom-ref"]]}
    assert {"alembic", "cryptography", "psycopg", "uvicorn", "bentoml"} <= direct


@given(st.sampled_from(["x", "  --hash=md5:0", "numpy>=2", "-r other.txt"]))
def test_what_is_no_lock_has_no_bill(line):
    with pytest.raises(ValueError, match="not a line of a lock"):
        pins_of(line)


def test_missing_programs_are_looked_for_without_installing_anything(tmp_path):
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = (ROOT / "scripts" / "system_programs.sh").read_text().replace("/usr/lib/postgresql", str(tmp_path))
    script = script.replace('PATH="$PATH:/usr/sbin:/sbin"', f'PATH="{tmp_path}"')
    done = subprocess.run(["/bin/bash", "-c", script], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "chromium redis-server postgresql will be skipped" in done.stdout
    under_ci = subprocess.run(["/bin/bash", "-c", script], env={"CI": "1"}, capture_output=True, text=True, check=False)
    assert under_ci.returncode == 1
