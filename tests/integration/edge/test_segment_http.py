"""The Segment protocol over HTTP: every way to present a key, pack a body and be refused; and the real SDK."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests
import segment.analytics

from engine.config import Topic
from tests.integration.edge.shop import BROWSER_KEY, SERVER_KEY, Shop


def _basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


AUTH = _basic(f"{SERVER_KEY}:")


def _post(site: str, path: str, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    return requests.post(f"{site}{path}", data=data, headers=AUTH if headers is None else headers, timeout=20)


def _track(**more: Any) -> dict[str, Any]:
    return {"userId": "ani", "event": "Order Completed", **more}


def _assert_refused(answer: requests.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert (body["success"], body["code"]) == (False, code)
    assert body["message"]


def test_a_key_may_come_in_every_way_that_sdks_send_it(shop: Shop, site: str) -> None:
    ways = [
        AUTH,
        _basic(SERVER_KEY),
        {"Authorization": f"Bearer {SERVER_KEY}"},
        {"authorization": f"basic {base64.b64encode(SERVER_KEY.encode()).decode()}"},
    ]
    answers = [_post(site, "/v1/track", _track(), headers) for headers in ways]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"success": True})] * 4
    assert [row.source for row in shop.rows("SELECT source FROM event")] == ["shop"] * 4


def test_a_key_may_come_in_the_body_as_text_plain(shop: Shop, site: str) -> None:
    body = _track(writeKey=BROWSER_KEY)
    answer = _post(site, "/v1/t", body, {"Content-Type": "text/plain", "Origin": "https://toko.example"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert shop.value("SELECT source FROM event") == "site"
    assert BROWSER_KEY not in json.dumps(shop.value("SELECT extra FROM event"))


def test_single_calls_take_their_type_from_the_path(shop: Shop, site: str) -> None:
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("track", _track(), "order_completed"),
        ("page", {"anonymousId": "a", "name": "Home"}, "page"),
        ("screen", {"anonymousId": "a"}, "screen"),
        ("group", {"userId": "a", "groupId": "g"}, "group"),
    ]
    for call, body, name in calls:
        for path in (f"/v1/{call}", f"/v1/{call[0]}", f"/v1/{call}/", f"/v1/{call[0]}/"):
            assert _post(site, path, {**body, "type": "identify"}).status_code == 200
        assert shop.value("SELECT count(*) FROM event WHERE name = :name", name=name) == 4


def test_identify_and_alias_have_calls_of_their_own(shop: Shop, site: str) -> None:
    for path in ("/v1/identify", "/v1/i/"):
        assert _post(site, path, {"anonymousId": "a", "traits": {"city": "Bogor"}}).status_code == 200
    assert _post(site, "/v1/alias", {"userId": "ani", "previousId": "a"}).status_code == 200
    assert _post(site, "/v1/a", {"userId": "ani", "previousId": "b"}).status_code == 200
    assert shop.contact("ani").traits == {"city": "Bogor"}


def test_a_wrong_message_in_a_good_batch_is_answered_200_and_kept_apart(shop: Shop, site: str) -> None:
    batch = [{"type": "track", **_track()}, {"type": "track", **_track(timestamp="2026-13-01")}, "nonsense"]
    assert _post(site, "/v1/batch", {"batch": batch}).status_code == 200
    assert shop.value("SELECT count(*) FROM event") == 1
    assert shop.value("SELECT count(*) FROM dead_letter") == 2


def test_imported_events_start_nothing(shop: Shop, site: str) -> None:
    batch = [{"type": "track", **_track(timestamp="1998-06-30T00:00:00Z")}]
    assert _post(site, "/v1/import", {"batch": batch}).status_code == 200
    assert shop.value("SELECT starts FROM event") is False


def test_a_browser_key_may_not_import(shop: Shop, site: str) -> None:
    _assert_refused(_post(site, "/v1/import", {"batch": []}, _basic(f"{BROWSER_KEY}:")), 403, "forbidden")


def test_a_topic_that_config_yaml_has_since_a_minute_ago_is_known(shop: Shop, site: str) -> None:
    body = {"userId": "ani", "traits": {"consent": ["workshops"]}}
    _post(site, "/v1/identify", body)
    shop.edited = replace(shop.config, topics={**shop.config.topics, "workshops": Topic("workshops")})
    _post(site, "/v1/identify", body)
    assert shop.value("SELECT count(*) FROM dead_letter") == 1
    assert {topic for topic, _ in shop.holding()} == {"workshops"}


def test_a_browser_key_gives_no_consent(shop: Shop, site: str) -> None:
    body = {"userId": "ani", "traits": {"consent": ["offers"]}}
    assert _post(site, "/v1/identify", body, _basic(BROWSER_KEY)).status_code == 200
    assert shop.value("SELECT count(*) FROM consent") == 0


def test_packed_bodies_are_read(shop: Shop, site: str) -> None:
    body = json.dumps(_track()).encode()
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body)), ("identity", body)):
        assert _post(site, "/v1/track", packed, {**AUTH, "Content-Encoding": encoding}).status_code == 200
    assert shop.value("SELECT count(*) FROM event") == 3


BROKEN: list[tuple[str | bytes, dict[str, str], str]] = [
    ("{", {}, "invalid_json"),
    ("", {}, "invalid_json"),
    ("[]", {}, "invalid_json"),
    ('{"batch": {}}', {}, "invalid_json"),
    ("{}", {}, "invalid_json"),
    ('{"batch": [NaN]}', {}, "invalid_json"),
    ('{"batch": ["\\ud800", 1e999]}', {}, "invalid_json"),
    (b'{"batch": ["\xff"]}', {}, "invalid_json"),
    (b"not gzip", {"Content-Encoding": "gzip"}, "bad_encoding"),
    (gzip.compress(b'{"batch": []}', mtime=0)[:-9], {"Content-Encoding": "gzip"}, "bad_encoding"),
    (b"x", {"Content-Encoding": "br"}, "bad_encoding"),
    (gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}, "too_large"),
    (b" " * 9_000_000, {}, "too_large"),
    (json.dumps({"batch": [0] * 10_001}), {}, "too_large"),
]


def test_broken_json_and_oversize_get_400_with_code_and_message(shop: Shop, site: str) -> None:
    for body, headers, code in BROKEN:  # a broken body can hold no key, so the key comes in the header
        _assert_refused(_post(site, "/v1/batch", body, {**AUTH, **headers}), 400, code)
    assert shop.value("SELECT count(*) FROM dead_letter") == 0


def test_half_an_emoji_loses_neither_its_message_nor_the_batch(shop: Shop, site: str) -> None:
    body = '{"batch": [{"type": "track", "userId": "ani", "event": "x", "properties": {"text": "hi \\ud83d"}}]}'
    assert _post(site, "/v1/batch", body).status_code == 200
    assert shop.value("SELECT properties FROM event") == {"text": "hi \ufffd"}


def test_a_wrong_key_gets_401_and_a_reason(shop: Shop, site: str) -> None:
    wrong = {"Authorization": "Bearer wrong"}, {"Authorization": "Basic %%%"}, {"Authorization": SERVER_KEY}
    for headers in ({}, _basic("wrong:"), _basic(f":{SERVER_KEY}"), *wrong):
        _assert_refused(_post(site, "/v1/track", _track(), headers), 401, "unauthorized")
    assert shop.value("SELECT count(*) FROM event") == 0


def test_guessing_keys_gets_429_with_a_time_and_a_right_key_still_passes(site: str) -> None:
    with requests.Session() as session:
        answers = [
            session.post(f"{site}/v1/track", json={}, headers=_basic(f"guess-{n}:"), timeout=20) for n in range(40)
        ]
    assert [answer.status_code for answer in answers[:20]] == [401] * 20
    _assert_refused(answers[-1], 429, "too_many_requests")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert _post(site, "/v1/track", _track()).status_code == 200


def test_a_browser_may_ask_first(site: str) -> None:
    headers = {
        "Origin": "https://toko.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = requests.options(f"{site}/v1/batch", headers=headers, timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_unknown_paths_and_methods_are_refused_with_code_and_message(site: str) -> None:
    _assert_refused(requests.get(f"{site}/v1/track", headers=AUTH, timeout=20), 405, "method_not_allowed")
    _assert_refused(requests.get(f"{site}/nowhere", timeout=20), 404, "not_found")


def test_the_same_event_posted_fifty_times_in_parallel_is_stored_once_and_answered_200(shop: Shop, site: str) -> None:
    body = _track(messageId="same")
    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(lambda _: _post(site, "/v1/track", body), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert shop.value("SELECT count(*) FROM event") == 1
    assert shop.value("SELECT count(*) FROM signal WHERE kind = 'event'") == 1
    assert shop.value("SELECT count(*) FROM contact") == 1


def test_the_real_python_sdk_works_unchanged(shop: Shop, site: str) -> None:
    errors: list[Any] = []
    client = segment.analytics.Client(
        SERVER_KEY, host=site, gzip=True, upload_interval=0.05, on_error=lambda *told: errors.append(told)
    )
    client.track(anonymous_id="visitor", event="Product Viewed", properties={"sku": "A"})
    client.identify(
        "ani", {"firstName": "Ani", "email": "ani@example.com", "consent": ["offers"]}, anonymous_id="visitor"
    )
    client.track("ani", "Order Completed", {"total": 90_000}, timestamp=datetime(2026, 2, 1, tzinfo=UTC))
    client.page("ani", "Docs", "Home")
    client.screen("ani", "App", "Start")
    client.group("ani", "g1", {"plan": "pro"})
    client.alias("old-ani", "ani")
    client.flush()
    client.shutdown()
    assert errors == []
    ani = shop.contact("ani")
    assert (ani.email, ani.traits) == ("ani@example.com", {"first_name": "Ani"})
    names = [row.name for row in shop.rows("SELECT name FROM event WHERE contact_id = :id ORDER BY id", id=ani.id)]
    assert names == ["product_viewed", "order_completed", "page", "screen", "group"]
    assert set(shop.holding().values()) == {True}
    assert shop.value("SELECT count(*) FROM contact WHERE merged_into IS NULL") == 1


def test_the_sdk_without_a_header_key_is_understood_by_its_body(shop: Shop, site: str) -> None:
    body = {"batch": [{"type": "track", **_track()}], "writeKey": SERVER_KEY, "sentAt": "2020-01-01T00:00:00+00:00"}
    assert _post(site, "/v1/batch", body, {}).status_code == 200


def test_health_and_readiness_tell_the_process_from_the_database(shop: Shop, site: str) -> None:
    assert requests.get(f"{site}/readyz", timeout=20).json() == {"status": "ready"}
    shop.execute("UPDATE alur_version SET version_num = '0000'")
    unready = requests.get(f"{site}/readyz", timeout=20)
    assert (unready.status_code, unready.json()["status"]) == (503, "migration_needed")
    assert requests.get(f"{site}/healthz", timeout=20).status_code == 200


def test_while_the_database_takes_nothing_events_get_503_and_may_be_sent_again(shop: Shop, site: str) -> None:
    with shop.read_only():
        answer = _post(site, "/v1/track", _track(messageId="again"))
    _assert_refused(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert _post(site, "/v1/track", _track(messageId="again")).status_code == 200
    assert shop.value("SELECT count(*) FROM event") == 1


def test_the_openapi_page_describes_every_public_path(site: str) -> None:
    paths = requests.get(f"{site}/openapi.json", timeout=20).json()["paths"]
    calls = {f"/v1/{call}" for call in ("identify", "track", "page", "screen", "group", "alias", "batch", "import")}
    assert calls | {"/v1/enroll", "/u/{token}", "/healthz", "/readyz"} == set(paths)
    assert requests.get(f"{site}/docs", timeout=20).status_code == 200
