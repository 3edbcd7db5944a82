"""Reading the two tables: Parquet or CSV in, checked columns out. Nothing is lost silently: what is left out is counted and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from arbitration.errors import TableError
from training.experiment.notices import Notices
from training.experiment.spec import Spec, arm_name

FloatArray = NDArray[np.float64]
Columns = dict[str, "pd.Series[Any]"]


@dataclass(frozen=True)
class Trial:
    """The randomized rows that can be learned from, in an order that does not depend on the file's.

    `arms[0]` is silence; `arm` (n,) counts into `arms`; `reward` (n,) is in money, before costs; `probability` (n,) is that of the
    arm shown; `cost` one per arm; `cluster` (n,) numbers what belongs together; `columns` the features as they came.
    """

    arms: tuple[str, ...]
    arm: NDArray[np.int64]
    reward: FloatArray
    probability: FloatArray
    cost: FloatArray
    cluster: NDArray[np.int64]
    columns: Columns
    total: int

    def __len__(self) -> int:
        return len(self.reward)


def read_table(path: Path, texts: Sequence[str] = ()) -> pa.Table:
    """A Parquet or CSV file; columns in `texts` of a CSV stay text, so that `007` does not become 7. Raises TableError."""
    from pyarrow import csv, parquet

    if not path.is_file():
        raise TableError("there is no such file", where=str(path), mend="give a Parquet or CSV file")
    try:
        if path.suffix.lower() == ".csv":
            options = csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()), strings_can_be_null=True)
            return csv.read_csv(path, convert_options=options)
        return parquet.read_table(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        fault = f"cannot be read ({' '.join(str(error).split())[:200]})"
        raise TableError(fault, where=path.name, mend="give Parquet, or CSV in UTF-8 with a header") from None


def to_trial(table: pa.Table, spec: Spec, seed: int, notices: Notices, where: str = "train") -> Trial:
    """Check the training table and take from it what can be learned from."""
    probability = [spec.probability] if isinstance(spec.probability, str) else []
    cluster = [spec.cluster] if spec.cluster is not None else []
    columns = [spec.id, spec.arm, spec.reward, *probability, *cluster, *spec.features]
    require(table, columns, where)
    total = table.num_rows
    table = _once(table, spec, columns, where, notices)
    arms = _arms_of(table, spec)
    reward = number(table, spec.reward, where) * spec.margin
    if np.isinf(reward).any():
        raise TableError(
            "a reward is infinite", where=f"{where}, column {spec.reward}", mend="correct or leave out the row"
        )
    known = np.array([arm is not None for arm in arms], dtype=bool)
    if not known.all():
        notices.add("arm_missing", f"{int((~known).sum())} rows without an arm were left out of the training")
    if (lost := known & np.isnan(reward)).any():
        counts = pd.Series(arms)[lost].value_counts().to_dict()
        notices.add(
            "reward_missing", f"{int(lost.sum())} rows without a reward were left out of the training: {counts}"
        )
    chance = _probabilities(table, arms, spec, where)
    kept = np.flatnonzero(known & ~np.isnan(reward))
    cluster_ids = _clusters(table, spec, notices)
    order = kept[np.lexsort((_hashes(table, spec, seed)[kept], _mixed(cluster_ids, seed)[kept]))]
    names = _all_arms(spec, arms[kept], notices)
    return Trial(
        names, np.array([names.index(str(arm)) for arm in arms[order]], dtype=np.int64), reward[order], chance[order],
        np.array([spec.cost.get(name, 0.0) for name in names]), pd.factorize(cluster_ids.to_numpy()[order])[0].astype(np.int64),
        {name: column.iloc[order].reset_index(drop=True) for name, column in feature_columns(table, spec, where).items()}, total,
    )  # fmt: skip


def feature_columns(table: pa.Table, spec: Spec, where: str) -> Columns:
    """The features: numbers as float64, truth values as 0 and 1, strings as they are; refuses dates and nested values."""
    found: Columns = {}
    for name in spec.features:
        kind = table.schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
            found[name] = pd.Series(table[name].to_pandas()).astype(object)
        elif any(
            check(kind)
            for check in (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal)
        ):
            found[name] = pd.Series(number(table, name, where)).replace([np.inf, -np.inf], np.nan)
        elif pa.types.is_null(kind):
            found[name] = pd.Series(np.full(table.num_rows, np.nan))
        else:
            raise TableError(
                f"a feature must be a number or a string, not {kind}", where=f"{where}, column {name}",
                mend="a date leaks when the row was made: give days before the moment of the decision",
            )  # fmt: skip
    return found


def require(table: pa.Table, columns: Sequence[str], where: str) -> None:
    """Every column must be there once; raises TableError."""
    for name in columns:
        if (count := table.column_names.count(name)) != 1:
            fault = "is missing" if count == 0 else f"is there {count} times"
            raise TableError(f"column {name!r} {fault}", where=where, mend=f"it has {', '.join(table.column_names)}")


def number(table: pa.Table, name: str, where: str) -> FloatArray:
    """A column as float64 with NaN for what is not there; raises TableError where it holds no numbers."""
    try:
        column = table[name].combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    except (pa.ArrowException, ValueError, TypeError):
        raise TableError(
            "holds something that is no number", where=f"{where}, column {name}", mend="give numbers"
        ) from None


def identified(table: pa.Table, spec: Spec, where: str) -> pd.Series[Any]:
    """The ids; raises TableError where a row has none."""
    ids = pd.Series(table[spec.id].to_pandas())
    if ids.isna().any():
        row = int(np.flatnonzero(ids.isna())[0]) + 1
        raise TableError(f"row {row} has no id", where=f"{where}, column {spec.id}", mend="give every row an id")
    return ids


def repeated(table: pa.Table, spec: Spec, columns: Sequence[str], where: str) -> NDArray[np.bool_]:
    """Marks rows that repeat an earlier one; raises TableError where two rows of one id differ in `columns`."""
    ids = identified(table, spec, where)
    again = ids.duplicated(keep=False).to_numpy()
    if again.any():
        frame = table.select(list(dict.fromkeys([spec.id, *columns]))).filter(pa.array(again)).to_pandas()
        different = frame.drop_duplicates()[spec.id].duplicated()
        if different.any():
            one = frame.drop_duplicates()[spec.id][different].iloc[0]
            raise TableError(
                f"id {one!r} stands for different rows ({int(different.sum())} such rows)",
                where=where,
                mend="give each row its own id",
            )
    return np.asarray(ids.duplicated().to_numpy())


def _once(table: pa.Table, spec: Spec, columns: Sequence[str], where: str, notices: Notices) -> pa.Table:
    again = repeated(table, spec, columns, where)
    if again.any():
        notices.add("duplicate_rows", f"{int(again.sum())} training rows repeat another row and count once")
        table = table.filter(pa.array(~again))
    return table


def _arms_of(table: pa.Table, spec: Spec) -> NDArray[np.object_]:
    column = pd.Series(table[spec.arm].to_pandas())
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():  # integers with a gap became floats
        column = column.astype("Int64")
    return np.array([None if pd.isna(value) else arm_name(value) for value in column.astype(object)], dtype=object)


def _all_arms(spec: Spec, seen: NDArray[np.object_], notices: Notices) -> tuple[str, ...]:
    present = set(map(str, seen))
    names = tuple(dict.fromkeys([*spec.named_arms(), *sorted(present)]))
    if len(seen):
        for name in names:
            if name not in present:
                what = "nothing can be compared with it" if name == spec.silence else "it is never chosen"
                notices.add("arm_not_in_training", f"arm {name!r} has no training row: {what}")
    if len(present) == 1:
        notices.add("one_arm_only", f"all training rows show {present.pop()!r}: there is no comparison")
    return names


def _probabilities(table: pa.Table, arms: NDArray[np.object_], spec: Spec, where: str) -> FloatArray:
    """P(the arm shown) of every row; rows without an arm get 1, they are left out."""
    shown = np.array([arm is not None for arm in arms], dtype=bool)
    if isinstance(spec.probability, str):
        found = number(table, spec.probability, where)
        wrong = np.flatnonzero(shown & ~((found > 0) & (found <= 1)))
        if len(wrong):
            raise TableError(
                f"{len(wrong)} probabilities are missing, 0 or less, or above 1, the first is {found[wrong[0]]:g} in row {wrong[0] + 1}",
                where=f"{where}, column {spec.probability}", mend="log the probability with which the arm was drawn",
            )  # fmt: skip
        return np.where(shown, found, 1.0)
    if unknown := sorted(set(map(str, arms[shown])) - set(spec.probability)):
        raise TableError(
            f"arms without a probability: {', '.join(map(repr, unknown))}", where=f"{where}, column {spec.arm}",
            mend="name every arm under `probability` in the spec",
        )  # fmt: skip
    return np.array([spec.probability[arm] if arm is not None else 1.0 for arm in arms], dtype=np.float64)


def _clusters(table: pa.Table, spec: Spec, notices: Notices) -> pd.Series[Any]:
    """What a row belongs to, as text; a row that belongs to nothing known stands for itself."""
    ids = pd.Series(table[spec.id].to_pandas()).astype(str)
    if spec.cluster is None:
        return ids
    found = pd.Series(table[spec.cluster].to_pandas())
    if (unknown := found.isna()).any():
        notices.add(
            "cluster_missing", f"{int(unknown.sum())} training rows have no {spec.cluster!r}; each stands for itself"
        )
    return found.astype(str).where(~unknown, "row " + ids)


def _mixed(values: pd.Series[Any], seed: int) -> NDArray[np.uint64]:
    """A number for each text that depends on the seed alone: an order and folds that the file's order does not change."""
    return np.asarray(
        pd.util.hash_array(values.to_numpy(dtype=object), hash_key=f"{seed:016d}"[-16:], categorize=False)
    )


def _hashes(table: pa.Table, spec: Spec, seed: int) -> NDArray[np.uint64]:
    return _mixed(pd.Series(table[spec.id].to_pandas()).astype(str), seed)
