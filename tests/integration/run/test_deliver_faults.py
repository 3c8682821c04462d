"""Deliver against odd providers, merges and lapsed leases: no receipt is lost, nobody is mailed on another's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from channels.base import Accepted, Capabilities, Connection, Message, Receipt, Rejected, Unreachable
from engine.run.deliver import Composed, Composer, Courier
from engine.run.sweep import sweep
from engine.store import sends, workers
from engine.store.intents import LockedSend
from engine.store.merge import merge
from engine.store.sends import Stopped
from engine.tables import attempt, send
from tests.integration.run.post_office import HELLO, PostOffice, sign_up
from tests.integration.run.town import Town
from tests.scripted_channel import Provider, ScriptedAdapter, SearchableScriptedAdapter


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def office(town: Town, provider: Provider, tmp_path: Path) -> PostOffice:
    town.apply(HELLO)
    return PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider)})


@dataclass
class Slow:
    """A composer that takes so long that something happens meanwhile."""

    composer: Composer
    meanwhile: Callable[[], object]

    def has_template(self, channel: str, template: str) -> bool:
        return self.composer.has_template(channel, template)

    def compose(self, send: LockedSend, channel: str, address: str, now: datetime) -> Composed:
        self.meanwhile()
        return self.composer.compose(send, channel, address, now)


class Unconnectable(ScriptedAdapter):
    """An adapter whose provider can't be reached in a way that its author did not think of."""

    def connect(self) -> Connection:  # type: ignore[override]
        raise KeyError("port")


def test_a_send_whose_contact_was_merged_after_the_claim_waits_for_the_survivors_lock(
    office: PostOffice, provider: Provider
) -> None:
    (person,) = sign_up(office)
    survivor = office.town.person("survivor", phone="+628129999999", first_name="Budi")
    claimed = office.claim()
    with office.town.engine.begin() as conn:
        merge(conn, {person: survivor}, office.town.now)
    assert office.courier.deliver(claimed).total == 0
    assert provider.requests() == []
    assert office.deliver().by_state == {"accepted": 1}


def test_a_send_that_somebody_else_claimed_while_it_was_composed_is_left_to_them(
    office: PostOffice, provider: Provider
) -> None:
    sign_up(office)
    with office.town.engine.begin() as conn:
        other = workers.register(conn, office.town.now)
    theirs = []

    def overtake() -> None:
        office.lapse_leases()
        with office.town.engine.begin() as conn:
            theirs.extend(sends.claim(conn, other, None, office.town.now, 10, Stopped()))

    slow = Courier(replace(office.post, composer=Slow(office.post.composer, overtake)))
    assert slow.deliver(office.claim()).total == 0
    assert provider.requests() == []
    assert office.courier.deliver(theirs).by_state == {"accepted": 1}
    with office.town.engine.connect() as conn:
        assert conn.scalar(select(func.count()).select_from(attempt)) == 1


def test_an_odd_byte_in_one_answer_costs_nobody_a_receipt(office: PostOffice, provider: Provider) -> None:
    sign_up(office, 3)
    provider.answer("+6281200000001", Rejected("address", "550 no \0 such \udc80 user"))
    office.deliver()
    assert office.states() == [("accepted", None), ("failed", "rejected_address"), ("accepted", None)]


def test_a_channel_that_can_not_even_connect_costs_the_other_channel_no_receipt(
    town: Town, provider: Provider, tmp_path: Path
) -> None:
    town.apply(HELLO, HELLO.replace("journey: hello", "journey: other").replace("[sms]", "[whatsapp]"))
    folder = tmp_path / "templates" / "whatsapp"
    folder.mkdir(parents=True)
    (folder / "hello.yaml").write_text('fallback_text: "Halo {{ contact.first_name }}"\n')
    office = PostOffice(town, tmp_path, {"sms": ScriptedAdapter(provider), "whatsapp": Unconnectable(provider)})
    person = town.person("ani", phone="+6281200000000", first_name="Ani")
    for channel in ("sms", "whatsapp"):
        office.consents(person, "offers", channel=channel)
    town.does(person, "signed_up")
    town.settle()
    office.courier.deliver(office.claim())
    assert sorted(office.states(), key=str) == [("accepted", None), ("planned", None)]


def test_an_address_among_the_traits_is_no_address(office: PostOffice, provider: Provider) -> None:
    (person,) = sign_up(office)
    with office.town.engine.begin() as conn:
        conn.execute(
            text("""UPDATE contact SET phone = NULL, traits = traits || '{"phone": "call me"}' WHERE id = :id"""),
            {"id": person},
        )
    office.deliver()
    assert office.states() == [("withheld", "no_address")]


