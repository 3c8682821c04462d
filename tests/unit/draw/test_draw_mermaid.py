"""The Mermaid text is a flowchart whose labels can't break it."""

from __future__ import annotations

import re

from hypothesis import given, settings

from engine.draw import mermaid
from tests.unit.draw.drawn_machines import DrawnMachine, Entry, Words, branch, leave, machine, send, wait, wait_for
from tests.unit.draw.nested_journeys import machines

LABEL = r'"[^"\n]+"'
NODE = re.compile(rf"    (\w+)(?:\[{LABEL}\]|\({LABEL}\)|\(\[{LABEL}\]\)|\{{{LABEL}\}})(?::::(\w+))?")
EDGE = re.compile(rf"    (\w+) -->(?:\|{LABEL}\|)? (\w+)")
CLASS = re.compile(r"    classDef (\w+) [\w#:,\- ]+")


def check(text: str) -> None:
    first, *lines = text.splitlines()
    assert first == "flowchart TD"
    nodes = [found for line in lines if (found := NODE.fullmatch(line))]
    edges = [found for line in lines if (found := EDGE.fullmatch(line))]
    classes = [found[1] for line in lines if (found := CLASS.fullmatch(line))]
    assert len(nodes) + len(edges) + len(classes) == len(lines)
    names = [node[1] for node in nodes]
    assert len(names) == len(set(names))
    assert {end for edge in edges for end in edge.groups()} <= set(names)
    assert {node[2] for node in nodes if node[2]} <= set(classes)
    assert not {"end", "graph", "subgraph", "style", "class", "click"} & set(names)  # words of Mermaid itself


@settings(max_examples=60, deadline=None)
@given(machines())
def test_every_line_is_a_node_an_edge_or_a_class_and_edges_join_known_nodes(drawing: DrawnMachine) -> None:
    check(mermaid(drawing))
    check(mermaid(drawing, {}))


def test_a_journey_reads_from_its_trigger_to_its_end() -> None:
    drawing = machine(
        "j",
        send("a"),
        wait_for("order_completed", "1d", then=(leave("bought"),), otherwise=(wait("2d"),)),
        branch(("contact.tier is gold", (send("b"),))),
        exits=(Words("unsubscribed", "gone"),),
        goal=Words("order_completed within 7d"),
    )
    lines = mermaid(drawing, {"a": 1204, "steps.2": 1}).splitlines()
    assert [line for line in lines if "classDef" not in line] == [
        "flowchart TD",
        '    trigger["cart_updated"]:::trigger',
        '    s1("send a via email<br/>1,204 people"):::send',
        '    s2("wait for order_completed, at most 1d<br/>0 people"):::wait_for',
        '    s3(["wait 2d<br/>0 people"]):::wait',
        '    s4(["exit: bought<br/>0 people"]):::exit',
        '    s5{"branch<br/>1 person"}:::branch',
        '    s6("send b via email<br/>0 people"):::send',
        '    completed(["completed"]):::completed',
        "    trigger --> s1",
        "    s1 --> s2",
        '    s2 -->|"then"| s4',
        '    s2 -->|"otherwise"| s3',
        "    s3 --> s5",
        '    s5 -->|"contact.tier is gold"| s6',
        '    s5 -->|"otherwise"| completed',
        "    s6 --> completed",
        '    goal["goal: order_completed within 7d"]:::goal',
        '    exit1["exit rule: unsubscribed<br/>ends as gone"]:::rule',
    ]


def test_quotes_brackets_and_markup_in_labels_are_written_as_codes() -> None:
    text = mermaid(machine("j", send('"]; click a "<b>|`x`#{y}\n%% z')))
    check(text)
    assert "#34;#93;#59; click a #34;#60;b#62;#124;#96;x#96;#35;#123;y#125; #37;#37; z" in text


def test_the_entry_rule_stands_at_the_trigger() -> None:
    drawing = DrawnMachine("j", Words("signed_up"), {}, None, entry=Entry(Words("contact.city is Jakarta")))
    assert '    trigger["signed_up<br/>only if contact.city is Jakarta"]:::trigger' in mermaid(drawing)
