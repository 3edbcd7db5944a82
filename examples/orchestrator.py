"""A journey engine in one file: it plays the journey of one customer against a running service, with one call per step.

    export DIRIGENT_URL=http://127.0.0.1:8090 DIRIGENT_API_KEY=...
    python examples/orchestrator.py 1723

The service decides, this program executes. The answer says what to send and when, how long to wait for a reaction, and when to stop,
and holds a place for the first step. Right before sending, the place is confirmed: what is refused then is not sent. At the time-out
the plan's next step asks for a place of its own (`POST /v1/reservations`) and passes every gate again for that moment; where it may
not be sent the customer is arbitrated anew, and the service may answer with another journey or with silence. Sender and customer are
SIMULATED: a message that is sent is a printed line, and nobody reacts. Replace `Desk.send` and `Desk.reaction` by your own and keep
the rest.

A real engine keeps the moment of its next turn in a queue instead of sleeping, and reports a reaction when it comes instead of at the
time-out. Time is the service's own: it may run on a declared clock (`DIRIGENT_AS_OF`), so moments count from its `decided_at`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx

Plain = dict[str, Any]
Sending = Literal["sent", "refused", "stopped", "failed"]
CHANNELS = ("push", "email", "sms", "direct_mail")
"""What this engine can serve; the service chooses nothing else for it."""
TRIES, PAUSE_SECONDS = 3, 1.0


class Service:
    """The decision service. When the line breaks the same body is sent again: its id makes that harmless."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)

    def post(self, path: str, body: Plain) -> Plain:
        """The answer; the problem of a 409 has no `reservation_id` and no `reservation` but says why in `reason`. Ends the program with
        one line when the service refuses otherwise, or does not answer three times.
        """
        told = ""
        for _ in range(TRIES):
            try:
                response = self.http.post(path, json=body)
            except httpx.HTTPError as error:
                told = (
                    f"{self.http.base_url} does not answer ({type(error).__name__}); start it: dirigent serve --example"
                )
            else:
                if response.is_success or (response.status_code == 409 and "Retry-After" not in response.headers):
                    return dict(response.json())
                told = f"{path} answered {response.status_code}: {response.text}"
                if response.status_code < 500 and response.status_code != 409:
                    break
            time.sleep(PAUSE_SECONDS)
        sys.exit(f"orchestrator: {told}")


class Desk:
    """Where the engine meets the world, simulated: the clock, the senders (those of channels in `down` fail), the customer.

    `reactions`: treatment -> the type of outcome that follows from it, such as `clicked` or `converted`. `settled`: treatments before
    which something of their `stop_if` happens without them, such as a purchase.
    """

    def __init__(
        self, reactions: Mapping[str, str] | None = None, down: Collection[str] = (), settled: Collection[str] = ()
    ) -> None:
        self.reactions, self.down, self.settled = reactions or {}, down, settled
        self.set_clock(datetime.now(UTC))

    def set_clock(self, moment: datetime) -> None:
        """The service's time is `moment` now."""
        self._told, self._noted = moment, time.monotonic()

    def now(self) -> datetime:
        """The service's time."""
        return self._told + timedelta(seconds=time.monotonic() - self._noted)

    def wait_until(self, moment: datetime) -> None:
        """Do nothing until then."""
        time.sleep(max(0.0, (moment - self.now()).total_seconds()))

    def send(self, customer: str, step: Plain) -> bool:
        """Hand the message to its sender, who knows the address (the service never does); False when that failed."""
        self.say(f"simulated sender: {step['treatment']} to customer {customer}")
        return step["channel"] not in self.down

    def stopped(self, step: Plain) -> bool:
        """Whether something of the step's `stop_if` has happened since the decision; your shop knows."""
        return step["treatment"] in self.settled

    def reaction(self, step: Plain) -> str | None:
        """What the customer has done since the step was sent, as an outcome's type."""
        return self.reactions.get(step["treatment"])

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"{self.now():%a %d %b %H:%M} UTC  {text}", flush=True)


def play(service: Service, customer: str, desk: Desk) -> list[Plain]:
    """Ask, play what is answered, ask again, until the journey ends; the answers in order."""
    run, answers, channels, ends_at = uuid.uuid4().hex[:12], list[Plain](), list(CHANNELS), None
    while channels:
        body = {"request_id": f"run-{run}-{len(answers)}", "customer": {"id": customer}, "channels": channels}
        answer = service.post("/v1/decisions", body)
        answers.append(answer)
        desk.set_clock(_moment(answer["decided_at"]))
        desk.say(answer["explanation"]["en"])
        if answer["outcome"] == "silence":
            if ends_at is None or _moment(answer["valid_until"]) >= ends_at:
                break  # nothing is running, or it will be over when it is worth asking again
            desk.wait_until(_moment(answer["valid_until"]))
            continue
        ends_at = ends_at or _moment(answer["plan"][0]["expires_at"])
        failed = _follow(service, customer, answer, desk)
        if failed is None:
            break
        channels = [channel for channel in channels if channel != failed]
    return answers


