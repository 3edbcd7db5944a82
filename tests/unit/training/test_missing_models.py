"""Bundles that lack models: whatever there is comes back, and what only looks like missing is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.errors import BundleError
from features.home import Home
from training import bundle
from training.contents import (
    ATTENTION,
    CURVE,
    EFFECTS,
    MODELS,
    NEXT_CATEGORY,
    SEND_TIME,
    SHARES,
    Contents,
    read_contents,
    write,
)

from .conftest import export

PARTS = (*MODELS, "effects", "attention")


def only(contents: Contents, kept: frozenset[str]) -> Contents:
    """The contents with these parts alone."""
    return replace(
        contents,
        models={name: model for name, model in contents.models.items() if name in kept},
        send_time=contents.send_time if SEND_TIME in kept else None,
        next_category=contents.next_category if NEXT_CATEGORY in kept else None,
        effects=contents.effects if "effects" in kept else None,
        attention=contents.attention if "attention" in kept else None,
    )


@given(st.frozensets(st.sampled_from(PARTS)))
def test_every_subset_of_models_is_read_back_as_it_was_written(contents: Contents, kept: frozenset[str]):
    given_part = only(contents, kept)
    files = write(given_part)
    found = read_contents(files)
    assert set(found.models) == set(given_part.models)
    assert {name: model.version for name, model in found.models.items()} == {
        name: model.version for name, model in given_part.models.items()
    }
    assert (found.effects, found.attention) == (given_part.effects, given_part.attention)
    assert (found.next_category is None) == (given_part.next_category is None) == (SHARES not in files)
    assert (found.send_time is None) == (given_part.send_time is None) == (CURVE not in files)
    assert write(found) == files


@pytest.mark.parametrize("kept", [frozenset[str](), *(frozenset(PARTS) - {name} for name in PARTS), frozenset(PARTS)])
def test_a_bundle_is_exported_signed_flown_and_loaded_without_them(
    tmp_path: Path, contents: Contents, kept: frozenset[str]
):
    export(Home(tmp_path), only(contents, kept))
    loaded = bundle.load(Home(tmp_path))
    assert set(loaded.versions) == kept
    assert {name for name in PARTS if getattr(loaded, name) is not None} == kept


@pytest.mark.parametrize("name", [*MODELS, "effects", "attention"])
def test_a_file_that_the_manifest_names_is_still_missing_when_it_is_gone(tmp_path: Path, contents: Contents, name: str):
    export(Home(tmp_path), contents)
    folder = Home(tmp_path).bundles / bundle.current(Home(tmp_path))
    path = min(folder.glob(f"{name}.*"))
    path.unlink()
    with pytest.raises(BundleError, match=f"{path.name}: is missing"):
        bundle.load(Home(tmp_path))


def test_files_that_nothing_describes_and_models_without_files_are_refused(contents: Contents):
    files = write(contents)
    described = json.loads(files["features.json"])
    for name in MODELS:
        rest = json.dumps({other: said for other, said in described.items() if other != name}).encode()
        with pytest.raises(BundleError, match=f"{name} is no model that is described"):
            read_contents(files | {"features.json": rest})
        gone = {file: content for file, content in files.items() if not file.startswith(f"{name}.")}
        with pytest.raises(BundleError, match="do not fit together"):
            read_contents(gone)
    with pytest.raises(BundleError, match="next_love is no model that is described"):
        read_contents(files | {"features.json": json.dumps(described | {"next_love": {}}).encode()})
    with pytest.raises(BundleError, match="do not fit together"):
        read_contents({name: content for name, content in files.items() if name != CURVE})


def test_the_metrics_and_the_description_are_never_missing(contents: Contents):
    files = write(only(contents, frozenset()))
    assert set(files) == {"features.json", "metrics.json"}
    assert {EFFECTS, ATTENTION} <= set(write(contents))
    for name in files:
        with pytest.raises(BundleError):
            read_contents({other: content for other, content in files.items() if other != name})


def test_a_curve_without_its_individual_model_is_no_send_time(contents: Contents):
    with pytest.raises(ValueError, match="or neither"):
        replace(contents, send_time=None)
