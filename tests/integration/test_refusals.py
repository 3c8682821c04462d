"""What `alur validate` refuses (journey-language section 7, files only): each where it stands, and alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.catalog import load

CONFIG = """\
organisation: {name: Toko Nada, postal_address: "Jl. Sabang 1, Jakarta", timezone: Asia/Jakarta, locale: id}
topics: [offers]
channels: {sms: {adapter: console}, whatsapp: {adapter: console}}
contacts: {fields: {first_name: text, address.city: text, carts: list}}
events:
  cart_updated: {properties: {cart_id: text, total: number, items: list}}
  order_completed: {properties: {order_id: text, total: number}}
"""
JOURNEY = """\
journey: tested
topic: offers
trigger: {event: cart_updated}
steps:
  - wait: 1h
  - {send: hello, via: sms}
"""
SEGMENT = "segment: buyers\nwhere: {did: {event: order_completed}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "config.yaml", CONFIG)
    write(tmp_path, "journeys/tested.yaml", JOURNEY)
    write(tmp_path, "segments/buyers.yaml", SEGMENT)
    write(tmp_path, "templates/sms/hello.txt", "Halo {{ contact.first_name }}")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def said(root: Path) -> list[str]:
    return [str(problem) for problem in load(root).problems]


def journey(
    root: Path, name: str = "tested", trigger: str = "{event: cart_updated}", steps: str = "", **more: str
) -> None:
    """A journey with these steps, one a line; by default it sends `hello`."""
    lines = [
        f"journey: {name}",
        "topic: offers",
        f"trigger: {trigger}",
        *(f"{key}: {value}" for key, value in more.items()),
    ]
    write(root, f"journeys/{name}.yaml", "\n".join([*lines, "steps:", steps or "  - {send: hello, via: sms}"]) + "\n")


def test_the_workspace_that_these_tests_break_is_good(root: Path) -> None:
    assert said(root) == []


REFUSED = [
    ("  - wait: 1h", "  - exit: done\n  - wait: 1h", "6:5: unreachable step"),
    ("  - wait: 1h", "  - branch:\n      - {when: {contact.first_name: Ani}, do: []}", "6:7: branch lacks 'otherwise'"),
    ("wait: 1h", "wait_for: {event: order_completed}", "5:15: wait_for lacks 'timeout'"),
    ("topic: offers\n", "", "1:1: a marketing journey lacks 'topic'"),
    ("send: hello", "send: helo", "6:12: unknown template 'helo' in templates/sms (did you mean 'hello'?)"),
    ("via: sms", "via: smss", "6:24: unknown channel 'smss' (did you mean 'sms'?)"),
    ("via: sms", "via: [email, sms]", "6:25: channel 'email' is not set up"),
    ("{event: cart_updated}", "{enters: byers}", "3:19: unknown segment 'byers' (did you mean 'buyers'?)"),
    ("wait: 1h", "wait_for: {when: {in_segment: byers}, timeout: 1d}", "5:35: unknown segment 'byers'"),
    ("topic: offers", "topic: ofers", "2:8: unknown topic 'ofers' (did you mean 'offers'?)"),
    ("wait: 1h", "start: tessted", "5:12: unknown journey 'tessted' (did you mean 'tested'?)"),
    ("{event: cart_updated}", "{finished: tessted}", "3:21: unknown journey 'tessted' (did you mean 'tested'?)"),
    ("wait: 1h", "wiat: 1h", "5:5: unknown step 'wiat' (did you mean 'wait'?)"),
    (
        "  - wait: 1h",
        "  - experiment: {name: e, variants: {a: {weight: 50, do: []}, b: {weight: 40, do: []}}}",
        "weights",
    ),
    ("steps:", "delivery: {cap: {max: 0, per: 7d}}\nsteps:", "4:23: a cap of '0'"),
    ("steps:", 'delivery: {quiet_hours: {from: "08:00", to: "08:00"}}\nsteps:', "a whole day"),
    ("wait: 1h", "start: tested", "5:12: journeys can't start each other in a circle: tested -> tested"),
    ("via: sms", "via: whatsapp", "needs an approved template"),
    ("wait: 1h", "webhook: {url: https://a.example.com, secret: s3cr3t-typed-in}", "5:51: a secret is typed in here"),
    ("wait: 1h", "webhook: {url: https://a.example.com, body: {api_key: abc123abc123}}", "5:59: a secret is typed in here"),
    ("via: sms", "via: sms, vars: {note: sk_live_abcdefghijklmnop1234}", "6:42: a secret is typed in here"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problem"), REFUSED)
def test_a_journey_is_refused_at_the_word_that_is_wrong(root: Path, old: str, new: str, problem: str) -> None:
    if "whatsapp" in new:
        write(root, "templates/whatsapp/hello.yaml", "fallback_text: Halo\n")
    text = (root / "journeys/tested.yaml").read_text()
    assert old in text
    write(root, "journeys/tested.yaml", text.replace(old, new, 1))
    found = said(root)
    assert any(problem in line.removeprefix("journeys/tested.yaml:") for line in found), found
    if problem[0].isdigit():
        assert any(line.startswith(f"journeys/tested.yaml:{problem}") for line in found), found
    assert all("s3cr3t" not in line and "sk_live" not in line and "abc123" not in line for line in found)


ASKED = "  - branch: [{when: {matched.total: lots}, do: []}, {otherwise: []}]"
BOUGHT = "{event: order_completed, timeout: 1d}"


@pytest.mark.parametrize(
    ("journey_keys", "problem"),
    [
        ({"trigger": "{event: cart_updated, where: {event.total: {gte: lots}}}"}, "3:59: event.total is a number, found 'lots'"),
        ({"trigger": "{where: {event.total: lots}, event: cart_updated}"}, "3:32: event.total is a number, found 'lots'"),
        ({"entry": "{where: {event.total: lots}}"}, "4:30: event.total is a number, found 'lots'"),
        ({"exit": "[{event: order_completed, where: {event.paid_at: lots}}]"}, "4:56: event.paid_at is an instant: "),
        ({"exit": "[{event: order_completed, where: {entered.total: lots}}]"}, "4:56: entered.total is a number, found 'lots'"),
        ({"exit": "[{when: {event.total: lots}}]"}, "4:29: event.total is a number, found 'lots'"),
        ({"goal": "{event: order_completed, where: {event.day: 2026-13-01}}"}, "4:51: event.day is a date: "),
        ({"goal": "{event: order_completed, where: {event.total.cents: 1}}"}, "4:40: 'event.total.cents': event.total is a number and has no parts"),
        ({"exit": "[{when: {did: {event: order_completed, sum: {day: {gte: 1}}}}}]"}, "4:52: 'sum' adds up numbers; day of order_completed is a date"),
        ({"exit": "[{when: {did: {event: cart_updated, max: {items: {gte: 1}}}}}]"}, "4:49: 'max' looks at numbers; items of cart_updated is a list"),
        ({"exit": "[{when: {did: {event: signed_up, where: {did: {event: order_completed, where: {event.gift: perhaps}}}}}}]"}, "4:98: event.gift is true or false, found 'perhaps'"),
        ({"steps": f"  - wait_for: {BOUGHT}\n    then: [{{wait: 1h}}]\n  - branch: [{{when: {{matched.day: soon}}, do: []}}, {{otherwise: []}}]"}, "7:35: matched.day is a date: "),
        ({"steps": "  - wait: {until: event.total}"}, "5:19: event.total is declared as number in config.yaml; a wait needs a date or datetime"),
    ],
)  # fmt: skip
def test_a_value_that_an_event_can_t_hold_by_its_declaration_is_refused_at_its_word(
    root: Path, journey_keys: dict[str, str], problem: str
) -> None:
    bought = (
        "order_completed: {properties: {order_id: text, total: number, day: date, paid_at: datetime, gift: boolean}}"
    )
    write(root, "config.yaml", re.sub("order_completed: .*", bought, CONFIG))
    journey(root, **journey_keys)  # type: ignore[arg-type]
    (told,) = said(root)
    assert told.startswith(f"journeys/tested.yaml:{problem}")


def test_a_segment_is_held_to_what_events_are_declared_to_carry(root: Path) -> None:
    write(
        root, "segments/buyers.yaml", SEGMENT.replace("order_completed}", "order_completed, where: {event.total: x}}")
    )
    assert said(root) == ["segments/buyers.yaml:2:60: event.total is a number, found 'x'"]


@pytest.mark.parametrize(
    ("trigger", "steps"),
    [
        ("{event: cart_updated}", "  - branch: [{when: {event.total: 49.90}, do: []}, {otherwise: []}]"),
        ("{event: signed_up}", "  - branch: [{when: {event.total: lots}, do: []}, {otherwise: []}]"),
        ("{manual: true}", "  - branch: [{when: {event.total: lots}, do: []}, {otherwise: []}]"),
        ("{event: cart_updated}", f"  - wait_for: {BOUGHT}\n  - wait_for: {{event: signed_up, timeout: 1d}}\n{ASKED}"),
        ("{event: cart_updated}", "  - branch: [{when: {event.items.*.price: cheap}, do: []}, {otherwise: []}]"),
    ],
)  # fmt: skip
def test_what_no_declaration_surely_types_is_compared_as_it_comes(root: Path, trigger: str, steps: str) -> None:
    journey(root, trigger=trigger, steps=steps)
    assert said(root) == []


# T7, and its hints
@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("WIB", " (did you mean 'Asia/Jakarta'?)"),
        ("WITA", " (did you mean 'Asia/Makassar'?)"),
        ("asia/jakarta", " (did you mean 'Asia/Jakarta'?)"),
        ("Asia/Jakata", " (did you mean 'Asia/Jakarta'?)"),
        ("", ""),
        ("../../etc/passwd", ""),
        ("America/Nope", ""),
    ],
)
def test_a_time_zone_that_is_none_is_refused_with_a_hint(root: Path, zone: str, hint: str) -> None:
    journey(root, delivery=f'{{timezone: "{zone}"}}')
    (problem,) = said(root)
    assert problem.startswith(f"journeys/tested.yaml:4:22: unknown time zone '{zone}'{hint}")
    journey(root, trigger=f'{{schedule: "0 9 * * mon", timezone: "{zone}", segment: buyers}}', steps="  - wait: 1h")
    (problem,) = said(root)
    assert f"unknown time zone '{zone}'" in problem


def test_one_bad_journey_is_refused_alone_and_every_problem_of_every_file_is_told(root: Path) -> None:
    journey(root, "first", steps="  - {send: helo, via: sms}\n  - start: nowhere\n  - {id: b, send: bye, via: sms}")
    journey(root, "second", "{enters: nobody}", steps="  - wiat: 1h\n  - wait: soon")
    catalog = load(root)
    assert set(catalog.definitions.journeys) == {"tested"}
    assert catalog.definitions.broken == {"first", "second"}
    places = [(problem.file, problem.line) for problem in catalog.problems]
    first, second = "journeys/first.yaml", "journeys/second.yaml"
    assert places == [(first, 5), (first, 6), (first, 7), (second, 3), (second, 5), (second, 6)]


def test_what_is_wrong_in_a_file_hides_nothing_of_what_else_is_wrong_with_it(root: Path) -> None:
    steps = """\
  - wiat: 1h
  - {send: helo, via: smss}
  - {id: a, send: hello, via: sms, vars: {note: "{{ contact.nick }}"}}
  - branch:
      - when: {in_segment: [buyers, byer], contact.x: {gtt: 1}}
        do: [{id: a, send: helo, via: sms}, {start: nowhere}]
      - otherwise: [{wait_for: {when: {message: {step: b, was: clicked}}, timeout: soon}}, {start: tested}]
  - branch: [{when: {message: {step: c, was: sent}}, do: []}, {otherwise: [{id: c, send: hello, via: [sms, fax]}]}]
  - webhook: {url: https://a.example.com, body: {api_key: abc123abc123}}"""
    journey(root, "tested", "{enters: byers}", steps=steps, topc="x", exit="[{leaves: byerz}]")
    text = (
        (root / "journeys/tested.yaml").read_text().replace("topic: offers", "topic: ofers\nkind: marketing\nkind: no")
    )
    write(root, "journeys/tested.yaml", text)
    told = [line.removeprefix("journeys/tested.yaml:").partition(" (")[0] for line in said(root)]
    assert [line.partition(":")[0] + line.partition(":")[2].partition(":")[2] for line in told] == [
        "2 unknown topic 'ofers'",
        "4 key 'kind' stands twice",
        "5 unknown segment 'byers'",
        "6 unknown key 'topc' in a journey",
        "7 unknown segment 'byerz'",
        "9 unknown step 'wiat'",
        "10 unknown template 'helo' in templates/sms or templates/whatsapp",
        "10 unknown channel 'smss'",
        "11 'contact.nick' may be missing: contacts.fields in config.yaml has no 'nick'; declare it there, or write {{ contact.nick | default('..') }}",
        "13 unknown segment 'byer'",
        "13 unknown operator 'gtt'",
        "14 the step id 'a' is taken by line 11; give this step an 'id' of its own",
        "14 unknown template 'helo' in templates/sms",
        "14 unknown journey 'nowhere'",
        "15 unknown send step 'b'",
        "15 expected a window such as 15m, 24h, 30d or 2w, found 'soon'",
        "15 journeys can't start each other in a circle: tested -> tested",
        "16 unknown channel 'fax'",
        '17 a secret is typed in here: use an environment reference such as "${API_KEY}" in a webhook\'s url, headers or secret',
    ]


def test_a_secret_in_a_webhook_that_does_not_read_is_told_once(root: Path) -> None:
    journey(root, steps="  - webhook: {url: https://a.example.com, secret: s3cr3t-typed-in, methd: PUT}")
    assert [line.split(" ")[1:4] for line in said(root)] == [["a", "secret", "is"], ["unknown", "key", "'methd'"]]


def test_a_broken_segment_is_told_all_that_is_wrong_with_it_too(root: Path) -> None:
    write(
        root,
        "segments/buyers.yaml",
        "segment: buyer\nnote: x\nwhere: {in_segment: [readers, nobody], contact.x: {gtt: 1}}\n",
    )
    write(
        root,
        "segments/readers.yaml",
        "segment: readers\nwhere: {in_segment: buyers}\nwhere: {subscribed: {topic: no}}\n",
    )
    assert [line.removeprefix("segments/").partition(" (")[0] for line in said(root)] == [
        "buyers.yaml:1:10: segment 'buyer' must be called 'buyers', like its file",
        "buyers.yaml:2:1: unknown key 'note' in a segment",
        "buyers.yaml:3:22: a segment can't refer to itself: buyers -> readers -> buyers",
        "buyers.yaml:3:31: unknown segment 'nobody'",
        "buyers.yaml:3:52: unknown operator 'gtt'",
        "readers.yaml:2:21: a segment can't refer to itself: readers -> buyers -> readers",
        "readers.yaml:3:1: key 'where' stands twice",
    ]


def test_journeys_that_start_each_other_in_a_circle_are_refused_all_of_them(root: Path) -> None:
    journey(root, "one", steps="  - start: two")
    journey(root, "two", "{manual: true}", steps="  - wait: 1d")
    journey(root, "three", "{finished: two}", steps="  - start: one")
    assert [line.split(": ", 1) for line in said(root)] == [
        ["journeys/one.yaml:5:12", "journeys can't start each other in a circle: one -> two -> three -> one"],
        ["journeys/three.yaml:3:21", "journeys can't start each other in a circle: two -> three -> one -> two"],
        ["journeys/three.yaml:5:12", "journeys can't start each other in a circle: three -> one -> two -> three"],
    ]


def test_an_event_that_a_journey_emits_to_itself_for_ever_is_refused(root: Path) -> None:
    journey(root, entry="{reentry: always}", steps="  - {send: hello, via: sms}\n  - emit: cart_updated")
    assert said(root) == [
        "journeys/tested.yaml:7:11: this event goes round for ever: tested -> tested; put a wait before it, or let entry.reentry of one of them be never or {after: ..}"
    ]
    journey(root, entry="{reentry: {after: 1h}}", steps="  - {send: hello, via: sms}\n  - emit: cart_updated")
    assert said(root) == []


# --- variables of templates and texts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{{ contact.email }} {{ contact.phone }} {{ contact.user_id }} {{ contact.locale }}",
        "{{ contact.address.city }}",
        "{% for cart in contact.carts %}{{ cart.name }}{% endfor %}",
        "{{ contact.nick | default('kawan') }}",
        "{% if contact.nick is defined %}{{ contact.nick }}{% endif %}",
        "{{ event.total | money }} {{ event.items.0.name }} {% for each in event.items %}{{ each.name }}{% endfor %}",
        "{{ organisation.name }} {{ organisation.postal_address }} {{ unsubscribe_url }}",
        "{{ vars.discount }}",
        "{{ event.anything | default('x') }}",
    ],
)
def test_a_variable_that_a_default_or_a_declaration_supplies_is_let_pass(root: Path, text: str) -> None:
    write(root, "templates/sms/hello.txt", text)
    journey(root, steps="  - {send: hello, via: sms, vars: {discount: 10}}")
    assert said(root) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ contact.frist_name }}", "contacts.fields in config.yaml has no 'frist_name' (did you mean 'first_name'?): declare it there"),
        ("{{ contact.anonymous_id }}", "contacts.fields in config.yaml has no 'anonymous_id'"),
        ("{{ contact.first_name.short }}", "'first_name' is a text and has no 'short'"),
        ("{% if contact.email %}{{ contact.nick }}{% endif %}", "contacts.fields in config.yaml has no 'nick'"),
        ("{{ event.totl }}", "events.cart_updated in config.yaml has no 'totl' (did you mean 'total'?)"),
        ("{{ event.total.amount }}", "'total' is a number and has no 'amount'"),
        ("{{ event.items.name }}", "'items' is a list and has no 'name'"),
        ("{{ vars.discuont }}", "the step's vars have no 'discuont' (did you mean 'discount'?)"),
        ("{{ vars.discount.value }}", "the step's variable 'discount' has no parts"),
        ("{{ matched.total }}", "not everybody who comes here has met the event of a wait_for"),
    ],
)  # fmt: skip
def test_a_variable_that_nothing_surely_supplies_is_refused_at_the_send(root: Path, text: str, why: str) -> None:
    write(root, "templates/sms/hello.txt", text)
    journey(root, steps="  - {send: hello, via: sms, vars: {discount: 10}}")
    (problem,) = said(root)
    assert problem.startswith("journeys/tested.yaml:5:12: template 'hello' shows '")
    assert f"(templates/sms/hello.txt), and {why}" in problem


