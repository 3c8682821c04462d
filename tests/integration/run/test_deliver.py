"""The send path: intent before the wire, one reason for each message not sent, nobody twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from channels.base import Ambiguous, Rejected, Throttled, Unreachable
from engine.run.sweep import sweep
from engine.store import holds, suppressions
from engine.store.holds import Hold
from engine.store.suppressions import Suppression
from engine.tables import attempt, send, suppression
from tests.integration.run.post_office import HELLO, PostOffice, sign_up
from tests.integration.run.town import NOON, Town
from tests.scripted_channel import Provider, ScriptedAdapter, SearchableScriptedAdapter


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def office(town: Town, provider: Provider, tmp_path: Path) -> PostOffice:
    town.apply(HELLO)
    return PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider)})


def test_a_message_goes_out_once_and_the_journey_goes_on_from_its_end(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    office.deliver()
    office.town.settle()
    assert [request.recipient for request in provider.taken()] == ["+6281200000000"]
    assert office.states() == [("accepted", None)]
    assert office.town.enrollments("step", "due_at") == [("steps.1", NOON + timedelta(hours=1))]
    assert office.deliver().total == 0


def test_a_send_refers_to_the_consent_it_goes_out_under(office: PostOffice) -> None:
    sign_up(office)
    office.deliver()
    with office.town.engine.connect() as conn:
        assert conn.scalar(select(send.c.consent_id)) == 1


def test_without_consent_nothing_goes_out_and_the_journey_goes_on(office: PostOffice, provider: Provider) -> None:
    person = office.town.person("ani", phone="+6281200000000", first_name="Ani")
    office.town.does(person, "signed_up")
    office.town.settle()
    office.deliver()
    office.town.settle()
    assert office.states() == [("withheld", "no_consent")]
    assert office.town.enrollments("step") == [("steps.1",)]
    assert provider.requests() == []


def test_the_newest_consent_holds(office: PostOffice) -> None:
    (person,) = sign_up(office)
    office.consents(person, "offers", given=False)
    office.deliver()
    assert office.states() == [("withheld", "no_consent")]


def test_a_suppressed_address_gets_nothing(office: PostOffice) -> None:
    sign_up(office)
    with office.town.engine.begin() as conn:
        row = {
            "channel": "sms",
            "address": "+6281200000000",
            "scope": "all",
            "reason": "stop",
            "source": "test",
            "at": NOON,
        }
        conn.execute(insert(suppression).values(row))
    office.deliver()
    assert office.states() == [("withheld", "suppressed")]


def test_an_exit_event_that_nobody_has_decided_yet_withholds_the_message(office: PostOffice) -> None:
    (person,) = sign_up(office)
    office.town.does(person, "left_us")
    office.deliver()
    assert office.states() == [("withheld", "exited")]
    office.town.settle()
    assert office.town.enrollments("state", "reason") == [("ended", "left_us")]


def test_one_refused_recipient_of_twenty_does_not_touch_the_others(office: PostOffice, provider: Provider) -> None:
    sign_up(office, 20)
    provider.answer("+6281200000006", Rejected("address", "554 no such user"))
    office.deliver()
    assert office.states().count(("accepted", None)) == 19
    assert office.states()[6] == ("failed", "rejected_address")
    office.deliver()
    assert len(provider.requests()) == 20


def test_a_template_that_fails_for_one_contact_fails_for_that_one_only(office: PostOffice, provider: Provider) -> None:
    people = sign_up(office, 5)
    with office.town.engine.begin() as conn:
        conn.execute(text("UPDATE contact SET traits = '{}' WHERE id = :id"), {"id": people[2]})
    office.deliver()
    assert office.states()[2] == ("failed", "render")
    assert office.states().count(("accepted", None)) == 4
    assert office.deliver().total == 0
    assert len(provider.requests()) == 4


def test_a_slow_down_of_the_provider_is_waited_for(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    provider.answer("*", Throttled(7, "429"))
    office.deliver()
    assert office.states() == [("planned", None)]
    office.town.later(seconds=6.9)
    assert office.deliver().total == 0
    office.town.later(seconds=0.1)
    assert office.deliver().by_state == {"accepted": 1}


def test_a_connection_that_fails_before_the_last_byte_is_tried_again(office: PostOffice, provider: Provider) -> None:
    sign_up(office, 3)
    provider.answer("+6281200000001", Unreachable("refused"))
    office.deliver()
    assert office.states() == [("accepted", None), ("planned", None), ("accepted", None)]
    office.town.later(seconds=30)
    office.deliver()
    assert office.states() == [("accepted", None)] * 3
    assert sorted(r.send_id for r in provider.taken()) == [1, 2, 3]


def test_an_ambiguous_end_is_unknown_and_never_repeated(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    provider.answer("*", Ambiguous("reset after the last byte"))
    office.deliver()
    office.town.settle()
    assert office.states() == [("unknown", "ambiguous")]
    assert office.town.enrollments("step") == [("steps.1",)]
    office.town.later(days=2)
    sweep(office.town.engine, office.adapters, office.town.now)
    office.deliver()
    assert len(provider.requests()) == 1


def test_refused_credentials_hold_the_channel_and_lose_nothing(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    provider.answer("*", Unreachable("401", closed=True))
    office.deliver()
    with office.town.engine.connect() as conn:
        (standing,) = holds.standing(conn)
    assert (standing.scope, standing.name) == ("channel", "sms")
    office.town.later(minutes=5)
    office.deliver()
    assert len(provider.requests()) == 1
    with office.town.engine.begin() as conn:
        holds.lift(conn, "channel", "sms", office.town.now)
    office.town.later(minutes=5)
    assert office.deliver().by_state == {"accepted": 1}


def test_a_refusal_by_one_channel_moves_the_same_send_to_the_next(town: Town, tmp_path: Path) -> None:
    whatsapp, sms = Provider(), Provider()
    town.apply(HELLO.replace("[sms]", "[whatsapp, sms]"))
    office = PostOffice(town, tmp_path, {"whatsapp": ScriptedAdapter(whatsapp), "sms": ScriptedAdapter(sms)})
    folder = tmp_path / "templates" / "whatsapp"
    folder.mkdir()
    (folder / "hello.yaml").write_text('fallback_text: "Halo {{ contact.first_name }}"\n')
    office.post.composer.templates._look()  # type: ignore[attr-defined]
    (person,) = sign_up(office)
    office.consents(person, "offers", channel="whatsapp")
    whatsapp.answer("*", Rejected("address", "no whatsapp here"))
    office.deliver()
    assert (len(whatsapp.requests()), len(sms.taken())) == (1, 1)
    with town.engine.connect() as conn:
        assert conn.execute(select(send.c.state, send.c.channel, send.c.attempts)).all() == [("accepted", "sms", 2)]


def test_a_paused_journey_stays_in_the_outbox_until_it_is_resumed(office: PostOffice, provider: Provider) -> None:
    sign_up(office, 3)
    claimed = office.claim()
    with office.town.engine.begin() as conn:
        holds.place(conn, Hold("journey", "hello", "a typo", "ani", NOON))
    office.courier.deliver(claimed)
    office.deliver()
    assert provider.requests() == []
    with office.town.engine.begin() as conn:
        holds.lift(conn, "journey", "hello", NOON)
    assert office.deliver().by_state == {"accepted": 3}


# --- crashes: C1 to C3 ------------------------------------------------------------------------------------------------


def test_a_claim_whose_worker_dies_before_the_intent_is_free_again_after_its_lease(
    office: PostOffice, provider: Provider
) -> None:
    sign_up(office)
    assert len(office.claim()) == 1
    assert office.claim() == []
    office.lapse_leases()
    assert office.deliver().by_state == {"accepted": 1}
    assert len(provider.requests()) == 1


def test_a_worker_that_wakes_after_its_lease_makes_no_call(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    late = office.claim()
    office.lapse_leases()
    assert office.deliver().total == 1
    office.courier.deliver(late)
    assert len(provider.requests()) == 1


class Killed(BaseException):
    """The process is gone at this point."""


def _die(office: PostOffice, provider: Provider, point: str) -> None:
    """Deliver with a worker that dies before or after its request; the provider can be asked later."""
    adapter = SearchableScriptedAdapter(provider)

    def die(at: str, _message: object) -> None:
        if at == point:
            raise Killed

    office.adapters = {"sms": adapter}
    dying = PostOffice(office.town, office.root, {"sms": SearchableScriptedAdapter(provider, hook=die)})
    with pytest.raises(Killed):
        dying.courier.deliver(dying.claim())
    with office.town.engine.begin() as conn:
        conn.execute(text("UPDATE worker SET pid = 4194304 WHERE id = :id"), {"id": dying.worker})  # no such process


def test_a_send_whose_worker_died_before_the_request_is_sent_once_after_the_provider_was_asked(
    office: PostOffice, provider: Provider
) -> None:
    sign_up(office)
    _die(office, provider, "before_post")
    office.lapse_leases()
    sweep(office.town.engine, office.adapters, office.town.now)
    assert office.states() == [("unknown", "reconciling")]
    office.town.later(minutes=2)
    sweep(office.town.engine, office.adapters, office.town.now)
    assert office.states() == [("planned", None)]
    office.deliver()
    office.town.settle()
    assert len(provider.taken()) == 1
    assert office.town.enrollments("step") == [("steps.1",)]


def test_a_send_whose_worker_died_after_the_request_is_found_and_not_sent_again(
    office: PostOffice, provider: Provider
) -> None:
    sign_up(office)
    _die(office, provider, "after_post")
    office.lapse_leases()
    office.town.later(minutes=2)
    sweep(office.town.engine, office.adapters, office.town.now)
    office.town.settle()
    assert office.states() == [("accepted", None)]
    assert office.deliver().total == 0
    assert len(provider.taken()) == 1
    assert office.town.enrollments("step") == [("steps.1",)]


def test_a_send_that_can_not_be_searched_for_stays_unknown(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    _die(office, provider, "before_post")
    office.lapse_leases()
    blind = {"sms": ScriptedAdapter(provider)}
    sweep(office.town.engine, blind, office.town.now)
    office.town.settle()
    assert office.states() == [("unknown", "lease_lapsed")]
    assert office.deliver().total == 0
    assert provider.requests() == []
    assert office.town.enrollments("step") == [("steps.1",)]


def test_each_request_has_its_attempt(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    provider.answer("*", Throttled(1))
    office.deliver()
    office.town.later(seconds=1)
    office.deliver()
    with office.town.engine.connect() as conn:
        rows = conn.execute(select(attempt.c.number, attempt.c.outcome).order_by(attempt.c.number)).all()
        assert rows == [(1, "throttled"), (2, "accepted")]
        assert conn.scalar(select(func.count()).select_from(send)) == 1


# --- mail -------------------------------------------------------------------------------------------------------------

PAGE = """---
subject: "Halo {{ contact.first_name }}"
---
<mjml><mj-body><mj-section><mj-column><mj-text>Halo {{ contact.first_name }},
<a href="{{ unsubscribe_url }}">berhenti</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def mail_office(town: Town, provider: Provider, tmp_path: Path) -> PostOffice:
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / "hello.mjml").write_text(PAGE)
    town.apply(HELLO.replace("[sms]", "[email]"))
    return PostOffice(town, tmp_path, {"email": ScriptedAdapter(provider)})


