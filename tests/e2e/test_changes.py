"""A changed catalog, from the refusal to start to the approval of a second person, with the real command line and the real service."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from catalog.loading import EXAMPLE, load_catalog
from serving.auth import create_key
from tests.e2e.forked_process import verb
from tests.e2e.service_process import environment, free_port, private_home, running


@pytest.fixture(scope="module")
def shop(shop_home, tmp_path_factory):
    """A home with the keys of three people, the catalog in force, and one with a higher cap."""
    folder = tmp_path_factory.mktemp("changes")
    home = private_home(shop_home, folder / "home")
    keys = {
        name: create_key(home, name, role)
        for name, role in (("maria", "marketer"), ("jonas", "admin"), ("till", "associate"))
    }
    shutil.copytree(EXAMPLE, folder / "now")
    shutil.copytree(EXAMPLE, folder / "wider")
    rules = folder / "wider" / "contact_policy.yaml"
    text = rules.read_text()
    rules.write_text(text.replace("limit: 1, window_hours: 24, channels", "limit: 2, window_hours: 24, channels"))
    assert rules.read_text() != text
    return home, folder, keys


def call(
    shop, *words: str, key: str | None = None, catalog: str = "now", **more: str
) -> subprocess.CompletedProcess[str]:
    home, folder, keys = shop
    variables = environment(home, free_port(), DIRIGENT_CATALOG=str(folder / catalog), COLUMNS="200", **more)
    if key is not None:
        variables["DIRIGENT_API_KEY"] = keys.get(key, key)
    return verb(words, variables)


def service(shop, catalog: str):
    home, folder, keys = shop
    return running(home, keys["jonas"], forked=True, DIRIGENT_CATALOG=str(folder / catalog))


def test_a_wider_catalog_starts_only_after_a_second_person_approved_it(shop):
    with service(shop, "now") as server:
        (first,) = (one for one in server.http.get("/v1/changes").json()["changes"] if one["kind"] == "catalog")
        assert (first["state"], first["to_version"]) == ("applied", load_catalog(EXAMPLE).version)
    refused = call(shop, "serve", catalog="wider")
    assert refused.returncode == 3, refused.stderr
    assert "dirigent change propose" in refused.stderr
    assert "Traceback" not in refused.stderr

    proposed = call(shop, "change", "propose", str(shop[1] / "wider"), "--customers", "20", key="maria")
    assert proposed.returncode == 0, proposed.stderr
    assert "limit 1 → 2" in proposed.stdout
    assert "limit raised" in proposed.stdout
    assert "of 20 customers" in proposed.stdout
    assert proposed.stdout.count(" of 20") <= 2, "one line while they are asked, not one for each"
    assert "It needs somebody else than maria" in proposed.stdout
    name = next(word for word in proposed.stdout.split() if word.startswith("g-"))

    assert name in call(shop, "serve", catalog="wider").stderr, "it waits for approval"
    own = call(shop, "change", "approve", name, "--reason", "I like it", key="maria")
    assert (own.returncode, "somebody else must approve it" in own.stderr) == (2, True)
    other = call(shop, "change", "approve", name, "--reason", "twice is fine", key="jonas")
    assert other.returncode == 0, other.stderr
    with service(shop, "wider") as server:
        found = {one["id"]: one for one in server.http.get("/v1/changes").json()["changes"]}[name]
        assert (found["state"], found["proposed_by"], found["decided_by"]) == ("applied", "maria", "jonas")
        assert found["effect"]["customers"] == 20
    assert name in call(shop, "change", "list").stdout
    assert "twice is fine" in call(shop, "change", "show", name).stdout
    assert call(shop, "verify").returncode == 0


def test_without_a_key_or_counted_against_another_catalog_nothing_is_proposed(shop):
    with service(shop, "now" if "applied" not in call(shop, "change", "list").stdout else "wider"):
        pass
    before = call(shop, "change", "list").stdout
    other = shutil.copytree(shop[1] / "wider", shop[1] / "other")
    rules = other / "contact_policy.yaml"
    rules.write_text(
        rules.read_text().replace("limit: 2, window_hours: 24, channels", "limit: 3, window_hours: 24, channels")
    )
    nobody = call(shop, "change", "propose", str(other), DIRIGENT_API_KEY="")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)
    assert "no API key" in nobody.stderr
    refused = call(shop, "change", "propose", str(other), "--old", str(other), key="maria")
    assert refused.returncode == 2, refused.stderr
    assert "is not the catalog in force" in refused.stderr
    assert "--old FOLDER_IN_FORCE" in refused.stderr
    assert call(shop, "change", "list").stdout == before


@pytest.mark.parametrize("key", ["till", "dgt_no_key_of_anybody"])
def test_who_is_not_known_or_whose_role_may_not_proposes_nothing(shop, key):
    refused = call(shop, "change", "propose", str(shop[1] / "wider"), key=key)
    assert refused.returncode == 2, refused.stderr
    assert "DIRIGENT_API_KEY" in refused.stderr
