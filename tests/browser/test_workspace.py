"""The example workspace as a whole: it validates, speaks two languages, and its SMS cost one segment each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine.catalog import Catalog
from engine.message.sms import segments
from engine.message.text_template import TextTemplate
from tests.browser.sample import BARE, LONG, TEXTS, USUAL, values

LANGUAGES = {"id", "en"}


def test_the_example_workspace_has_no_problems_and_five_journeys(workspace: Catalog) -> None:
    assert workspace.problems == ()
    names = {"welcome", "cart_abandonment", "win_back", "birthday", "drip"}
    assert set(workspace.definitions.journeys) == names


def test_every_journey_says_what_it_is_for_how_it_ends_and_what_it_earns(workspace: Catalog) -> None:
    for item in workspace.definitions.journeys.values():
        journey = item.journey
        assert journey.description
        assert journey.purpose
        assert journey.exits
        assert journey.goal is not None
        assert journey.goal.value == ("total",)


def test_every_send_has_a_message_in_both_languages_on_each_of_its_channels(workspace: Catalog) -> None:
    there = {(found.channel, found.name, found.locale) for found in workspace.templates.all()}
    wanted = {
        (channel, send.template, language)
        for item in workspace.definitions.journeys.values()
        for send in item.journey.sends()
        for channel in send.via
        for language in LANGUAGES
    }
    assert there == wanted  # and no template lies about unused


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("person", [USUAL, BARE], ids=["usual", "bare"])
def test_an_sms_to_people_of_usual_names_is_one_segment(
    text: str, person: Mapping[str, Any], workspace: Catalog
) -> None:
    rendered = render(workspace, text, person)
    assert segments(rendered).encoding == "GSM-7"
    assert segments(rendered).segments == 1, f"{segments(rendered).characters} characters: {rendered}"


@pytest.mark.parametrize("text", TEXTS)
def test_an_sms_names_the_shop_and_the_way_out_and_stays_short_for_long_names(text: str, workspace: Catalog) -> None:
    rendered = render(workspace, text, LONG)
    assert rendered.startswith("Toko Nada: ")
    assert "BERHENTI" in rendered or "STOP" in rendered
    assert segments(rendered).encoding == "GSM-7"
    assert segments(rendered).segments <= 2


def render(workspace: Catalog, text: str, person: Mapping[str, Any]) -> str:
    name, language = text.split(".")
    template = workspace.templates.get("sms", name, language)
    assert isinstance(template, TextTemplate)
    return template.render(values(workspace, name, person), locale=language, timezone="Asia/Jakarta")
