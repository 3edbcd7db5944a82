"""The whole way: two tables and a spec in, the chosen arm of every row and a report out."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from arbitration.errors import InputError
from features.files import refuse_unwritable
from training.experiment import SEED
from training.experiment.choosing import choose
from training.experiment.contrasts import contrast
from training.experiment.encoding import learn_encoding
from training.experiment.leaks import check_leaks
from training.experiment.notices import Notices
from training.experiment.report import report
from training.experiment.spec import Spec, read_spec
from training.experiment.table import feature_columns, read_table, repeated, require, to_trial

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Chosen:
    """`actions` has the id and one column `p_<arm>` per arm, a row for every row asked for; `report` is JSON."""

    actions: pa.Table
    report: dict[str, Any]


def choose_for(
    train: pa.Table, test: pa.Table, spec: Spec, seed: int = SEED, progress: Progress = lambda _: None
) -> Chosen:
    """Fit on `train`, choose for `test`. Raises TableError for tables that do not fit the spec or leak."""
    notices = Notices()
    require(test, [spec.id, *spec.features], "test")
    progress("checking the tables")
    trial = to_trial(train, spec, seed, notices)
    if spec.id in {f"p_{arm}" for arm in trial.arms}:
        raise InputError("the id is called like the column of an arm", where=f"spec, id: {spec.id}", mend="rename it")
    _note_few(len(trial), trial.reward, notices)
    check_leaks(trial, notices)
    encoding = learn_encoding(trial.columns, notices)
    progress("learning the arms' values")
    contrasts = contrast(trial, encoding.encode(trial.columns, len(trial)), seed, notices, len(encoding.coded))
    progress("choosing")
    choice = choose(trial, contrasts)
    if repeated(test, spec, spec.features, "test").any():
        notices.add("duplicate_ids", "some ids of the test table stand in several equal rows; each row is answered")
    asked = encoding.aligned(feature_columns(test, spec, "test"), "test")
    encoding.note_unseen(asked, notices)
    given = choice.arms(contrasts, encoding.encode(asked, test.num_rows))
    columns = {spec.id: test[spec.id]}
    for position, arm in enumerate(trial.arms):
        columns[f"p_{arm}"] = pa.array((given == position).astype(np.float64))
    return Chosen(pa.table(columns), report(trial, contrasts, choice, given, spec=spec, seed=seed, notices=notices))


def choose_from_files(
    train: Path, test: Path, spec: Path, *, out: Path, told: Path, seed: int, progress: Progress
) -> dict[str, Any]:
    """`choose_for` from files to files: `out` (Parquet, or CSV by its ending) and `told` (JSON); both or neither are written."""
    read = read_spec(spec)
    texts = [read.id, read.arm, *([read.cluster] if read.cluster is not None else [])]
    paths = [path.resolve() for path in (train, test, spec, out, told)]
    if len(set(paths)) < len(paths):
        raise InputError("the same file is named twice", mend="train, test, spec, out and report are five files")
    refuse_unwritable(out, told)
    chosen = choose_for(read_table(train, texts), read_table(test, texts), read, seed, progress)
    written = [
        _written(out, lambda path: _write_table(chosen.actions, path, out)),
        _written(told, lambda path: _write_json(chosen.report, path)),
    ]
    for path, target in zip(written, (out, told), strict=True):
        path.replace(target)
    return chosen.report


def _written(target: Path, write: Callable[[Path], None]) -> Path:
    """A finished file beside `target`, so that a full disk or a broken run leaves no half of one."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    path = Path(name)
    try:
        write(path)
    except BaseException:
        path.unlink()
        raise
    return path


def _write_table(table: pa.Table, path: Path, target: Path) -> None:
    from pyarrow import csv, parquet

    if target.suffix.lower() == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)


def _write_json(content: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _note_few(rows: int, reward: np.ndarray[Any, np.dtype[np.float64]], notices: Notices) -> None:
    if rows == 0:
        notices.add("no_training_rows", "nothing can be learned: everybody gets silence")
    elif np.ptp(reward) == 0:
        notices.add("reward_constant", f"every reward is {reward[0]:g}: nothing can be learned from it")
