"""Segments as files say them, and the references between them."""

from __future__ import annotations

from engine.audience.segment import circles, in_order, read_segment
from engine.document import read_document
from engine.grammar import INVALID, Reader
from tests.conditions import segment


def test_a_segment_has_a_name_a_condition_and_perhaps_a_description() -> None:
    read = segment("segment: vip\ndescription: Our best\nwhere: {contact.tier: gold}")
    assert (read.name, read.description, read.where.label()) == ("vip", "Our best", "contact.tier is gold")
    assert read.plain() == {"segment": "vip", "where": {"contact.tier": {"eq": "gold"}}}


def test_a_segment_knows_no_event_and_nothing_waited_for() -> None:
    node, _ = read_document(b"segment: vip\nwhere: {event.total: 5, matched.total: 5}\nextra: 1\n", "s.yaml")
    reader = Reader("s.yaml")
    assert node is not None
    assert read_segment(node, reader) is INVALID
    assert [str(problem) for problem in reader.problems] == [
        "s.yaml:2:9: 'event.total': no event starts people here, so there is no 'event'",
        "s.yaml:2:25: 'matched.total': no wait_for has come before, so there is no 'matched'",
        "s.yaml:3:1: unknown key 'extra' in a segment",
    ]


def test_a_segment_that_refers_to_itself_is_told_with_the_way_around() -> None:
    a = segment("segment: a\nwhere: {in_segment: b}")
    b = segment("segment: b\nwhere: {not: {did: {event: x, where: {in_segment: [c, a]}}}}")
    c = segment("segment: c\nwhere: {in_segment: [c, nowhere]}")
    d = segment("segment: d\nwhere: {in_segment: a}")
    found = circles({each.name: each.where.segments_used() for each in (a, b, c, d)})
    assert [circle.label() for circle in found] == ["a -> b -> a", "b -> a -> b", "c -> c"]
    assert [(circle.at.line, circle.at.column) for circle in found] == [(2, 21), (2, 55), (2, 22)]


def test_segments_are_ordered_after_those_they_refer_to() -> None:
    names = {"a": "c", "b": "nowhere", "c": "d", "d": "b"}
    segments = [segment(f"segment: {name}\nwhere: {{in_segment: {used}}}") for name, used in names.items()]
    assert [each.name for each in in_order(segments)] == ["b", "d", "c", "a"]


def test_ordering_survives_a_circle() -> None:
    segments = [
        segment(f"segment: {name}\nwhere: {{in_segment: {used}}}") for name, used in {"a": "b", "b": "a"}.items()
    ]
    assert sorted(each.name for each in in_order(segments)) == ["a", "b"]
