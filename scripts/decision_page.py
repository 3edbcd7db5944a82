"""Write the computed parts of `docs/decision.md` anew: `python -m scripts.decision_page`, after `make demo`.

The page holds text, and between `<!-- computed: NAME -->` and `<!-- end -->` what `scripts/decision_parts.py` makes of one decision. A
test computes the parts again and fails when page and engine differ. The decision rests on the home's tables, features and models alone:
its ledger is a new one, so that what a service has decided since plays no part; the draw is fixed; and the household is taken out of
the holdout, into which a salt may have put it.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from arbitration.counterfactual import counterfactuals
from arbitration.decide import decide
from arbitration.errors import DirigentError, StateError
from arbitration.explain import explain
from arbitration.sensitivity import sensitivity
from features.home import Home
from features.tables.example import AS_OF
from scripts.decision_parts import PARTS, Walk
from serving.answers import NAMES
from serving.bootstrap import Runtime, build
from serving.context import build_context
from serving.estimates import estimates
from serving.schemas import CustomerRef, DecisionRequest
from serving.settings import Settings

HOUSEHOLD = "1723"
DRAW = 0.0
"""The favorite stands first, so that this draw falls on it."""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "decision.md"
BLOCK = re.compile(r"(<!-- computed: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def walk(home: Home, household: str = HOUSEHOLD) -> Walk:
    """The decision of the page with all that led to it. Raises `DirigentError` when the home is not prepared."""
    with _runtime(home) as runtime, runtime.ledger.reading() as reading:
        request = DecisionRequest(request_id="page", customer=CustomerRef(id=household))
        context = replace(build_context(runtime, reading, request, AS_OF)[0], holdout=False)
        policy, bundle = runtime.policy, runtime.bundle
        believed = estimates(bundle, policy, context, AS_OF)
        decision = decide(context, believed, policy, decision_id="d-page", now=AS_OF, draw=DRAW)
        weighed = sensitivity(decision, believed, policy)
        changes = counterfactuals(
            context,
            believed,
            policy,
            decision,
            draw=DRAW,
            believe=lambda other: estimates(bundle, policy, other, AS_OF),
        )
        told = {
            lang: explain(
                decision, policy, names=NAMES, attributions=(), lang=lang, features=context.features,
                sensitivity=weighed, counterfactuals=changes,
            )
            for lang in ("en", "de")
        }  # fmt: skip
    return Walk(context, believed, policy, decision, told["en"], told["de"])


@contextmanager
def _runtime(home: Home) -> Iterator[Runtime]:
    """The service's parts over the home, with an empty ledger of their own."""
    with tempfile.TemporaryDirectory() as folder:
        for kept in (home.tables, home.features, home.feast, home.bundles):
            (Path(folder) / kept.name).symlink_to(kept)
        if home.keys.exists():
            shutil.copytree(home.keys, Path(folder) / home.keys.name)
        runtime = build(Settings(home=Path(folder), as_of=AS_OF, log_level="error"))
        try:
            yield runtime
        finally:
            runtime.close()


def rewritten(page: str, given: Walk) -> str:
    """The page with every computed part made anew. Raises `StateError` when page and parts do not name the same."""
    names = [name for _, name, _ in BLOCK.findall(page)]
    if sorted(names) != sorted(PARTS):
        raise StateError(
            f"holds the parts {', '.join(names)}", where=str(PAGE), mend=f"It must hold: {', '.join(PARTS)}."
        )
    return BLOCK.sub(lambda found: f"{found[1]}\n{PARTS[found[2]](given)}\n\n{found[3]}", page)


def main() -> None:
    """Rewrite the page from the home that `DIRIGENT_HOME` names."""
    PAGE.write_text(rewritten(PAGE.read_text(), walk(Home.from_environment())))
    print(f"{PAGE.name} is written")


if __name__ == "__main__":
    try:
        main()
    except DirigentError as fault:
        sys.exit(str(fault))
