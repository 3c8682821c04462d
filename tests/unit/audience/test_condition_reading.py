"""What a condition may say, what is refused and where, and how it is told in a sentence."""

from __future__ import annotations

import pytest

from engine.grammar import FieldType
from tests.conditions import condition, refusals

TYPES: dict[str, FieldType] = {
    "age": "number",
    "member": "boolean",
    "birthday": "date",
    "trial_ends": "datetime",
    "zip": "text",
    "pets": "list",
}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("contact.city: Jakarta", "contact.city is Jakarta"),
        ("contact.city: [Jakarta, Bandung]", "contact.city is one of Jakarta, Bandung"),
        ("contact.city: {ne: Jakarta}", "contact.city is not Jakarta"),
        ("contact.city: {not_in: [Jakarta]}", "contact.city is none of Jakarta"),
        ("contact.points: {gte: 10, lt: 20.5}", "contact.points is at least 10 and is less than 20.5"),
        ("contact.points: {between: [1, 5]}", "contact.points is between 1 and 5"),
        ("contact.birthday: {gte: 2000-01-01}", "contact.birthday is on or after 2000-01-01"),
        ("contact.phone: {exists: true}", "contact.phone exists"),
        ("contact.phone: {exists: false}", "contact.phone does not exist"),
        ("contact.tags: {contains: vip}", "contact.tags contains vip"),
        ("contact.tags: {empty: false}", "contact.tags is not empty"),
        ('contact.note: ""', 'contact.note is ""'),
        ("did: {event: order_completed}", "did order_completed"),
        (
            "did: {event: order_completed, within: 30d, count: {gte: 2}}",
            "did order_completed at least 2 times in the last 30d",
        ),
        ("did: {event: order_completed, count: 1}", "did order_completed exactly 1 time"),
        ("did: {event: seen, count: {between: [2, 4]}}", "did seen between 2 and 4 times"),
        ("did: {event: seen, where: {event.page: shoes}}", "did seen where (event.page is shoes)"),
        ("did_not: {event: order_completed, within: 90d}", "did not order_completed in the last 90d"),
        ("in_segment: [vip, loyal]", "in segment vip or loyal"),
        ("in_segment: vip", "in segment vip"),
        ("not: {in_segment: vip}", "not (in segment vip)"),
        ("{contact.city: Jakarta, in_segment: vip}", "all of: contact.city is Jakarta; in segment vip"),
        (
            "any: [{contact.city: Jakarta, in_segment: vip}, {contact.age: 5}]",
            "any of: (all of: contact.city is Jakarta; in segment vip); contact.age is 5",
        ),
        ("contact.tags: {not_contains: vip}", "contact.tags does not contain vip"),
        ("contact.phone: {starts_with: +62}", "contact.phone starts with +62"),
        ("contact.email: {ends_with: .id}", "contact.email ends with .id"),
        ("contact.tags: {has_any: [a, b]}", "contact.tags has any of a, b"),
        ("contact.tags: {has_all: [a, b]}", "contact.tags has all of a, b"),
        ("contact.since: {before: 2026-03-01}", "contact.since is before 2026-03-01"),
        ("contact.since: {after: 2026-03-01T09:00:00Z}", "contact.since is after 2026-03-01T09:00:00Z"),
        ("contact.since: {within_last: 30d}", "contact.since is within the last 30d"),
        ("contact.since: {within_next: 24h}", "contact.since is within the next 24h"),
        ("contact.birthday: {day_is: today}", "contact.birthday is on today"),
        ("contact.birthday: {day_is: [sat, sun]}", "contact.birthday is on sat or sun"),
        ("contact.birthday: {anniversary: true}", "contact.birthday has its anniversary today"),
        ("contact.birthday: {anniversary: false}", "contact.birthday does not have its anniversary today"),
        (
            "did: {event: bought, within: 30d, count: {gte: 2}, sum: {total: {gte: 300}, qty: 3}, max: {items.*.price: {lt: 5}}}",
            "did bought at least 2 times in the last 30d, sum of total is at least 300, sum of qty is 3, max of items.*.price is less than 5",
        ),
        ("message: {step: reminder, was: clicked}", "message reminder was clicked"),
        ("message: {template: welcome, was: sent}", "message with template welcome was sent"),
        ("subscribed: {topic: offers}", "subscribed to offers"),
        ("subscribed: {topic: offers, via: [sms, email]}", "subscribed to offers via sms or email"),
        ("rfm.group: [champions, loyal]", "rfm.group is one of champions, loyal"),
        ("nps: {gte: 9}", "nps is at least 9"),
        ("contact.x: [a, b, c, d, e, f]", "contact.x is one of a, b, c, d, e, … (6 values)"),
    ],
)
def test_a_condition_reads_like_a_sentence(text: str, label: str) -> None:
    assert condition(text, TYPES).label() == label


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        # keys
        ("contcat.city: Jakarta", "1:1: unknown condition 'contcat.city' (did you mean 'contact.city'?)"),
        ("in_segmnt: vip", "1:1: unknown condition 'in_segmnt' (did you mean 'in_segment'?)"),
        ("contact: {city: Jakarta}", "1:1: unknown condition 'contact': name a field, such as contact.city"),
        ("contact.a..b: 1", "1:1: 'contact.a..b': a name is missing in the path, which looks like contact.address.city"),
        ("event.items[*].sku: 1", "1:1: 'event.items[*].sku': list positions are written with dots, e.g. 'event.items.*.sku'"),
        ("contact.*: 1", "1:1: 'contact.*': '*' stands for the items of a list, so a name comes first"),
        ("contact.email.domain: 1", "1:1: 'contact.email.domain': contact.email is a text and has no parts"),
        ("contact.age.years: 1", "1:1: 'contact.age.years': contact.age is a number and has no parts"),
        ("{}", "1:1: a condition names at least one thing, such as contact.city"),
        ("[contact.city]", "1:1: expected a condition such as {contact.city: Jakarta}, found a list"),
        ("all: []", "1:6: expected a list of conditions, found an empty list"),
        ("not: [{in_segment: vip}]", "1:6: expected a condition such as {contact.city: Jakarta}, found a list"),
        ("rfm.recncy: 5", "1:1: unknown condition 'rfm.recncy' (did you mean 'rfm.recency'?)"),
        ("rfm.x: 5", "1:1: unknown condition 'rfm.x' (one of: rfm.recency, rfm.frequency, rfm.monetary, rfm.group)"),
        ("value.tir: gold", "1:1: unknown condition 'value.tir' (did you mean 'value.tier'?)"),
        ("mesage: {}", "1:1: unknown condition 'mesage' (did you mean 'message'?)"),
        ("contact.anonymous_id: a1", "1:1: 'contact.anonymous_id' is not supported yet: a person may have many"),
        # operators
        ("contact.city: {gtee: 3}", "1:16: unknown operator 'gtee' (did you mean 'gte'?)"),
        ("contact.city: {}", "1:15: expected at least one operator (eq, ne, gt, gte, lt, lte, between, in, not_in, contains, not_contains, starts_with, ends_with, has_any, has_all, exists, empty, before, after, within_last, within_next, day_is, anniversary)"),
        ("contact.city: {eq: [a, b]}", "1:20: 'eq' takes one value, found a list; for several write 'in' or 'not_in'"),
        ("contact.city: {gt: {a: 1}}", "1:20: 'gt' takes one value, found a mapping"),
        ("contact.city: {in: Jakarta}", "1:20: 'in' takes a list with at least one value, found 'Jakarta'"),
        ("contact.city: []", "1:15: 'in' takes a list with at least one value, found 0 value(s)"),
        ("contact.x: {between: 5}", "1:22: 'between' takes a list of two values, [lowest, highest], found '5'"),
        ("contact.x: {between: [1, 2, 3]}", "1:22: 'between' takes a list of two values, [lowest, highest], found 3 value(s)"),
        ("contact.x: {between: [1, b]}", "1:26: 'between' needs two values of one type, found number and text"),
        ("contact.x: {between: [5, 1]}", "1:22: 'between' takes the lower end first: [1, 5]"),
        ("contact.x: {gt: true}", "1:17: 'gt' needs a number, a text or a date, found 'true'"),
        ("contact.x: {exists: maybe}", "1:21: expected true or false, found 'maybe'"),
        ("contact.age: {contains: 5}", "1:15: 'contains' is asked of texts and lists; contact.age is a number"),
        ("contact.tags: {contains: [a]}", "1:26: 'contains' takes one value, found a list; for several write 'has_any' or 'has_all'"),
        ("contact.age: {starts_with: a}", "1:15: 'starts_with' is asked of texts and lists; contact.age is a number"),
        ("contact.email: {has_any: [a]}", "1:17: 'has_any' is asked of lists; contact.email is a text"),
        ("contact.age: {before: 2026-03-01}", "1:15: 'before' is asked of dates and instants; contact.age is a number"),
        ("contact.zip: {within_last: 3d}", "1:15: 'within_last' is asked of dates and instants; contact.zip is a text"),
        ("rfm.recency: {anniversary: true}", "1:15: 'anniversary' is asked of dates and instants; rfm.recency is a number"),
        ("contact.code: {starts_with: 5}", "1:29: 'starts_with' takes a text: quote it, \"5\""),
        ("contact.code: {ends_with: 05}", "1:27: '05' could be a number or a text: write 5, or quote it"),
        ("contact.tags: {has_all: vip}", "1:25: 'has_all' takes a list with at least one value, found 'vip'"),
        ("contact.tags: {has_any: [vip, null]}", "1:31: null is no value to compare with: write {exists: false} or {exists: true}"),
        ("contact.since: {before: soon}", "1:25: 'before' takes a date or an instant: write it like 2026-03-01 or 2026-03-01T09:00:00+07:00, found 'soon'"),
        ("contact.since: {after: 2026-02-30}", "1:24: what stands behind 'after' is a date: write it like 2026-03-01, found '2026-02-30'"),
        ('contact.birthday: {after: "2026-02-01T00:00:00Z"}', "1:27: contact.birthday is a date: write it like 2026-03-01, found '2026-02-01T00:00:00Z'"),
        ("contact.since: {within_last: 3mo}", "1:30: '3mo': months have no fixed length here; write days, e.g. 30d"),
        ("contact.since: {within_next: soon}", "1:30: expected a window such as 15m, 24h, 30d or 2w, found 'soon'"),
        ("contact.since: {day_is: monday}", "1:25: expected a date such as 2026-03-01, a weekday such as mon, or one of yesterday, today, tomorrow, found 'monday' (did you mean 'mon'?)"),
        ("contact.since: {day_is: []}", "1:25: 'day_is' takes a date such as 2026-03-01, a weekday such as mon, or one of yesterday, today, tomorrow; or a list of 1 to 100 of them"),
        ("contact.since: {anniversary: today}", "1:30: expected true or false, found 'today'"),
        # operands
        ("contact.city: null", "1:15: null is no value to compare with: write {exists: false} or {exists: true}"),
        ("contact.city: {ne: null}", "1:20: null is no value to compare with: write {exists: false} or {exists: true}"),
        ("contact.city: [a, null]", "1:19: null is no value to compare with: write {exists: false} or {exists: true}"),
        ("event.total: 49.90", "1:14: '49.90' could be a number or a text: write 49.9, or quote it"),
        ("event.total: {gte: 1e3}", "1:20: '1e3' could be a number or a text: write 1000, or quote it"),
        ("event.total: 0123", "1:14: '0123' could be a number or a text: write 123, or quote it"),
        ("event.total: +62812", "1:14: '+62812' could be a number or a text: write 62812, or quote it"),
        ("event.total: 1e999999999", "1:14: '1e999999999' could be a number or a text: quote it"),
        ("event.total: 1e99999999999999999999", "1:14: '1e99999999999999999999' could be a number or a text: quote it"),
        ("contact.age: 1e99999999999999999999", "1:14: '1e99999999999999999999' has more than 60 digits"),
        ("event.total: 0123456789012345678901234567890123.10", "1:14: '0123456789012345678901234567890123.10' could be a number or a text: write 123456789012345678901234567890123.1, or quote it"),
        ("contact.age: old", "1:14: contact.age is a number, found 'old'"),
        ("contact.age: 1e99", "1:14: '1e99' has more than 60 digits"),
        ("contact.member: yes", "1:17: contact.member is true or false, found 'yes'"),
        ("contact.birthday: 2000-02-30", "1:19: contact.birthday is a date: write it like 2026-03-01, found '2000-02-30'"),
        ("contact.trial_ends: {gt: 2026-03-01}", "1:26: contact.trial_ends is an instant: write it with its offset, like 2026-03-01T09:00:00+07:00, found '2026-03-01'"),
        ("{contact.city: }", '1:2: expected a value to compare contact.city with (the empty text is "")'),
        # did
        ("did: order_completed", "1:6: expected a mapping (event, where, within, count, sum, avg, min, max), found 'order_completed'"),
        ("did: {within: 3d}", "1:6: did lacks 'event' (the event's name)"),
        ("did: {event: Order Completed}", "1:14: expected a name of lower-case letters, digits and _, starting with a letter, found 'Order Completed'"),
        ("did: {event: seen, within: 1mo}", "1:28: '1mo': months have no fixed length here; write days, e.g. 30d"),
        ("did: {event: seen, count: many}", "1:27: count is a number, found 'many'"),
        ("did: {event: seen, count: 1.5}", "1:27: a count is compared with whole numbers from 0 to 1000000"),
        ("did: {event: seen, count: {contains: 1}}", "1:28: 'contains' can't be asked of count"),
        ("did: {event: seen, sum: 5}", "1:25: expected a mapping such as {total: {gte: 300}}: a path inside the properties, and what it is compared with, found '5'"),
        ("did: {event: seen, sum: {total: many}}", "1:33: the sum of total is a number, found 'many'"),
        ("did: {event: seen, avg: {a..b: 1}}", "1:26: 'a..b': a name is missing in the path, which looks like address.city"),
        ("did: {event: seen, max: {total: {contains: 1}}}", "1:34: 'contains' can't be asked of the max of total"),
        # message, subscribed
        ("message: clicked", "1:10: expected a mapping (step, template, was), found 'clicked'"),
        ("message: {was: clicked}", "1:10: message needs 'step' (a send step's id) or 'template', one of the two"),
        ("message: {step: a, template: b, was: sent}", "1:10: message needs 'step' (a send step's id) or 'template', one of the two"),
        ("message: {step: a, was: clickd}", "1:25: unknown fate of a message 'clickd' (did you mean 'clicked'?)"),
        ("message: {step: a}", "1:10: message lacks 'was' (what became of it)"),
        ("subscribed: offers", "1:13: expected a mapping (topic, via), found 'offers'"),
        ("subscribed: {via: email}", "1:13: subscribed lacks 'topic' (a topic of config.yaml)"),
        ("subscribed: {topic: offers, via: mail}", "1:34: unknown channel 'mail' (did you mean 'email'?)"),
        ("did_not: {event: seen, count: 2}", "1:24: unknown key 'count' in did_not"),
        ("in_segment: VIP", "1:13: expected a name of lower-case letters, digits and _, starting with a letter, found 'VIP'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_at_its_word(text: str, refusal: str) -> None:
    assert refusals(text, TYPES) == [refusal]


def test_every_problem_of_a_condition_is_reported_at_once() -> None:
    text = "contact.city: {gtee: 3, eq: null}\nall:\n  - in_segmnt: vip\n  - did: {event: seen, where: {contact.x: {in: 5}}}\n"
    assert [problem.split(": ")[0] for problem in refusals(text)] == ["1:16", "1:29", "3:5", "4:48"]


def test_numbers_written_loosely_are_read_by_the_declared_type() -> None:
    assert condition("contact.age: {gte: 18.50}", TYPES).plain() == {"contact.age": {"gte": 18.5}}
    assert condition("contact.zip: 0123", TYPES).plain() == {"contact.zip": {"eq": "0123"}}
    assert condition("contact.phone: +62812", TYPES).plain() == {"contact.phone": {"eq": "+62812"}}
    assert condition("contact.tags: {contains: 2024}", TYPES).plain() == {"contact.tags": {"contains": "2024"}}
    assert condition("contact.address.floor: 12", {"address.floor": "text"}).plain() == {
        "contact.address.floor": {"eq": "12"}
    }


def test_a_quoted_number_is_a_text() -> None:
    assert condition('event.code: "49.90"').plain() == {"event.code": {"eq": "49.90"}}


def test_event_is_refused_where_no_event_starts_people() -> None:
    assert refusals("event.total: 5", has_event=False) == [
        "1:1: 'event.total': no event starts people here, so there is no 'event'"
    ]


def test_event_inside_where_is_the_tested_one_even_without_a_starting_event() -> None:
    assert refusals("did: {event: seen, where: {event.page: a}}", has_event=False) == []


def test_entered_is_for_where_only() -> None:
    assert refusals("entered.total: 5") == [
        "1:1: 'entered.total': outside of 'where' it is called 'event': write 'event.total'"
    ]
    assert refusals("did: {event: seen, where: {entered.total: 5}}") == []
    assert refusals("entered.total: 5", tested=True) == []
    assert refusals("did: {event: seen, where: {entered.total: 5}}", has_event=False) == [
        "1:28: 'entered.total': no event starts people here, so there is no 'entered'"
    ]


def test_matched_is_refused_where_nothing_was_waited_for() -> None:
    assert refusals("matched.total: 5") == []
    assert refusals("matched.total: 5", matched=False) == [
        "1:1: 'matched.total': no wait_for has come before, so there is no 'matched'"
    ]


def test_a_condition_names_the_events_and_segments_it_uses_with_their_place() -> None:
    found = condition(
        "did: {event: a, where: {in_segment: s1, did_not: {event: b}}}\nnot:\n  any: [{in_segment: [s2, s1]}, {did: {event: c}}]"
    )
    assert found.events() == {"a", "b", "c"}
    assert found.segments() == {"s1", "s2"}
    assert [(use.name, use.line, use.column) for use in found.segments_used()] == [
        ("s1", 1, 37),
        ("s2", 3, 23),
        ("s1", 3, 27),
    ]


def test_the_same_words_give_the_same_value_wherever_they_stand() -> None:
    one, other = condition("contact.city: {eq: Jakarta}"), condition("\n\n  contact.city: Jakarta")
    assert one.plain() == other.plain()
    assert (one.line, other.line) == (1, 3)
    assert hash(one) != hash(condition("contact.city: Bandung"))


def test_a_list_of_over_a_thousand_values_is_refused() -> None:
    values = ", ".join(f"v{number}" for number in range(1001))
    assert refusals(f"contact.city: [{values}]") == ["1:15: 'in' takes at most 1000 values, found 1001"]


def test_conditions_too_deep_or_too_long_are_refused() -> None:
    deep = "did: {event: e}"
    for _ in range(3):
        deep = f"did: {{event: e, where: {{{deep}}}}}"
    assert refusals(deep) == ["1:73: 'did': at most 3 of them inside each other; make a segment of a part"]
    parts = ", ".join(f"{{contact.f{number}: 1}}" for number in range(201))
    assert refusals(f"any: [{parts}]") == ["1:1: a condition asks at most 200 things; make a segment of a part of it"]
