"""A workspace on disk: its files are read, and checked against each other, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog import load
from engine.errors import WorkspaceError

CONFIG = """\
organisation: {name: Toko Nada, postal_address: "Jl. Sabang 1, Jakarta", timezone: Asia/Jakarta, locale: id}
topics: [offers]
channels: {email: {adapter: file}, sms: {adapter: console}, whatsapp: {adapter: console}}
"""
JOURNEY = """\
journey: hello
topic: offers
trigger: {event: signed_up}
exit: [{leaves: buyers}]
steps:
  - {send: welcome, via: [email, sms]}
  - branch:
      - when: {in_segment: buyers}
        do: [{exit: bought}]
      - otherwise: []
"""
SEGMENT = "segment: buyers\nwhere: {did: {event: order_completed}}\n"
MAIL = """\
---
subject: Halo
---
<mjml><mj-body><mj-section><mj-column><mj-text>Halo <a href="{{ unsubscribe_url }}">berhenti</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "config.yaml": CONFIG,
        "journeys/hello.yaml": JOURNEY,
        "segments/buyers.yaml": SEGMENT,
        "templates/email/welcome.mjml": MAIL,
        "templates/sms/welcome.txt": "Halo",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def said(root: Path) -> list[str]:
    return [str(problem) for problem in load(root).problems]


def test_a_good_workspace_has_no_problems(root: Path) -> None:
    catalog = load(root)
    assert catalog.problems == ()
    assert (set(catalog.definitions.journeys), set(catalog.definitions.segments)) == ({"hello"}, {"buyers"})


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("topic: offers", "topic: ofers", "2:8: unknown topic 'ofers' (did you mean 'offers'?)"),
        ("leaves: buyers", "leaves: byers", "4:17: unknown segment 'byers' (did you mean 'buyers'?)"),
        ("in_segment: buyers", "in_segment: byers", "8:28: unknown segment 'byers' (did you mean 'buyers'?)"),
        (
            "send: welcome",
            "send: wellcome",
            "6:12: unknown template 'wellcome' in templates/email or templates/sms (did you mean 'welcome'?)",
        ),
        ("via: [email, sms]", "via: email, vars: {a: '{{ 7 * '}", "6:43: vars.a: "),
        (
            "in_segment: buyers",
            "subscribed: {topic: ofers}",
            "8:36: unknown topic 'ofers' (did you mean 'offers'?)",
        ),
        (
            "in_segment: buyers",
            "message: {step: welcom, was: opened}",
            "8:32: unknown send step 'welcom' (did you mean 'welcome'?)",
        ),
        (
            "in_segment: buyers",
            "message: {template: bye, was: opened}",
            "8:36: unknown template among those that this journey sends: 'bye' (one of: welcome)",
        ),
        (
            "trigger: {event: signed_up}",
            "trigger: {event: signed_up, where: {message: {step: welcome, was: sent}}}",
            "3:37: 'message' is about messages of an enrollment; here nobody is under way yet",
        ),
    ],
)
def test_a_name_that_nothing_carries_is_refused_where_it_stands(root: Path, old: str, new: str, problem: str) -> None:
    change(root / "journeys/hello.yaml", old, new)
    assert any(line.startswith(f"journeys/hello.yaml:{problem}") for line in said(root)), said(root)


def test_marketing_mail_without_an_unsubscribe_link_or_a_postal_address_is_refused(root: Path) -> None:
    change(root / "templates/email/welcome.mjml", "{{ unsubscribe_url }}", "https://example.com")
    change(root / "config.yaml", ', postal_address: "Jl. Sabang 1, Jakarta"', "")
    assert said(root) == [
        "journeys/hello.yaml:6:5: marketing mail 'welcome' lacks the unsubscribe link: put {{ unsubscribe_url }} into templates/email/welcome.mjml",
        "journeys/hello.yaml:6:5: marketing mail 'welcome' needs organisation.postal_address in config.yaml",
    ]


def test_transactional_mail_needs_neither(root: Path) -> None:
    change(root / "templates/email/welcome.mjml", "{{ unsubscribe_url }}", "https://example.com")
    change(root / "journeys/hello.yaml", "topic: offers", "kind: transactional")
    assert said(root) == []


def test_whatsapp_marketing_without_an_approved_template_is_refused(root: Path) -> None:
    change(root / "journeys/hello.yaml", "[email, sms]", "[whatsapp, sms]")
    (root / "templates/whatsapp").mkdir()
    (root / "templates/whatsapp/welcome.yaml").write_text("fallback_text: Halo\n")
    assert [line for line in said(root) if "needs an approved template" in line]
    (root / "templates/whatsapp/welcome.yaml").write_text(f"fallback_text: Halo\ncontent_sid: HX{'0' * 32}\n")
    assert said(root) == []


def test_one_bad_journey_is_refused_alone(root: Path) -> None:
    (root / "journeys/bad.yaml").write_text("journey: bad\nsteps: 3\n")
    catalog = load(root)
    assert set(catalog.definitions.journeys) == {"hello"}
    assert catalog.definitions.broken == {"bad"}
    assert {problem.file for problem in catalog.problems} == {"journeys/bad.yaml"}