def test_every_language_of_a_template_and_every_channel_of_a_send_is_looked_at(root: Path) -> None:
    write(root, "templates/sms/hello.en.txt", "Hi {{ contact.nick }}")
    write(
        root,
        "templates/whatsapp/hello.yaml",
        f"content_sid: HX{'0' * 32}\nvariables: {{'1': '{{{{ contact.city }}}}'}}\nfallback_text: Halo\n",
    )
    journey(root, steps="  - {send: hello, via: [whatsapp, sms]}")
    assert [line.split("shows ")[1].split(",")[0] for line in said(root)] == [
        "'contact.city' (templates/whatsapp/hello.yaml)",
        "'contact.nick' (templates/sms/hello.en.txt)",
    ]


def test_an_event_that_config_yaml_does_not_declare_supplies_nothing(root: Path) -> None:
    write(root, "templates/sms/hello.txt", "{{ event.plan }}")
    journey(root, trigger="{event: signed_up}")
    (problem,) = said(root)
    assert "config.yaml does not declare events.signed_up: declare it with this property" in problem


@pytest.mark.parametrize(
    ("trigger", "steps", "problem"),
    [
        ("{enters: buyers}", "  - {send: hello, via: sms}", "5:12: template 'hello' shows 'event.total'"),
        ("{enters: buyers}", '  - emit: x\n    properties: {a: "{{ event.total }}"}', "6:21: 'event.total': no event starts people here"),
        ("{enters: buyers}", '  - emit: x\n    properties: {a: "{{ event.total | default(1) }}"}', "6:21: 'event.total': no event starts people here"),
        ("{enters: buyers}", '  - {send: plain, via: sms, vars: {a: "{{ event.total }}"}}', "5:39: 'event.total': no event starts"),
        ("{enters: buyers}", "  - wait: {until: event.date}", "event"),
        ("{event: order_completed}", '  - {send: plain, via: sms, vars: {a: "{{ event.totl }}"}}', "5:39: 'event.totl' may be missing"),
        ("{event: order_completed}", '  - {send: plain, via: sms, vars: {a: "{{ vars.b }}", b: 1}}', "5:39: 'vars.b' is not known here"),
        ("{event: order_completed}", '  - webhook: {url: https://a.example.com, body: {a: "{{ contact.nick }}"}}', "5:53: 'contact.nick' may be missing"),
    ],
)  # fmt: skip
def test_text_in_the_journey_itself_is_held_to_the_same_data(
    root: Path, trigger: str, steps: str, problem: str
) -> None:
    write(root, "templates/sms/hello.txt", "{{ event.total }}")
    write(root, "templates/sms/plain.txt", "Halo {{ vars.a | default('') }}")
    journey(root, "other", trigger, steps)
    found = [line.removeprefix("journeys/other.yaml:") for line in said(root)]
    assert len(found) == 1, found
    assert found[0].startswith(problem) or (problem == "event" and "event" in found[0])


