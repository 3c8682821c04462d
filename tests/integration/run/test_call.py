"""Webhooks are called until they are taken, under one key, and the journey goes on from there."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Network
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from channels.webhook import CallEnd, Caller, RecordingCaller, WebhookRequest
from channels.webhook_http import HttpCaller
from engine.config import Config, Organisation
from engine.config.environment import fill_in
from engine.run.call import GIVE_UP, CallDesk, call
from engine.run.hold import resume, stop
from engine.run.machines import Machines
from engine.run.settings import fixed
from engine.run.status import status
from engine.run.why import CALL_REASONS, why
from engine.store.holds import Hold
from engine.tables import call as call_table
from tests.integration.run.town import NOON, ZONE, Town
from tests.receiver import Receiver, receiving

HERE = (IPv4Network("127.0.0.1/32"),)
ENVIRONMENT = {"CRM_SECRET": "whsec_" + base64.b64encode(b"a key that nobody guesses").decode(), "CRM_TOKEN": "t0ken"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@dataclass
class Telephone:
    town: Town
    caller: Caller

    def call(self) -> int:
        desk = CallDesk(self.town.engine, self.town.machines, self.caller, lambda: self.town.now)
        return call(desk)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        with self.town.engine.connect() as conn:
            wanted = [call_table.c[name] for name in columns or ("state", "reason", "status", "attempts")]
            return [tuple(row) for row in conn.execute(select(*wanted).order_by(call_table.c.id))]


@pytest.fixture
def phone(town: Town) -> Telephone:
    town.machines = Machines(settings=fixed(Config(Organisation("Toko Nada", None, ZONE, "id", "ID"), {})))
    return Telephone(town, HttpCaller(partial(fill_in, environment=ENVIRONMENT), HERE))


def begin(town: Town, webhook: str, on_failure: str = "continue") -> int:
    town.apply(
        f"""
        journey: j
        topic: offers
        trigger: {{event: began}}
        exit: [{{event: left}}]
        steps:
          - id: crm
            webhook: {webhook}
            on_failure: {on_failure}
          - exit: called
        """
    )
    ani = town.person("ani", first_name="Ani")
    town.does(ani, "began", cart="c1", total=5)
    town.settle()
    return ani


def test_a_webhook_says_what_is_written_signed_and_the_journey_waits_for_the_answer(
    phone: Telephone, receiver: Receiver
) -> None:
    town = phone.town
    begin(
        town,
        f'{{url: "{receiver.url}/hooks?a=b", method: PUT, headers: {{Authorization: "Bearer ${{CRM_TOKEN}}"}}, '
        'body: {who: "{{ contact.first_name }}", total: 5, carts: ["{{ event.cart }}"]}, secret: "${CRM_SECRET}"}',
    )
    assert town.enrollments("step") == [("crm",)]
    assert phone.call() == 1
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("PUT", "/hooks?a=b")
    assert orjson.loads(asked.body) == {"who": "Ani", "total": 5, "carts": ["c1"]}
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["host"] == f"127.0.0.1:{receiver.port}"
    key, stamp = asked.headers["webhook-id"], asked.headers["webhook-timestamp"]
    assert asked.headers["idempotency-key"] == key
    assert int(stamp) == town.now.timestamp()
    signed = f"{key}.{stamp}.".encode() + asked.body
    wanted = base64.b64encode(hmac.digest(b"a key that nobody guesses", signed, hashlib.sha256)).decode()
    assert asked.headers["webhook-signature"] == f"v1,{wanted}"
    assert phone.rows() == [("answered", None, 200, 1)]
    town.settle()
    assert town.enrollments() == [("ended", None, "called")]
    assert phone.call() == 0


def test_it_is_tried_again_later_and_later_under_one_key_and_as_late_as_the_server_asks(
    phone: Telephone, receiver: Receiver
) -> None:
    receiver.answers = [503, (429, {"Retry-After": "90"}), 200]
    begin(phone.town, f"{{url: {receiver.url}}}")
    tried = []
    for _ in range(3):
        assert phone.call() == 1
        assert phone.call() == 0
        tried.append(phone.rows("state", "next_at")[0])
        phone.town.now = max(phone.town.now, tried[-1][1])
    first = NOON + timedelta(seconds=5)
    last = first + timedelta(seconds=90)
    assert tried == [("planned", first), ("planned", last), ("answered", last)]
    assert len({asked.headers["idempotency-key"] for asked in receiver.asked}) == 1
    assert phone.rows() == [("answered", None, 200, 3)]


def test_after_a_day_it_has_failed_and_the_journey_goes_on(phone: Telephone) -> None:
    town = phone.town
    begin(town, "{url: http://127.0.0.1:9}")  # nobody listens there
    calls = 0
    while phone.rows("state") == [("planned",)]:
        town.now = phone.rows("next_at")[0][0]
        calls += phone.call()
    assert town.now == NOON + GIVE_UP
    assert 20 < calls < 40
    assert phone.rows("state", "reason") == [("failed", "gave_up")]
    town.settle()
    assert town.enrollments("reason") == [("called",)]


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (404, "rejected", "HTTP 404: so it is"),
        (
            (302, {"Location": "http://169.254.169.254/latest"}),
            "redirected",
            "HTTP 302 to http://169.254.169.254/latest",
        ),
    ],
)
def test_a_refusal_is_not_repeated_a_redirect_not_followed_and_on_failure_exit_ends_the_journey(
    phone: Telephone, receiver: Receiver, answer: Any, reason: str, words: str
) -> None:
    receiver.answers = [answer]
    begin(phone.town, f"{{url: {receiver.url}}}", on_failure="exit")
    phone.call()
    ((state, found, detail),) = phone.rows("state", "reason", "detail")
    assert (state, found) == ("failed", reason)
    assert detail.startswith(words)
    assert len(receiver.asked) == 1
    phone.town.settle()
    with phone.town.engine.connect() as conn:
        (told,) = why(conn, 1)["calls"]
        shown = status(conn, phone.town.now)["calls"]
    assert (told["step"], told["because"]) == ("crm", CALL_REASONS[reason])
    assert shown == [{"journey": "j", "state": "failed", "reason": reason, "calls": 1}]
    assert phone.town.enrollments("reason") == [("exit",)]


def test_an_internal_address_is_refused_unless_it_is_allowed(phone: Telephone, receiver: Receiver) -> None:
    phone.caller = HttpCaller(partial(fill_in, environment={}))
    begin(phone.town, f"{{url: http://localhost:{receiver.port}}}")
    phone.call()
    assert phone.rows("state", "reason") == [("failed", "internal")]
    assert receiver.asked == []


def test_a_body_that_can_not_be_made_fails_and_nothing_is_called(phone: Telephone, receiver: Receiver) -> None:
    begin(phone.town, f'{{url: {receiver.url}, body: "{{{{ event.colour }}}}"}}')
    phone.call()
    assert phone.rows("state", "reason", "detail") == [("failed", "render", "'event.colour' is missing")]
    assert receiver.asked == []


def test_a_variable_that_is_not_set_is_no_end_it_may_be_set_yet(phone: Telephone, receiver: Receiver) -> None:
    begin(phone.town, f'{{url: {receiver.url}, secret: "${{NEVER_SET}}"}}')
    phone.call()
    assert receiver.asked == []
    ((state, detail),) = phone.rows("state", "detail")
    assert state == "planned"
    assert detail.startswith("the environment variable NEVER_SET is not set")


def test_the_call_of_somebody_who_has_left_is_withheld(phone: Telephone, receiver: Receiver) -> None:
    town = phone.town
    ani = begin(town, f"{{url: {receiver.url}}}")
    town.does(ani, "left")
    town.settle()
    phone.call()
    assert phone.rows() == [("withheld", "exited", None, 0)]
    assert receiver.asked == []


def test_a_paused_journey_calls_nobody_until_it_is_resumed(phone: Telephone, receiver: Receiver) -> None:
    town = phone.town
    begin(town, f"{{url: {receiver.url}}}")
    with town.engine.begin() as conn:
        stop(conn, Hold("journey", "j", "a test", "test", town.now))
    assert phone.call() == 0
    with town.engine.begin() as conn:
        resume(conn, "journey", "j", town.now)
    assert phone.call() == 1


def test_a_call_whose_worker_died_comes_round_again_and_the_late_word_of_the_dead_counts_no_more(
    phone: Telephone, receiver: Receiver
) -> None:
    town = phone.town
    begin(town, f"{{url: {receiver.url}}}")

    class Dying:
        def call(self, request: WebhookRequest) -> CallEnd:
            """The lease lapses while it is on the wire, and somebody else takes it up."""
            with town.engine.begin() as conn:
                conn.execute(text("UPDATE call SET lease_until = clock_timestamp() - interval '1 second'"))
            assert phone.call() == 1
            return HttpCaller(str).call(request)  # internal: refused

    alive = phone.caller
    dead = Telephone(town, Dying())
    assert dead.call() == 1
    phone.caller = alive
    assert phone.rows() == [("answered", None, 200, 2)]
    town.settle()
    assert town.enrollments("reason") == [("called",)]


def test_a_rehearsal_records_the_request_with_its_references_and_calls_nobody(
    phone: Telephone, receiver: Receiver
) -> None:
    kept: list[WebhookRequest] = []
    phone.caller = RecordingCaller(kept.append)
    begin(phone.town, f'{{url: {receiver.url}, body: [1], secret: "${{NEVER_SET}}"}}')
    phone.call()
    assert [(request.body, request.secret) for request in kept] == [(b"[1]", "${NEVER_SET}")]
    assert phone.rows("state") == [("answered",)]
    assert receiver.asked == []
