"""Sinks one by one: the file survives crashes and rotation, the webhook follows the answers, Kafka is asked for all it can promise."""

from __future__ import annotations

import base64
import json
import stat
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.errors import InputError, StateError
from features.home import Home
from serving.outbox import webhook
from serving.outbox.backoff import LONGEST, LONGEST_SLOW, seconds_until
from serving.outbox.events import Event
from serving.outbox.jsonl import JsonLines
from serving.outbox.kafka import Topic, settings_of
from serving.outbox.sinks import Failure, by_subject, open_sinks, waves
from serving.outbox.webhook import Webhook, checked, judged, name_of, seconds_of, signature
from tests.contracts.relaying import SECRET, Receiver, receiver

SOON = float("inf")


def event(number: int = 1, subject: str = "s-1", **data: object) -> Event:
    return Event(number, f"e-{number}", subject, number, 0, "dirigent.decision.made.v1", 1_514_905_200_000_000, data)


def test_an_event_is_a_cloud_event():
    assert json.loads(event(7, n=1).cloud_event("shop")) == {
        "specversion": "1.0", "id": "e-7", "source": "urn:dirigent:shop", "type": "dirigent.decision.made.v1",
        "subject": "s-1", "time": "2018-01-02T15:00:00.000000Z", "datacontenttype": "application/json",
        "partitionkey": "s-1", "sequence": "00000000000000000007.000000", "data": {"n": 1},
    }  # fmt: skip


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.integers(0, 999_999), st.integers(0, 999_999))
def test_sequences_sort_as_text(version, other, place, further):
    def sequence(one: int, two: int) -> str:
        made = Event(1, "e", "s", one, two, "t", 0, {})
        return json.loads(made.cloud_event("shop"))["sequence"]

    assert (sequence(version, place) < sequence(other, further)) == ((version, place) < (other, further))


def test_a_file_is_for_its_owner_and_a_torn_line_is_cut_off(tmp_path):
    path = tmp_path / "events" / "outbox.jsonl"
    sink = JsonLines(path, "shop")
    assert sink.offer([event(1), event(2)], SOON) == {1: None, 2: None}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    whole = path.read_bytes()
    sink.close()
    with path.open("ab") as file:
        file.write(b'{"half":"' + b"x" * 200_000)
    sink = JsonLines(path, "shop")
    sink.offer([event(3)], SOON)
    assert path.read_bytes() == whole + event(3).cloud_event("shop") + b"\n"
    path.write_bytes(b"no line end at all")
    sink.close()
    sink.offer([event(4)], SOON)
    assert path.read_bytes() == event(4).cloud_event("shop") + b"\n"
    assert sink.offer([event(5)], time.monotonic() - 1) == {}
    sink.close()


def test_a_full_file_is_kept_beside_and_one_that_was_moved_away_is_made_anew(tmp_path):
    sink = JsonLines(tmp_path / "outbox.jsonl", "shop", rotate_bytes=300)
    for number in range(1, 6):
        sink.offer([event(number)], SOON)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["outbox.000001.jsonl", "outbox.000002.jsonl", "outbox.jsonl"]
    kept = b"".join((tmp_path / name).read_bytes() for name in names)
    assert [json.loads(line)["id"] for line in kept.splitlines()] == [f"e-{number}" for number in range(1, 6)]
    (tmp_path / "outbox.jsonl").rename(tmp_path / "elsewhere")
    sink.offer([event(9)], SOON)
    assert json.loads((tmp_path / "outbox.jsonl").read_text())["id"] == "e-9"
    sink.close()


def test_a_file_that_cannot_be_written_holds_everything_up(tmp_path):
    (tmp_path / "file").write_text("")
    sink = JsonLines(tmp_path / "file" / "outbox.jsonl", "shop")
    told = sink.offer([event(1), event(2)], SOON)
    assert list(told) == [1]
    assert told[1].everyone
    assert str(tmp_path) not in told[1].reason


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None), (204, None), (299, None),
        (301, Failure("HTTP 301", slow=True)), (400, Failure("HTTP 400", slow=True)),
        (404, Failure("HTTP 404", slow=True)), (408, Failure("HTTP 408")), (500, Failure("HTTP 500")),
        (429, Failure("HTTP 429", 7.0, everyone=True)), (503, Failure("HTTP 503", 7.0, everyone=True)),
    ],
)  # fmt: skip
def test_every_answer_of_a_receiver_has_its_meaning(status, failure):
    assert judged(status, "7" if status in (429, 503) else None) == failure


def test_a_receiver_says_when_to_come_again_in_seconds_or_as_a_date():
    assert seconds_of("120") == 120
    assert seconds_of("999999999999") == webhook.LONGEST_WAIT
    assert 25 < seconds_of(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)) <= 30
    assert seconds_of(format_datetime(datetime(2000, 1, 1, tzinfo=UTC), usegmt=True)) == 0
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 -0000") == 0
    assert [seconds_of(text) for text in ("soon", "-1", "", "²", "1e9")] == [None] * 5


