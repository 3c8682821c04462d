"""Who a message means: ids, addresses, and two that turn out to be one."""

from __future__ import annotations

from typing import Any

import pytest

from engine.run.people import People, Person
from engine.run.profile import Profile
from engine.store.contacts import ContactRow, Identity


def _row(number: int, user_id: str | None = None, email: str | None = None, **more: Any) -> ContactRow:
    values: dict[str, Any] = {"phone": None, "locale": None, "timezone": None, "traits": {}, **more}
    return ContactRow(number, user_id, email, **values)


def _people(*rows: ContactRow, **anonymous: int) -> People:
    """People who stand in the database, known by what their rows say; `anonymous` maps anonymous ids to contacts."""
    owners: dict[Identity, int] = {("anonymous_id", value): number for value, number in anonymous.items()}
    for row in reversed(rows):
        for kind, value in (("user_id", row.user_id), ("email", row.email and row.email.lower()), ("phone", row.phone)):
            if value is not None:
                owners[kind, value] = row.id  # type: ignore[index]
    return People(owners, rows)


def _numbered(people: People) -> People:
    for number, person in enumerate(people.new(), start=1000):
        person.id = number
    return people


def test_a_known_user_id_names_its_contact() -> None:
    people = _people(_row(1, "ani"))
    assert people.meant("ani", None).id == 1
    assert people.changed() == []


def test_an_unknown_user_id_makes_a_contact_once() -> None:
    people = _people()
    first = people.meant("ani", None)
    assert people.meant("ani", None) is first
    assert people.new() == [first]
    assert _numbered(people).attached() == [(("user_id", "ani"), 1000)]


def test_an_anonymous_visitor_who_signs_in_for_the_first_time_becomes_the_user() -> None:
    people = _people(_row(1), visitor=1)
    person = people.meant("ani", "visitor")
    assert (person.id, person.user_id) == (1, "ani")
    assert people.attached() == [(("user_id", "ani"), 1)]
    assert people.merges() == {}


def test_an_anonymous_visitor_who_signs_in_again_is_merged_into_the_user() -> None:
    people = _people(
        _row(1, traits={"seen": "banner", "city": "Bogor"}, locale="id"),
        _row(2, "ani", traits={"city": "Bandung"}),
        visitor=1,
    )
    person = people.meant("ani", "visitor")
    assert person.id == 2
    assert people.merges() == {1: 2}
    assert person.traits == {"seen": "banner", "city": "Bandung"}
    assert person.locale == "id"
    assert people.attached() == []


def test_a_device_of_another_user_stays_with_that_user() -> None:
    people = _people(_row(1, "budi"), _row(2, "ani"), device=1)
    assert people.meant("ani", "device").id == 2
    assert people.meant(None, "device").id == 1
    assert people.merges() == {}


def test_a_new_user_on_the_device_of_another_is_a_new_contact() -> None:
    people = _people(_row(1, "budi"), device=1)
    person = people.meant("ani", "device")
    assert person.id is None
    assert _numbered(people).attached() == [(("user_id", "ani"), 1000)]


def test_two_users_with_one_address_stay_two_contacts_and_the_address_points_at_the_first() -> None:
    people = _people(_row(1, "ani", "shared@example.com"))
    hints: list[Identity] = [("email", "shared@example.com")]
    second = people.meant("budi", None, hints)
    people.apply(second, Profile(columns={"email": "Shared@example.com"}))
    assert second.id is None
    assert _numbered(people).attached() == [(("user_id", "budi"), 1000)]


def test_somebody_of_a_newsletter_list_becomes_the_user_who_signs_up_with_the_address() -> None:
    people = _people(_row(1, None, "Ani@example.com"))
    person = people.meant("ani", None, [("email", "ani@example.com")])
    assert (person.id, person.user_id) == (1, "ani")


def test_a_visitor_and_a_newsletter_reader_become_the_user_they_both_are() -> None:
    people = _people(_row(1, None, "ani@example.com"), _row(2), visitor=2)
    person = people.meant("ani", "visitor", [("email", "ani@example.com")])
    assert person.user_id == "ani"
    assert person.email == "ani@example.com"
    assert people.merges() == {1: 2}


def test_of_two_who_are_nobody_yet_the_older_stays() -> None:
    people = _people(_row(1, None, "ani@example.com"), _row(2), visitor=2)
    assert people.meant(None, "visitor", [("email", "ani@example.com")]).id == 1
    assert people.merges() == {2: 1}


def test_a_shared_phone_makes_no_one_person_of_two_with_addresses() -> None:
    people = _people(_row(1, None, "mother@example.com", phone="+6281234567890"))
    assert people.meant("ani", None, [("phone", "+6281234567890")]).id is None


def test_a_row_without_ids_means_whoever_has_the_address() -> None:
    people = _people(_row(1, "ani", "ani@example.com"))
    assert people.meant(None, None, [("email", "ani@example.com")]).id == 1


