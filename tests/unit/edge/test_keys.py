"""Write keys: looked up without telling how close a guess was, and guessing is answered with 429."""

from __future__ import annotations

from engine.config import WriteKey
from engine.web.keys import KeyRing, WrongKeys, presented_key

RING = KeyRing([WriteKey("shop", "server-key-1", "server"), WriteKey("site", "browser-key-1", "browser")])


def test_a_key_is_found_by_its_whole_text_only() -> None:
    found = RING.find("browser-key-1")
    assert found is not None
    assert found.name == "site"
    for wrong in ("browser-key-", "browser-key-11", "BROWSER-KEY-1", "", None, "x" * 100_000, "\udcff"):
        assert RING.find(wrong) is None


def test_an_empty_key_is_never_a_key() -> None:
    assert KeyRing([WriteKey("empty", "", "server")]).find("") is None


def test_the_header_goes_before_the_body() -> None:
    assert presented_key("Bearer a", {"writeKey": "b"}) == "a"
    assert presented_key(None, {"writeKey": "b"}) == "b"
    assert presented_key("", {"writeKey": ["b"]}) is None
    assert presented_key("Basic !", {"writeKey": "b"}) is None


def test_the_limit_ends_with_its_window() -> None:
    clock = [0.0]
    wrong = WrongKeys(allowed=2, window=60, seconds=lambda: clock[0])
    assert [wrong.refuse("a").status for _ in range(3)] == [401, 401, 429]
    assert wrong.refuse("b").status == 401
    clock[0] = 59.0
    refused = wrong.refuse("a")
    assert (refused.status, refused.retry_after) == (429, 1)
    clock[0] = 60.0
    assert wrong.refuse("a").status == 401


def test_the_memory_for_addresses_is_bounded() -> None:
    wrong = WrongKeys(allowed=1, addresses=10, seconds=lambda: 0.0)
    wrong.refuse("first")
    for number in range(1000):
        wrong.refuse(str(number))
    assert wrong.refuse("first").status == 401