def test_a_segment_may_ask_for_subscriptions_to_topics_that_exist_and_not_for_messages(root: Path) -> None:
    (root / "segments/readers.yaml").write_text("segment: readers\nwhere: {subscribed: {topic: ofers}}\n")
    (root / "segments/clickers.yaml").write_text("segment: clickers\nwhere: {message: {step: welcome, was: clicked}}\n")
    assert said(root) == [
        "segments/clickers.yaml:2:9: 'message' is about messages of an enrollment; here nobody is under way yet",
        "segments/readers.yaml:2:29: unknown topic 'ofers' (did you mean 'offers'?)",
    ]


def test_a_broken_segment_is_not_called_unknown_as_well(root: Path) -> None:
    (root / "segments/buyers.yaml").write_text("segment: buyers\nwhere: {dit: {event: a}}\n")
    assert {problem.file for problem in load(root).problems} == {"segments/buyers.yaml"}


def test_segments_that_refer_to_each_other_in_a_circle_are_refused(root: Path) -> None:
    (root / "segments/buyers.yaml").write_text("segment: buyers\nwhere: {in_segment: loyal}\n")
    (root / "segments/loyal.yaml").write_text("segment: loyal\nwhere: {in_segment: buyers}\n")
    assert "segments/buyers.yaml:2:21: a segment can't refer to itself: buyers -> loyal -> buyers" in said(root)


def test_what_looks_like_a_journey_and_is_not_read_is_told(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "evil.yaml"
    outside.write_text("journey: evil\n")
    (root / "journeys/evil.yaml").symlink_to(outside)
    (root / "journeys/folder.yaml").mkdir()
    (root / "journeys/loud.YAML").write_text("journey: loud\n")
    (root / "journeys/.#editing.yaml").symlink_to("ani@laptop.4711")
    (root / "segments/old.yml").write_text("segment: old\n")
    assert said(root) == [
        "journeys/evil.yaml:1:1: this is a link out of the folder, and is not read: put the file itself into journeys",
        "journeys/folder.yaml:1:1: this is no file",
        "journeys/loud.YAML:1:1: this file is not read: call it loud.yaml",
        "segments/old.yml:1:1: this file is not read: call it old.yaml",
    ]


def test_a_folder_without_config_yaml_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="alur init"):
        load(tmp_path)


def acting(root: Path, name: str, trigger: str, *steps: str) -> None:
    lines = "".join(f"  - {step}\n" for step in steps)
    (root / "journeys" / f"{name}.yaml").write_text(
        f"journey: {name}\ntopic: offers\ntrigger: {trigger}\nsteps:\n{lines}"
    )


def test_an_unknown_journey_is_refused_where_it_is_started_or_waited_for(root: Path) -> None:
    acting(root, "one", "{finished: helo}", "start: hallo")
    assert said(root) == [
        "journeys/one.yaml:3:21: unknown journey 'helo' (did you mean 'hello'?)",
        "journeys/one.yaml:5:12: unknown journey 'hallo' (did you mean 'hello'?)",
    ]


def test_journeys_that_start_each_other_in_a_circle_are_refused_each_at_its_own_part_of_it(root: Path) -> None:
    acting(root, "one", "{event: began}", "wait: 1d", "start: two")
    acting(root, "two", "{manual: true}", "wait: 1d")
    acting(root, "three", "{finished: two}", "start: one")
    assert [problem.partition(": ") for problem in said(root)] == [
        (f"journeys/{place}", ": ", f"journeys can't start each other in a circle: {way}")
        for place, way in (
            ("one.yaml:6:12", "one -> two -> three -> one"),
            ("three.yaml:3:21", "two -> three -> one -> two"),
            ("three.yaml:5:12", "three -> one -> two -> three"),
        )
    ]


def test_a_topic_that_is_taken_away_must_exist_and_a_webhook_must_be_possible_here(root: Path) -> None:
    acting(
        root,
        "one",
        "{event: began}",
        "update: {consent: {ofers: out}}",
        'webhook: {url: http://10.0.0.1/x, secret: "${NEVER_SET_ANYWHERE}"}',
    )
    assert [problem.partition(".yaml:")[2] for problem in said(root)] == [
        "5:24: unknown topic 'ofers' (did you mean 'offers'?)",
        "6:20: '10.0.0.1' is an internal address: webhooks.allow_internal in config.yaml says which of those may be called",
        "6:47: the environment variable NEVER_SET_ANYWHERE is not set: set it, in .env for example",
    ]
    with (root / "config.yaml").open("a") as config:
        config.write("webhooks: {allow_internal: 10.0.0.0/8}\n")
    (root / ".env").write_text("NEVER_SET_ANYWHERE=secret\n")
    change(root / "journeys" / "one.yaml", "ofers", "offers")
    assert said(root) == []