def test_a_signature_is_that_of_standard_webhooks():
    """The example of the specification's own libraries."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


class Redirects(Receiver):
    """Sends everybody elsewhere."""

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        self.got.append({})
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(307)
        self.send_header("location", self.path)
        self.send_header("content-length", "0")
        self.end_headers()


class Chatters(Receiver):
    """Accepts, and answers without an end."""

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(1000):
            try:
                self.wfile.write(b"x" * 4096)
            except OSError:
                return


class Sleeps(Receiver):
    """Answers too late."""

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        time.sleep(0.5)


def told_to(handler: type[Receiver], *events: Event, timeout: float = 5.0, **more: object):
    with receiver(handler, **more) as (url, got):
        sink = Webhook(checked(url), SECRET, "shop", timeout)
        try:
            return sink.offer(events, SOON), got
        finally:
            sink.close()


def test_a_webhook_is_told_each_event_signed():
    told, got = told_to(Receiver, event(1), event(2, "s-2"), event(3), fails=False)
    assert told == {1: None, 2: None, 3: None}
    assert sorted(one["id"] for one in got) == ["e-1", "e-2", "e-3"]


def test_a_webhook_follows_no_redirect_and_reads_no_endless_answer():
    told, got = told_to(Redirects, event(1), event(2))
    assert told == {1: Failure("HTTP 307", slow=True)}
    assert len(got) == 1
    assert told_to(Chatters, event(1))[0] == {1: None}


def test_a_receiver_that_is_slow_or_gone_is_away_for_everyone():
    slow, _ = told_to(Sleeps, event(1), event(2), timeout=0.1)
    assert slow == {1: Failure("no answer within 0.1 s", everyone=True)}
    with receiver() as (url, _):
        pass
    sink = Webhook(checked(url), SECRET, "shop")
    assert sink.offer([event(1)], SOON) == {1: Failure("no connection (ConnectError)", everyone=True)}
    sink.close()


@pytest.mark.parametrize(
    "address", ["ftp://host/x", "file:///etc/passwd", "http://", "https://name:word@host/", "https://host/#x", "jsonl:",
                "kafka:host/x", "kafka:host:1", "kafka:host:1/to pic", "x", ""],
)  # fmt: skip
def test_a_wrong_address_is_refused_and_not_quoted(address, tmp_path):
    with pytest.raises(InputError) as refused:
        open_sinks([address], Home(tmp_path), "shop")
    assert "word" not in str(refused.value).replace("password", "")


def test_a_sink_is_named_once_and_its_secrets_never(tmp_path):
    with pytest.raises(InputError, match="twice"):
        open_sinks([None, f"jsonl:{tmp_path}/events/../events/outbox.jsonl"], Home(tmp_path), "shop")
    hidden = name_of(checked("https://host/x?token=abc"))
    assert "abc" not in hidden
    assert hidden != name_of(checked("https://host/x?token=abd"))
    [sink] = open_sinks(["https://host/x"], Home(tmp_path), "shop")
    assert sink.name == "https://host/x"
    assert stat.S_IMODE((tmp_path / "keys" / "webhook").stat().st_mode) == 0o600
    sink.close()


def test_without_the_extra_kafka_is_refused_in_words_that_help(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(StateError, match=r"pip install 'dirigent\[kafka\]'"):
        open_sinks(["kafka:127.0.0.1:9092/events"], Home(tmp_path), "shop")


def test_a_topic_gets_every_event_in_order_for_each_subject():
    """Over librdkafka's own mock cluster: the real client and the real protocol."""
    kafka = pytest.importorskip("confluent_kafka")
    producer = kafka.Producer(settings_of("127.0.0.1:1") | {"test.mock.num.brokers": 1})
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    sink = Topic(producer, "mock:1", "events", "shop")
    events = [event(number, f"s-{number % 3}") for number in range(1, 31)]
    assert sink.offer(events, SOON) == dict.fromkeys(range(1, 31))
    place = {"bootstrap.servers": f"{broker.host}:{broker.port}", "group.id": "test", "auto.offset.reset": "earliest"}
    consumer = kafka.Consumer(place)
    consumer.subscribe(["events"])
    got, until = [], time.monotonic() + 30
    while len(got) < 30 and time.monotonic() < until:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            got.append((message.key().decode(), json.loads(message.value())))
    consumer.close()
    sink.close()
    assert all(key == told["subject"] for key, told in got)
    for row in by_subject(events):
        assert [told["id"] for key, told in got if key == row[0].subject] == [one.event_id for one in row]


def test_brokers_that_are_away_hold_everything_up(monkeypatch):
    kafka = pytest.importorskip("confluent_kafka")
    monkeypatch.setattr("serving.outbox.kafka.TIMEOUT_SECONDS", 0.5)
    sink = Topic(kafka.Producer(settings_of("127.0.0.1:1")), "127.0.0.1:1", "events", "shop")
    told = sink.offer([event(1), event(2)], SOON)
    sink.close()
    assert list(told) == [1]
    assert told[1].everyone


def test_settings_of_a_producer_promise_what_can_be_promised():
    found = settings_of("a:1")
    assert (found["acks"], found["enable.idempotence"]) == ("all", True)


@given(st.lists(st.sampled_from("abc"), max_size=20))
def test_waves_hold_a_subject_once_and_keep_its_order(subjects):
    events = [event(number, subject) for number, subject in enumerate(subjects)]
    found = list(waves(events))
    assert all(len({one.subject for one in wave}) == len(wave) for wave in found)
    flat = [one for wave in found for one in wave]
    assert by_subject(flat) == by_subject(events)


@given(st.integers(1, 10_000), st.floats(0, 1), st.booleans(), st.none() | st.floats(0, 3600))
def test_backoff_grows_to_its_limit_and_waits_at_least_as_long_as_asked(attempts, share, slow, wait):
    failure = Failure("x", wait, slow=slow)
    seconds = seconds_until(failure, attempts, share)
    assert (wait or 0) <= seconds <= max(wait or 0, LONGEST_SLOW if slow else LONGEST)
    assert seconds >= min(0.5 * 2 ** min(attempts - 1, 20), LONGEST / 2)
    assert seconds_until(failure, attempts + 1, share) >= seconds