THEN = "  - wait_for: {{event: order_completed, timeout: 1d}}\n    then:\n      - {{send: hello, via: sms}}"
AFTER = "  - wait_for: {{event: order_completed, timeout: 1d}}\n    otherwise: [{0}]\n  - {{send: hello, via: sms}}"
LATER = "  - wait_for: {{event: order_completed, timeout: 1d}}\n  - wait_for: {{event: cart_updated, timeout: 1d}}\n    otherwise: [{{exit: no}}]\n  - {{send: hello, via: sms}}"
SKIPPED = "  - wait: {{until: contact.birthday}}\n  - wait_for: {{event: order_completed, timeout: 1d}}\n    otherwise: [{{exit: no}}]\n  - {{send: hello, via: sms}}"
REPEATED = "  - repeat:\n      up_to: 3\n      every: 1d\n      do:\n        - {{send: hello, via: sms}}\n        - wait_for: {{event: order_completed, timeout: 1d}}\n          otherwise: [{{exit: no}}]"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (THEN, None),
        (AFTER.format("{exit: no}"), None),
        (AFTER.format("{wait: 1h}"), "not everybody who comes here has met"),
        (LATER, "events.cart_updated in config.yaml has no 'order_id'"),
        (SKIPPED, "not everybody who comes here has met"),
        (REPEATED, "not everybody who comes here has met"),
    ],
)
def test_matched_is_the_event_of_the_wait_for_before(root: Path, steps: str, problem: str | None) -> None:
    write(root, "templates/sms/hello.txt", "{{ matched.order_id }}")
    journey(root, steps=steps.replace("{{", "{").replace("}}", "}"))
    found = said(root)
    assert (found == []) if problem is None else (len(found) == 1 and problem in found[0]), found