def _follow(service: Service, customer: str, answer: Plain, desk: Desk) -> str | None:
    """Play the plan of one answer. None: the journey has ended; else the customer is to be asked about anew, without the channel that
    is returned ("" for none), which cannot be served.
    """
    for number, step in enumerate(answer["plan"]):
        place = _next_place(service, answer, number, desk) if number else answer["reservation"]
        if place is None:
            return ""
        if place.get("review") == "required":
            desk.say("a person must approve this contact first: the run ends here")
            return None
        sending = _send(service, customer, answer, desk, number=number, place=place)
        if sending == "failed":
            return str(step["channel"])
        if sending == "refused":
            return ""
        if sending == "stopped" or _engaged(service, answer, number, desk):
            return None
    desk.say("nothing was to follow: the journey ends")
    return None


def _next_place(service: Service, answer: Plain, number: int, desk: Desk) -> Plain | None:
    """The place of a later step, with its own moment; None when it may not be sent now."""
    body = {"request_id": f"{answer['decision_id']}-{number}", "decision_id": answer["decision_id"], "step": number}
    told = service.post("/v1/reservations", body)
    if "reservation" not in told:
        desk.say(f"step {number} may not be sent now ({told.get('reason', told['detail'])})")
        return None
    answer["plan"][number] |= {name: told[name] for name in ("send_at", "window")}
    return dict(told["reservation"])


def _send(service: Service, customer: str, answer: Plain, desk: Desk, *, number: int, place: Plain) -> Sending:
    """Send a step in its time: confirm its place, hand the message over, report that. What is not sent gives its place back."""
    step, mine = answer["plan"][number], f"/v1/reservations/{place['id']}"
    desk.wait_until(_moment(step["send_at"]))
    if desk.stopped(step):
        service.post(f"{mine}/release", {"epoch": place["epoch"], "reason": "stop_if"})
        desk.say("not sent (something of its stop_if happened)")
        return "stopped"
    told = service.post(f"{mine}/confirm", {"epoch": place["epoch"]})
    if told.get("state") != "confirmed":
        desk.say(f"not sent ({told.get('reason', told['detail'])})")
        return "refused"
    if not desk.send(customer, step):
        _report(service, answer, number, "not_sent", desk)
        desk.say("not sent (the sender failed)")
        return "failed"
    _report(service, answer, number, "delivered", desk)
    return "sent"


def _engaged(service: Service, answer: Plain, number: int, desk: Desk) -> bool:
    """Wait for a reaction; whether one came, which ends the journey."""
    step = answer["plan"][number]
    desk.wait_until(_moment(step["send_at"]) + timedelta(hours=step["wait_hours"]))
    reaction = desk.reaction(step)
    if reaction is None:
        desk.say("no reaction")
        return False
    _report(service, answer, number, reaction, desk)
    why = "one of stop_if" if reaction in step["stop_if"] else f"the plan goes on if {step['advance_if']}"
    desk.say(f"{reaction}: the journey ends ({why})")
    return True


def _report(service: Service, answer: Plain, number: int, kind: str, desk: Desk) -> None:
    decision = answer["decision_id"]
    told = {"id": f"{decision}-{number}-{kind}", "source": "orchestrator", "decision_id": decision, "step": number}
    service.post("/v1/outcomes", told | {"type": kind, "occurred_at": desk.now().isoformat()})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main() -> None:
    """Read the command line and the environment, and play."""
    parser = argparse.ArgumentParser(
        description="Play the journey of one customer against a running Dirigent; sender and customer are simulated.",
        epilog="DIRIGENT_URL names the service (default http://127.0.0.1:8090), DIRIGENT_API_KEY its key (dirigent key create NAME).",
    )
    parser.add_argument("customer", help="a customer_id of the shop")
    customer = parser.parse_args().customer
    if not (key := os.environ.get("DIRIGENT_API_KEY")):
        sys.exit("orchestrator: no API key; make one: export DIRIGENT_API_KEY=$(dirigent key create orchestrator)")
    try:
        play(Service(os.environ.get("DIRIGENT_URL", "http://127.0.0.1:8090"), key), customer, Desk())
    except KeyboardInterrupt:
        sys.exit("orchestrator: stopped; what is reserved and not confirmed is given back when its lease ends")


if __name__ == "__main__":
    main()
