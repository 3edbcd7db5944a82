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
MOST_REWARD = 1e15
MOST_LOST = 0.5
ENOUGH_TO_JUDGE = 20
FEWEST_CLUSTERS = 10
"""Below, what differs between clusters cannot be told from what differs between arms."""


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
    arms = _arms_of(table, spec, where)
    reward = number(table, spec.reward, where) * spec.margin
    if (np.abs(reward) > MOST_REWARD).any():
        raise TableError(
            f"a reward is infinite or above {MOST_REWARD:g}", where=f"{where}, column {spec.reward}", mend="correct or leave out the row"
        )  # fmt: skip
    known = np.array([arm is not None for arm in arms], dtype=bool)
    if not known.all():
        notices.add("arm_missing", f"{int((~known).sum())} rows without an arm were left out of the training")
    _note_lost(np.isnan(reward), arms, f"{where}, column {spec.reward}", notices)
    chance = _probabilities(table, arms, spec, where)
    kept = np.flatnonzero(known & ~np.isnan(reward))
    cluster_ids = _clusters(table, spec, where, notices)
    order = kept[np.lexsort((_hashes(table, spec, seed)[kept], _mixed(cluster_ids, seed)[kept]))]
    names = _all_arms(spec, arms[kept], where, notices)
    if (count := cluster_ids.iloc[kept].nunique()) < min(FEWEST_CLUSTERS, len(kept)):
        raise TableError(
            f"{len(kept)} rows belong to {count} values of {spec.cluster!r}", where=f"{where}, column {spec.cluster}",
            mend=f"at least {FEWEST_CLUSTERS} are needed: name what rows of one person share, or leave `cluster` out",
        )  # fmt: skip
    return Trial(
        names, np.array([names.index(str(arm)) for arm in arms[order]], dtype=np.int64), reward[order], chance[order],
        np.array([spec.cost.get(name, 0.0) for name in names]), pd.factorize(cluster_ids.to_numpy()[order])[0].astype(np.int64),
        {name: column.iloc[order].reset_index(drop=True) for name, column in feature_columns(table, spec, where).items()}, total,
    )  # fmt: skip


def _note_lost(missing: NDArray[np.bool_], arms: NDArray[np.object_], where: str, notices: Notices) -> None:
    """Name rows without a reward; raises TableError where they are most: then who has one says more than the reward does."""
    known = np.array([arm is not None for arm in arms], dtype=bool)
    lost = known & missing
    if not lost.any():
        return
    mend = "if an empty reward means that nothing was earned, write 0"
    if lost.sum() > MOST_LOST * known.sum() and known.sum() >= ENOUGH_TO_JUDGE:
        fault = f"{int(lost.sum())} of {int(known.sum())} rows have no reward"
        raise TableError(fault, where=where, mend=mend)
    counts = pd.Series(arms)[lost].value_counts().to_dict()
    notices.add(
        "reward_missing", f"{int(lost.sum())} rows without a reward were left out of the training: {counts}; {mend}"
    )


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
    ids = plain_values(table, spec.id, where)
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


def plain_values(table: pa.Table, name: str, where: str) -> pd.Series[Any]:
    """A column of ids as it came: whole numbers stay whole, also beside missing ones. Raises TableError for bytes and nested values."""
    kind = table.schema.field(name).type
    if pa.types.is_nested(kind) or any(
        check(kind) for check in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    ):
        raise TableError(f"is {kind}", where=f"{where}, column {name}", mend="give text or numbers, a UUID as text")
    return pd.Series(table[name].to_pandas(integer_object_nulls=True))


def _arms_of(table: pa.Table, spec: Spec, where: str) -> NDArray[np.object_]:
    column = plain_values(table, spec.arm, where)
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():  # 1.0 and 2.0 are arms 1 and 2
        column = column.astype("Int64")
    return np.array([None if pd.isna(value) else arm_name(value) for value in column.astype(object)], dtype=object)


def _all_arms(spec: Spec, seen: NDArray[np.object_], where: str, notices: Notices) -> tuple[str, ...]:
    present = set(map(str, seen))
    names = tuple(dict.fromkeys([*spec.named_arms(), *sorted(present)]))
    if len(seen) >= ENOUGH_TO_JUDGE and len(present) > 1 and spec.silence not in present:
        raise TableError(
            f"no row shows the silence arm {spec.silence!r}; there are {', '.join(map(repr, sorted(present)))}",
            where=f"{where}, column {spec.arm}", mend="name the arm that sends nothing under `silence`: without it nothing can be compared",
        )  # fmt: skip
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
        if len(set(map(str, arms[shown]))) > 1 and (found[shown] == 1).all():
            raise TableError(
                "every probability is 1, though there are several arms", where=f"{where}, column {spec.probability}",
                mend="log the probability of the arm that was drawn, not that something was drawn",
            )  # fmt: skip
        return np.where(shown, found, 1.0)
    if unknown := sorted(set(map(str, arms[shown])) - set(spec.probability)):
        raise TableError(
            f"arms without a probability: {', '.join(map(repr, unknown))}", where=f"{where}, column {spec.arm}",
            mend="name every arm under `probability` in the spec",
        )  # fmt: skip
    return np.array([spec.probability[arm] if arm is not None else 1.0 for arm in arms], dtype=np.float64)


def _clusters(table: pa.Table, spec: Spec, where: str, notices: Notices) -> pd.Series[Any]:
    """What a row belongs to, as text; a row that belongs to nothing known stands for itself."""
    ids = pd.Series(table[spec.id].to_pandas()).astype(str)
    if spec.cluster is None:
        return ids
    found = plain_values(table, spec.cluster, where)
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