def test_what_a_journey_hands_over_is_the_event_of_the_one_it_starts(root: Path) -> None:
    write(root, "templates/sms/order.txt", "{{ event.order_id }}")
    journey(root, "ended", "{finished: tested}", "  - {send: order, via: sms}")
    journey(root, "by_hand", "{manual: true}", "  - {send: order, via: sms}")
    (problem,) = said(root)
    assert problem.startswith("journeys/ended.yaml:5:12: ")
    assert "events.cart_updated in config.yaml has no 'order_id'" in problem
    journey(root, trigger="{event: order_completed}", steps="  - start: by_hand")
    assert said(root) == []
    journey(root, trigger="{enters: buyers}", steps="  - start: by_hand")
    assert [line.split(":")[0] for line in said(root)] == ["journeys/by_hand.yaml", "journeys/ended.yaml"]


# --- S4, S10, S11, S17 of bad input, as files ---------------------------------------------------------------------------

BAD_TEMPLATES = [
    "{{ contact.__class__ }}", "{{ contact['__globals__'] }}", "{{ contact | attr('format') }}", "{{ cycler.__init__ }}",
    "{{ 'a' * 10**9 }}", "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{{ lipsum(n=100000) }}", "{{ 'x' | center(500000000) }}", "{{ '%0200000000d' | format(1) }}",
    "{{ env.HOME }}", "{{ config.SECRET_KEY }}", "{% include 'config.yaml' %}", "{{ open('/etc/passwd') }}",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_TEMPLATES)
