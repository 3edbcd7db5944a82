"""Check the structure of a LightGBM text model before the library sees it: the library trusts it and crashes on one wrong number.

Checked: the header's counts and byte sizes, every node's feature, children and decision type, that each tree is a tree, and
that thresholds and leaves are finite. What the check does not know it refuses (categories, linear leaves).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from arbitration.errors import BundleError

MEND = "Run `dirigent promote` to export it again."
DEFAULT_LEFT, MISSING_KINDS = 0b10, (0b0000, 0b0100, 0b1000)
PROBABILITIES, AMOUNTS = "binary sigmoid:1", "tweedie"
"""Objectives as LightGBM writes them: of models with link `logit`, and with link `log`."""
NODE_FIELDS = ("split_feature", "threshold", "decision_type", "left_child", "right_child")


def check_trees(text: str, columns: int, where: str, objective: str = PROBABILITIES) -> int:
    """Number of trees of a sound model over `columns` features with this objective; raises BundleError naming the first fault."""
    try:
        return _check(text, columns, objective)
    except (ValueError, KeyError, IndexError) as error:
        raise BundleError(f"is not a sound LightGBM model ({error})", where=where, mend=MEND) from error


def _check(text: str, columns: int, objective: str) -> int:
    head, _, rest = text.partition("\n\n")
    header = _fields(head)
    if (header["version"], header["num_class"], header["num_tree_per_iteration"]) != ("v4", "1", "1"):
        raise ValueError("unknown version or more than one class")
    if int(header["max_feature_idx"]) + 1 != columns or len(header["feature_names"].split()) != columns:
        raise ValueError(f"it does not read {columns} features")
    if header["objective"] != objective:
        raise ValueError(f"its objective is not {objective.split(maxsplit=1)[0]}")
    blocks = _trees(rest, [int(size) for size in header["tree_sizes"].split()])
    for number, block in enumerate(blocks):
        if not block.startswith(f"Tree={number}\n"):
            raise ValueError(f"tree {number} is not where it should be")
        _check_tree(_fields(block), number, columns)
    return len(blocks)


def _trees(rest: str, sizes: list[int]) -> list[str]:
    """The tree blocks by the header's byte sizes, which LightGBM uses to jump; ASCII, so bytes are characters."""
    if not rest.isascii():
        raise ValueError("it is not ASCII")
    blocks, start = [], 0
    for size in sizes:
        blocks.append(rest[start : start + size])
        start += size
    if not sizes or not rest[start:].startswith("end of trees"):
        raise ValueError("the tree sizes do not add up")
    return blocks


def _check_tree(tree: Mapping[str, str], number: int, columns: int) -> None:
    leaves = int(tree["num_leaves"])
    if leaves < 1 or tree["num_cat"] != "0" or tree.get("is_linear", "0") != "0":
        raise ValueError(f"tree {number} has no leaves, categories or linear leaves")
    values = [float(value) for value in tree["leaf_value"].split()]
    if len(values) != leaves or not all(map(math.isfinite, values)) or not math.isfinite(float(tree["shrinkage"])):
        raise ValueError(f"tree {number} has wrong leaves")
    nodes = {name: tree[name].split() if leaves > 1 else [] for name in NODE_FIELDS}
    if any(len(column) != leaves - 1 for column in nodes.values()):
        raise ValueError(f"tree {number} has columns of different length")
    if not all(0 <= int(feature) < columns for feature in nodes["split_feature"]):
        raise ValueError(f"tree {number} splits on a feature that does not exist")
    if not all(int(kind) & ~DEFAULT_LEFT in MISSING_KINDS for kind in nodes["decision_type"]):
        raise ValueError(f"tree {number} has an unknown decision type")
    if any(math.isnan(float(threshold)) for threshold in nodes["threshold"]):
        raise ValueError(f"tree {number} has a threshold that is not a number")
    _check_links([int(child) for side in ("left_child", "right_child") for child in nodes[side]], leaves, number)
    if leaves > 1:
        _check_counts(tree, leaves, number)


def _check_links(children: list[int], leaves: int, number: int) -> None:
    """Every node but the root and every leaf is a child exactly once, and of a node before it: so there is no cycle."""
    if leaves > 1 and sorted(children) != sorted([*range(-leaves, 0), *range(1, leaves - 1)]):
        raise ValueError(f"tree {number} is not a tree")
    half = len(children) // 2
    if any(0 <= child <= at % half for at, child in enumerate(children) if half):
        raise ValueError(f"tree {number} has a cycle")


def _check_counts(tree: Mapping[str, str], leaves: int, number: int) -> None:
    """TreeSHAP divides by these counts."""
    counts = [*tree["leaf_count"].split(), *tree["internal_count"].split()]
    if len(counts) != 2 * leaves - 1 or not all(int(count) > 0 for count in counts):
        raise ValueError(f"tree {number} has wrong row counts")


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
