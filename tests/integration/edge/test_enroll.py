"""`POST /v1/enroll`: an app with a key of its own lets a person knock, once per message id."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from engine.run.advance import advance
from engine.run.machines import Machines
from tests.integration.edge.shop import CRM_KEY, READER_KEY, SERVER_KEY, Shop
from tests.integration.run.town import Town

JOURNEY = """
    journey: reward
    topic: offers
    trigger: {manual: true}
    entry: {reentry: always, again: restart}
    steps:
      - wait: 1d
"""


@pytest.fixture
def ready(shop: Shop) -> Shop:
    Town(shop.engine, shop.now).apply(JOURNEY)
    shop.take(shop.identify("ani", email="ani@example.com"))
    shop.execute("DELETE FROM signal")
    return shop


def post(site: str, key: str = CRM_KEY, **body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(f"{site}/v1/enroll", json=body, headers=headers, timeout=20)


def test_a_person_enters_with_what_the_app_hands_over_once_per_message_id(ready: Shop, site: str) -> None:
    said = {"journey": "reward", "contact": "ani@example.com", "properties": {"total": 5}, "messageId": "m1"}
    answers = [post(site, **said) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.json()["duplicate"] for answer in answers] == [False, True, True]
    advance(ready.engine, Machines(), "UTC", ready.now)
    assert [tuple(row) for row in ready.rows("SELECT state, event FROM enrollment")] == [("active", {"total": 5})]
    assert post(site, journey="reward", userId="ani").json() == {"success": True, "duplicate": False}


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("wrong", 401, "unauthorized"), (SERVER_KEY, 401, "unauthorized"), (READER_KEY, 403, "forbidden")],
)
def test_it_takes_a_key_with_the_scope_for_it(ready: Shop, site: str, key: str, status: int, code: str) -> None:
    answer = post(site, key, journey="reward", contact="ani")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ready.value("SELECT count(*) FROM signal") == 0


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"journey": "rewrad", "contact": "ani"}, 404, "no journey 'rewrad' (did you mean 'reward'?)"),
        ({"journey": "reward", "contact": "dewi"}, 404, "dewi"),
        ({"journey": "reward"}, 400, "'userId' must be text"),
        ({"journey": "reward", "contact": "ani", "propertis": {}}, 400, "unknown field 'propertis'"),
        ({"journey": "reward", "contact": "ani", "properties": [1]}, 400, "expected a JSON object"),
        ({"journey": "reward", "contact": "ani", "properties": {"a": "\0"}}, 400, "NUL"),
        ({"journey": "reward", "contact": "ani", "messageId": "x" * 300}, 400, "'messageId' must be text"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    ready: Shop, site: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = post(site, **body)
    assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text
    assert ready.value("SELECT count(*) FROM signal") == 0
