"""The peer's side of `vowpal`: runs under the Python that has vowpalwabbit, and knows nothing of this project.

`python peer_vw.py SEED NAME...` reads messages on standard input and answers each on standard output; NAME is an action as
`journey/channel`, or one word. A message is an npz behind its length (8 bytes, big-endian), without pickles; a length of 0 ends. In:
what to learn from (`features`, `shown`, `action`, `probability`, `cost`), then whom to answer (`asked`, `asked_shown`; `shown` has shape
(rows, actions)). Out: `odds` (rows, actions), 0 where an action was not shown.
"""

from __future__ import annotations

import io
import sys
from typing import IO, Any

import numpy as np

OPTIONS = "--cb_explore_adf --cb_type mtr --epsilon 0.05 -q SA --quiet"
"""S: what is known of the customer, A: the action. All else is Vowpal Wabbit's default."""


def received(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None at the end."""
    size = int.from_bytes(stream.read(8), "big")
    return dict(np.load(io.BytesIO(stream.read(size)))) if size else None


def sent(stream: IO[bytes], **arrays: Any) -> None:
    """Write a message."""
    text = io.BytesIO()
    np.savez(text, **arrays)
    stream.write(len(text.getvalue()).to_bytes(8, "big") + text.getvalue())
    stream.flush()


def shared(features: Any) -> list[str]:
    """The line of every row that all its actions share; one formatting of the row, which is most of the work."""
    form = "shared |S " + " ".join(f"f{number}:%.5g" for number in range(features.shape[1]))
    return [form % tuple(row) for row in features.tolist()]


def described(name: str) -> str:
    """An action by its name and by the parts of it, so that what is learned of a channel serves all its journeys."""
    parts = name.split("/")
    return " ".join(["|A", f"a={name}", *(f"p{number}={part}" for number, part in enumerate(parts) if len(parts) > 1)])


def learn(model: Any, actions: list[str], message: dict[str, Any]) -> None:
    """One example per row: what it cost to do what was done."""
    rows = zip(
        shared(message["features"]), message["shown"], message["action"].tolist(), message["cost"].tolist(),
        message["probability"].tolist(), strict=True,
    )  # fmt: skip
    for line, shown, done, cost, probability in rows:
        label = f"0:{cost:.6g}:{probability:.6g} "
        model.learn([line, *(label + actions[k] if k == done else actions[k] for k in np.flatnonzero(shown).tolist())])


def answer(model: Any, actions: list[str], message: dict[str, Any]) -> Any:
    """The odds of every action."""
    odds = np.zeros(message["asked_shown"].shape)
    for number, (line, shown) in enumerate(zip(shared(message["asked"]), message["asked_shown"], strict=True)):
        which = np.flatnonzero(shown)
        odds[number, which] = model.predict([line, *(actions[k] for k in which.tolist())])
    return odds


def main() -> None:
    """Learn and answer until the other side ends."""
    from vowpalwabbit import Workspace

    model = Workspace(f"{OPTIONS} --random_seed {sys.argv[1]}")
    actions = [described(name) for name in sys.argv[2:]]
    while (message := received(sys.stdin.buffer)) is not None:
        learn(model, actions, message)
        sent(sys.stdout.buffer, odds=answer(model, actions, message))


if __name__ == "__main__":
    main()
