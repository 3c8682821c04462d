"""The SVG stands alone, says the same in the same bytes, and lets no label out of its text."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from engine.draw import svg
from engine.draw.looks import DAY, LOOKS, NIGHT, PLAIN, Ground, Look
from tests.unit.draw.drawn_machines import (
    DrawnMachine,
    Entry,
    Plan,
    Words,
    branch,
    leave,
    machine,
    send,
    wait,
    wait_for,
)
from tests.unit.draw.nested_journeys import machines

SVG = "{http://www.w3.org/2000/svg}"
CART = machine(
    "cart_abandonment",
    wait("1h"),
    send("cart_reminder"),
    wait_for("order_completed", "23h", then=(leave("bought"),), otherwise=(send("cart_nudge", "whatsapp, else sms"),)),
    branch(("contact.tier is gold", (send("cart_voucher"),))),
    exits=(Words("order_completed with the same cart_id", "bought_elsewhere"),),
    goal=Words("order_completed within 7d"),
)


def words(text: str) -> str:
    return " ".join(element.text or "" for element in ET.fromstring(text).iter(f"{SVG}text"))


def test_every_label_of_the_journey_is_in_the_picture() -> None:
    shown = words(svg(CART))
    for part in (
        "cart_abandonment",
        "wait 1h",
        "cart_reminder",
        "via email",
        "at most 23h",
        "otherwise",
        "exit: bought",
    ):
        assert part in shown
    for part in ("contact.tier is gold", "within 7d", "ends as bought_elsewhere", "completed", "cart_updated"):
        assert part in shown


def test_a_step_is_shown_with_the_name_it_has_beside_its_template() -> None:
    steps = (send("voucher"), Plan("send", "send voucher via email", "loyal_voucher"))
    assert words(svg(machine("j", *steps))).count("step ") == 1
    assert "step loyal_voucher" in words(svg(machine("j", *steps)))


def test_the_entry_rule_stands_at_the_trigger() -> None:
    drawing = DrawnMachine("j", Words("signed_up"), {}, None, entry=Entry(Words("contact.city is Jakarta")))
    assert "only if contact.city is Jakarta" in words(svg(drawing))


def test_the_same_machine_and_numbers_give_the_same_bytes() -> None:
    people = {"cart_reminder": 12}
    assert svg(CART, people, entered=3, ended={"bought": 1, "merged": 2}) == svg(
        CART, dict(people), entered=3, ended={"merged": 2, "bought": 1}
    )


def test_it_needs_nothing_from_outside() -> None:
    text = svg(CART)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    for word in ("<script", "<image", "<use", "<foreignObject", "url(", "@import", "href", " on"):
        assert word not in re.sub(r"<(title|desc|text)[^>]*>[^<]*</\1>", "", text)


def test_it_is_for_day_and_night_and_for_screen_readers() -> None:
    text = svg(CART)
    root = ET.fromstring(text)
    assert "@media (prefers-color-scheme:dark)" in text
    assert root.get("role") == "img"
    ids = {element.get("id"): element.text or "" for element in root if element.get("id")}
    title, described = (ids[name] for name in (root.get("aria-labelledby") or "").split())
    assert title == "Journey cart_abandonment"
    assert "Step 3: wait for order_completed, at most 23h (then: exit: bought; otherwise: send cart_nudge" in described


def test_markup_in_a_label_stays_text() -> None:
    nasty = "</text><script>alert('1 & \"2\"')</script>]]>"
    root = ET.fromstring(svg(machine("j", send(nasty), trigger=nasty, goal=Words(nasty))))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "path", "g", "text")
    }
    assert any("script>" in (element.text or "") for element in root.iter(f"{SVG}text"))


def test_a_label_that_is_cut_is_whole_in_the_tooltip() -> None:
    label = " ".join(f"value{number}" for number in range(100))
    root = ET.fromstring(svg(machine("j", branch((label, (send("a"),))))))
    assert "…" in words(svg(machine("j", branch((label, (send("a"),))))))
    assert label in [element.text for element in root.iter(f"{SVG}title")]


@settings(max_examples=40, deadline=None)
@given(machines())
def test_any_label_gives_well_formed_utf_8(drawing: DrawnMachine) -> None:
    ET.fromstring(svg(drawing).encode())


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", [*LOOKS, "plain"])
def test_words_and_icons_of_every_look_can_be_read_by_day_and_by_night(name: str) -> None:
    look: Look = LOOKS.get(name, PLAIN)
    day = DAY.first if name == "trigger" else DAY.surface
    night = NIGHT.first if name == "trigger" else NIGHT.surface
    assert min(contrast(look.ink, day), contrast(look.ink, look.tint)) >= 4.5
    assert min(contrast(look.dark_ink, night), contrast(look.dark_ink, look.dark_tint)) >= 4.5
    assert contrast("#ffffff", look.tile) >= 3
    if name != "trigger":  # names stand on the tint in a pill
        assert min(contrast(DAY.text, look.tint), contrast(NIGHT.text, look.dark_tint)) >= 4.5


@pytest.mark.parametrize("ground", [DAY, NIGHT])
def test_plain_words_can_be_read_on_their_ground(ground: Ground) -> None:
    assert min(contrast(ground.text, other) for other in (ground.paper, ground.surface, ground.chip)) >= 4.5
    assert min(contrast(ground.soft, other) for other in (ground.paper, ground.surface)) >= 4.5
    assert min(contrast(other, ground.first) for other in (ground.first_text, ground.first_soft)) >= 4.5