def test_a_template_that_reaches_for_more_than_its_data_is_refused_when_it_is_compiled(root: Path, text: str) -> None:
    write(root, "templates/sms/hello.txt", text)
    assert any(line.startswith("templates/sms/hello.txt:1:") for line in said(root))


def test_the_same_text_as_a_variable_of_a_step_is_refused_there(root: Path) -> None:
    journey(root, steps='  - {send: hello, via: sms, vars: {a: "{{ 7 * 7 }}"}}')
    assert said(root) == [
        "journeys/tested.yaml:5:39: vars.a: '*' is refused: compute the value before, and pass it as one of the step's 'vars'"
    ]


def test_a_journey_of_five_megabytes_or_ten_thousand_steps_is_refused(root: Path) -> None:
    journey(root, steps="  - wait: 1h\n" * 400_000)
    assert said(root) == ["journeys/tested.yaml:1:1: the file has 5,200,069 bytes; at most 1,000,000 are allowed"]
    journey(root, steps="  - wait: 1h\n" * 10_000)
    assert said(root) == ["journeys/tested.yaml:1005:5: a journey has at most 1000 steps"]


def test_a_round_without_time_is_refused(root: Path) -> None:
    journey(root, steps="  - repeat: {up_to: 5, do: [{send: hello, via: sms}]}")
    (problem,) = said(root)
    assert "needs a wait" in problem


def test_a_wait_whose_target_may_be_past_says_what_then(root: Path) -> None:
    """T10: now, or the next step left out; never both."""
    write(root, "config.yaml", CONFIG.replace("carts: list", "carts: list, renewal: date"))
    journey(root, steps="  - wait: {until: contact.renewal, if_past: next}\n  - {send: hello, via: sms}")
    (problem,) = said(root)
    assert problem.startswith("journeys/tested.yaml:5:45: ")
    journey(root, steps="  - wait: {until: contact.renewal, if_past: now}\n  - {send: hello, via: sms}")
    assert said(root) == []