def test_a_changed_address_gives_the_old_one_up() -> None:
    people = _people(_row(1, "ani", "old@example.com"))
    people.apply(people.meant("ani", None), Profile(columns={"email": "new@example.com"}))
    assert people.detached() == [(("email", "old@example.com"), 1)]
    assert people.attached() == [(("email", "new@example.com"), 1)]


def test_an_address_that_one_gives_up_and_another_takes_in_one_batch_changes_hands() -> None:
    people = _people(_row(1, "ani", "a@example.com"), _row(2, "budi"))
    people.apply(people.meant("ani", None), Profile(columns={"email": None}))
    people.apply(people.meant("budi", None), Profile(columns={"email": "a@example.com"}))
    assert people.detached() == [(("email", "a@example.com"), 1)]
    assert people.attached() == [(("email", "a@example.com"), 2)]


def test_an_address_in_another_spelling_stays_the_same_identity() -> None:
    people = _people(_row(1, "ani", "Ani@example.com"))
    people.apply(people.meant("ani", None), Profile(columns={"email": "ani@example.com"}))
    assert (people.detached(), people.attached()) == ([], [])
    assert people.changed()[0].email == "ani@example.com"


def test_what_is_said_again_changes_nothing() -> None:
    people = _people(_row(1, "ani", "ani@example.com", locale="id", traits={"city": "Bogor", "tags": ["vip"]}))
    said = Profile({"email": "ani@example.com", "locale": "id"}, {"city": "Bogor", "tags": ["vip"], "age": None})
    people.apply(people.meant("ani", None), said)
    assert people.changed() == []


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (True, 1), ("1", 1)])
def test_a_value_of_another_type_is_a_change(old: Any, new: Any) -> None:
    person = Person(1, traits={"x": old})
    person.set_trait("x", new)
    assert person.traits["x"] is new


def test_the_context_fills_only_what_nobody_has_said() -> None:
    people = _people(_row(1, "ani", timezone="Asia/Jakarta"))
    people.apply(people.meant("ani", None), Profile(fills={"timezone": "Europe/Paris", "locale": "en"}))
    assert (people.changed()[0].timezone, people.changed()[0].locale) == ("Asia/Jakarta", "en")


def test_the_context_does_not_fill_what_a_trait_said_wrongly() -> None:
    people = _people(_row(1, "ani", traits={"timezone": "WIB"}))
    people.apply(people.meant("ani", None), Profile(fills={"timezone": "Europe/Paris"}))
    assert people.changed() == []


def test_alias_joins_a_visitor_to_a_user() -> None:
    people = _people(_row(1), _row(2, "ani"), visitor=1)
    assert people.alias("visitor", "ani", any_previous=False) is people.meant("ani", None)
    assert people.merges() == {1: 2}


def test_alias_gives_a_user_a_new_id_and_keeps_the_old_one_findable() -> None:
    people = _people(_row(1, "old"))
    person = people.alias("old", "new", any_previous=True)
    assert person is not None
    assert (person.id, person.user_id) == (1, "new")
    assert people.attached() == [(("user_id", "new"), 1)]
    assert people.meant("old", None).id == 1


def test_alias_joins_two_users_if_a_server_says_so() -> None:
    people = _people(_row(1, "old"), _row(2, "new"))
    assert people.alias("old", "new", any_previous=True) is not None
    assert people.merges() == {1: 2}


def test_a_browser_may_not_say_that_two_users_are_one() -> None:
    people = _people(_row(1, "old"), _row(2, "new"))
    assert people.alias("old", "new", any_previous=False) is None
    assert people.alias("old", "unheard", any_previous=False) is None
    assert people.merges() == {}
    assert people.changed() == []


def test_alias_of_an_unknown_id_makes_it_one_of_the_users() -> None:
    people = _people(_row(2, "ani"))
    people.alias("never-seen", "ani", any_previous=False)
    assert people.attached() == [(("anonymous_id", "never-seen"), 2)]


def test_alias_of_an_id_to_itself_changes_nothing() -> None:
    people = _people(_row(1, "ani"))
    people.alias("ani", "ani", any_previous=True)
    assert (people.changed(), people.merges()) == ([], {})


def test_three_become_one_through_two_merges_in_one_batch() -> None:
    people = _people(_row(1), _row(2, "old"), _row(3, "new"), visitor=1)
    people.meant("old", "visitor")
    people.alias("old", "new", any_previous=True)
    assert people.merges() == {1: 3, 2: 3}
    assert people.meant(None, "visitor").id == 3


def test_a_visitor_of_this_very_batch_is_merged_without_a_trace() -> None:
    people = _people(_row(2, "ani"))
    people.meant(None, "fresh")
    assert people.meant("ani", "fresh").id == 2
    assert people.new() == []
    assert people.merges() == {}
    assert people.attached() == [(("anonymous_id", "fresh"), 2)]
