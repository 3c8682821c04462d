"""Random journeys with nested branches and waits, and with labels that nobody should write."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.draw.drawn_machines import (
    DrawnMachine,
    DrawnState,
    Plan,
    Words,
    branch,
    leave,
    machine,
    send,
    wait,
    wait_for,
)

LABELS = st.one_of(
    st.text(max_size=60), st.sampled_from(["order_completed", "contact.city is Jakarta", "a_b_" * 30, "日本" * 20])
)


def machines() -> st.SearchStrategy[DrawnMachine]:
    """Journeys nested up to four deep."""
    rules = st.lists(st.builds(Words, LABELS, LABELS), max_size=3).map(tuple)
    return st.builds(
        lambda steps, trigger, exits, goal: machine("journey", *steps, trigger=trigger, exits=exits, goal=goal),
        lists(4),
        LABELS,
        rules,
        st.none() | st.builds(Words, LABELS),
    )


def lists(deep: int) -> st.SearchStrategy[tuple[Plan, ...]]:
    plain = st.one_of(
        st.builds(send, LABELS),
        st.builds(wait, LABELS),
        st.builds(Plan, st.just("webhook"), LABELS),
    )
    steps = plain if deep == 0 else st.one_of(plain, forks(deep - 1))
    ending = st.lists(st.builds(leave, LABELS), max_size=1)
    return st.tuples(st.lists(steps, max_size=3), ending).map(lambda both: (*both[0], *both[1]))


def forks(deep: int) -> st.SearchStrategy[Plan]:
    arms = st.lists(st.tuples(LABELS, lists(deep)), min_size=1, max_size=2)
    branches = st.builds(lambda some, other: branch(*some, otherwise=other), arms, lists(deep))
    return st.one_of(branches, st.builds(wait_for, LABELS, st.just("1d"), lists(deep), lists(deep)))


@st.composite
def tangles(draw: st.DrawFn) -> DrawnMachine:
    """States joined at random, on paths that may or may not fit: what no compiler makes, and yet can be drawn."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 6)))]
    paths = st.sampled_from(["steps.0", "steps.1", "steps.0.then.0", "steps.1.branch.0.do.0", "odd", "", "steps.x.y"])
    ways = st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from([*names, None])), max_size=3).map(tuple)
    states = {name: DrawnState(name, draw(paths), "send", name, draw(ways)) for name in names}
    return DrawnMachine("tangle", Words("t"), states, draw(st.sampled_from([*names, None])))
