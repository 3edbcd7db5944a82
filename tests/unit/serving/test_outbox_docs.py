"""docs/events.md names every event that the service sends, and every field of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain, product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "events.md"
FILES = sorted((ROOT / "serving").rglob("*.py"))
Function = ast.FunctionDef


def functions() -> dict[str, list[tuple[Path, Function]]]:
    found: dict[str, list[tuple[Path, Function]]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                found.setdefault(node.name, []).append((path, node))
    return found


FUNCTIONS = functions()


def emitted() -> Iterator[tuple[str, set[str]]]:
    """Every `….emit(type, data)`: the type, once for each text that it may be; the fields that the data may have."""
    for pairs in FUNCTIONS.values():
        for path, function in pairs:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit":
                    kind, data = node.args
                    for one in texts_of(kind, function, path):
                        yield one, fields_of(data, function, path)


def texts_of(node: ast.expr, function: Function, path: Path) -> set[str]:
    """What a text may be: written out, with gaps, one of two, given to a name, or given by a caller of the function."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.FormattedValue(value=value):
            return texts_of(value, function, path)
        case ast.JoinedStr(values=parts):
            return set(map("".join, product(*(texts_of(part, function, path) for part in parts))))
        case ast.IfExp(body=body, orelse=orelse):
            return texts_of(body, function, path) | texts_of(orelse, function, path)
        case ast.Name(id=name) if name in (names := [argument.arg for argument in function.args.args]):
            found = [texts_of(call.args[names.index(name)], *where) for call, *where in calls_of(function, path)]
            return set().union(*found)
        case ast.Name(id=name):
            return set().union(*(texts_of(one, function, path) for one in assigned(name, function)))
    raise AssertionError(f"{path}: a type of event that cannot be read off: {ast.unparse(node)}")


def calls_of(called: Function, path: Path) -> Iterator[tuple[ast.Call, Function, Path]]:
    """Where a function is called by its name; one whose name begins with _ only in its own file."""
    for where, caller in chain.from_iterable(FUNCTIONS.values()):
        for node in ast.walk(caller):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == called.name
            if named and (where == path or not called.name.startswith("_")):
                yield node, caller, where  # type: ignore[misc]


def fields_of(node: ast.expr, function: Function, path: Path) -> set[str]:
    """The keys that a dict may have: written out, made from a list of names, joined, or returned by a function of the service."""
    match node:
        case ast.Dict(keys=keys):
            return {str(ast.literal_eval(key)) for key in keys if key is not None}
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return fields_of(left, function, path) | fields_of(right, function, path)
        case ast.IfExp(body=body, orelse=orelse):
            return fields_of(body, function, path) | fields_of(orelse, function, path)
        case ast.DictComp(generators=[ast.comprehension(iter=names)]):
            return set(ast.literal_eval(one_of(assigned(names.id, function)) if isinstance(names, ast.Name) else names))
        case ast.Name(id=name):
            return set().union(*(fields_of(one, function, path) for one in assigned(name, function)))
        case ast.Call(func=ast.Name(id=name)):
            pairs = FUNCTIONS[name]
            where, called = next((pair for pair in pairs if pair[0] == path), pairs[0])
            returned = [one.value for one in ast.walk(called) if isinstance(one, ast.Return) and one.value]
            return set().union(*(fields_of(one, called, where) for one in returned))
    raise AssertionError(f"{path}: data of an event that cannot be read off: {ast.unparse(node)}")


def assigned(name: str, function: Function) -> list[ast.expr]:
    found = [node.value for node in ast.walk(function) if is_assigned(name, node)]  # type: ignore[attr-defined]
    assert found, f"{function.name}: {name}"
    return found


def is_assigned(name: str, node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    kinds = ast.Assign | ast.AnnAssign | ast.AugAssign
    return isinstance(node, kinds) and any(isinstance(one, ast.Name) and one.id == name for one in targets)


def one_of(found: list[ast.expr]) -> ast.expr:
    assert len(found) == 1
    return found[0]


def documented() -> dict[str, set[str]]:
    """Per type the fields of its table."""
    parts = re.split(r"^### `([\w.]+)`$", PAGE.read_text(), flags=re.MULTILINE)
    rows = {kind: text.partition("\n## ")[0] for kind, text in zip(parts[1::2], parts[2::2], strict=True)}
    return {kind: set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) for kind, text in rows.items()}


def test_every_event_is_documented_with_every_field_and_no_other():
    wanted: dict[str, set[str]] = {}
    for kind, fields in emitted():
        wanted.setdefault(kind, set()).update(fields)
    assert len(wanted) > 8
    assert documented() == wanted


def test_types_are_named_alike():
    assert not [kind for kind in documented() if not re.fullmatch(r"dirigent\.[a-z_]+\.[a-z_]+\.v\d+", kind)]


def test_the_check_follows_how_data_is_made():
    text = "def f(x):\n  told = {'a': 1}\n  if x: told |= {'b': 2}\n  return told | ({'c': 3} if x else {})"
    function = one_function(text)
    returned = next(node for node in ast.walk(function) if isinstance(node, ast.Return))
    assert returned.value
    assert fields_of(returned.value, function, PAGE) == {"a", "b", "c"}


def one_function(text: str) -> Function:
    found = ast.parse(text).body[0]
    assert isinstance(found, Function)
    return found