def test_sends_with_ids_beyond_four_bytes_still_find_their_exit_rules(office: PostOffice, provider: Provider) -> None:
    with office.town.engine.begin() as conn:
        conn.execute(text("ALTER TABLE send ALTER COLUMN id RESTART WITH 3000000000"))
    sign_up(office)
    assert office.deliver().by_state == {"accepted": 1}


def test_a_send_of_a_version_that_can_not_be_read_stays_in_the_outbox(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    with office.town.engine.begin() as conn:
        conn.execute(text("UPDATE journey_version SET source = 'journey: hello'"))
    machines = type(office.town.machines)({})  # as after a restart
    courier = Courier(replace(office.post, machines=machines))
    assert courier.deliver(office.claim()).total == 0
    assert office.states() == [("planned", None)]
    assert office.claim() == []


# --- sweep ------------------------------------------------------------------------------------------------------------


class Silent(SearchableScriptedAdapter):
    """A provider whose search is out of order."""

    def search(self, send_ids: Sequence[int]) -> Mapping[int, Accepted | None]:
        raise OSError("search is out of order")


def _doubtful(office: PostOffice) -> None:
    sign_up(office)
    with office.town.engine.begin() as conn:
        conn.execute(
            text(
                "UPDATE send SET state = 'unknown', reason = 'reconciling', channel = 'sms', intent_at = :now, fence = 7"
            ),
            {"now": office.town.now},
        )


def test_a_search_that_fails_stops_neither_the_sweep_nor_the_send_for_good(
    office: PostOffice, provider: Provider
) -> None:
    _doubtful(office)
    office.town.later(minutes=2)
    assert sweep(office.town.engine, {"sms": Silent(provider)}, office.town.now).accepted == 0
    assert office.states() == [("unknown", "reconciling")]
    office.town.later(days=3)
    sweep(office.town.engine, {"sms": Silent(provider)}, office.town.now)
    office.town.settle()
    assert office.states() == [("unknown", "ambiguous")]
    assert office.town.enrollments("step") == [("steps.1",)]
    assert provider.requests() == []


def test_a_doubtful_send_of_a_channel_that_can_not_be_asked_any_more_lets_its_person_go_on(
    office: PostOffice, provider: Provider
) -> None:
    _doubtful(office)
    office.town.later(minutes=2)
    sweep(office.town.engine, office.adapters, office.town.now)
    office.town.settle()
    assert office.states() == [("unknown", "ambiguous")]
    assert office.town.enrollments("step") == [("steps.1",)]


def test_an_end_of_the_provider_before_the_bytes_is_tried_again_later(office: PostOffice, provider: Provider) -> None:
    sign_up(office)
    provider.answer("*", Unreachable("refused"))
    office.deliver()
    with office.town.engine.connect() as conn:
        assert conn.scalar(select(send.c.next_at)) == office.town.now + timedelta(seconds=5)


class Watched:
    """A channel that takes everything; `before` is called ahead of each message."""

    capabilities = Capabilities(media=frozenset({"sms"}), connections=1)

    def __init__(self, before: Callable[[int], None]) -> None:
        self._before = before

    def connect(self) -> Watched:
        return self

    def send(self, messages: Sequence[Message]) -> Iterator[Receipt]:
        for number, _ in enumerate(messages):
            self._before(number)
            yield Accepted(str(number))

    def close(self) -> None:
        """Nothing is open."""


def test_receipts_are_committed_while_the_group_is_still_on_the_wire(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.run.deliver._RECORD_AFTER", -1.0)
    seen: list[list[str]] = []
    watched = Watched(lambda _: seen.append([state for state, _ in office.states()]))
    sign_up(office, 3)
    group = office.claim()
    Courier(replace(office.post, adapters={"sms": watched})).deliver(group)
    assert [states.count("accepted") for states in seen] == [0, 1, 2]


def test_once_the_lease_is_lost_no_further_message_of_the_group_is_begun(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.run.deliver._RECORD_AFTER", -1.0)
    begun: list[int] = []

    def lapse(number: int) -> None:
        begun.append(number)
        office.lapse_leases()

    sign_up(office, 3)
    group = office.claim()
    Courier(replace(office.post, adapters={"sms": Watched(lapse)})).deliver(group)
    assert begun == [0]
    assert sorted(state for state, _ in office.states()) == ["accepted", "planned", "planned"]