def _reader(office: PostOffice, **traits: str) -> int:
    person = office.town.person("ani", email="ani@example.com", **traits)
    office.consents(person, "offers", channel="email")
    office.town.does(person, "signed_up")
    office.town.settle()
    return person


def test_a_suppressed_mail_address_is_blocked_however_it_is_written(
    mail_office: PostOffice, provider: Provider
) -> None:
    with mail_office.town.engine.begin() as conn:
        suppressions.add(conn, [Suppression("email", "Ani@EXAMPLE.com", "all", "hard_bounce", "test", NOON)])
    _reader(mail_office, first_name="Ani")
    mail_office.deliver()
    assert mail_office.states() == [("withheld", "suppressed")]
    assert provider.requests() == []


def test_every_attempt_of_a_mail_has_the_same_message_id_on_our_domain(
    mail_office: PostOffice, provider: Provider
) -> None:
    _reader(mail_office, first_name="Ani")
    provider.answer("*", Unreachable("refused"), Throttled(1))
    for _ in range(3):
        mail_office.deliver()
        mail_office.town.later(minutes=1)
    ids = [request.message_id for request in provider.requests()]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert ids[0].endswith("@nada.example.com>")


def test_a_missing_variable_is_an_error_of_that_send_and_never_a_blank(
    mail_office: PostOffice, provider: Provider
) -> None:
    _reader(mail_office)
    mail_office.deliver()
    assert mail_office.states() == [("failed", "render")]
    with mail_office.town.engine.connect() as conn:
        detail = conn.scalar(select(send.c.detail))
    assert "contact.first_name" in detail
    assert provider.requests() == []
