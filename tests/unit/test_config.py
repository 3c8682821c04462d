"""config.yaml: what it may say, what it refuses and where, and that no secret shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import make_url

from engine.config import MASK, Config, EventContract, Organisation, Rate, Topic, WriteKey, read_config, show

ENVIRONMENT = {
    "ALUR_SECRET_KEY": "k" * 32,
    "OLD_KEY": "o" * 32,
    "SHOP_KEY": "shop-key-1",
    "SITE_KEY": "site-key-1",
    "SMTP_PASSWORD": "12345",
    "PORT": "8081",
    "EMPTY": "",
    "SHORT": "short",
    "DATABASE_URL": "postgresql://alur:rahasia@db/alur",
    "DB_PASSWORD": "rahasia",
}
LEAST = "organisation: {name: Toko Alur}\nchannels: {email: {adapter: file}}\n"
FULL = """
organisation: {name: Toko Alur, postal_address: Jl. Kopi 1, timezone: Asia/Jakarta, locale: id, country: ID}
database: {url: "postgresql://alur:${DB_PASSWORD}@db:5432/alur"}
web:
  public_url: https://news.example.com/
  host: 0.0.0.0
  port: ${PORT}
  secret_keys: [${ALUR_SECRET_KEY}, ${OLD_KEY}]
  write_keys: {shop: {key: ${SHOP_KEY}, scope: server}, site: {key: ${SITE_KEY}, scope: browser}}
channels:
  email:
    adapter: smtp
    host: ${SMTP_HOST:-localhost}
    port: 25
    username: ${EMPTY:-}
    password: ${SMTP_PASSWORD}
    throttle: 50/s
  sms: {adapter: console}
topics:
  offers:
    title: {id: Penawaran, en: Offers}
    description: {en: Deals of the week}
  news:
contacts: {fields: {city: text, birthday: date, address.zip: text}}
events:
  cart_updated: {description: The cart changed, properties: {cart_id: text, total: number}}
segments: {refresh: 2m}
prefect: {enabled: false, api_url: "http://127.0.0.1:4200/api"}
"""


def read(text: str, **environment: str) -> Config:
    config, problems = read_config(text.encode(), "config.yaml", ENVIRONMENT | environment)
    assert problems == []
    assert config is not None
    return config


def refusals(text: str) -> list[str]:
    config, problems = read_config(text.encode(), "config.yaml", ENVIRONMENT)
    assert config is None
    return [str(problem).removeprefix("config.yaml:") for problem in problems]


def test_only_the_organisation_and_the_channels_are_required() -> None:
    config = read(LEAST)
    assert config.organisation == Organisation("Toko Alur", None, "UTC", "en", None)
    assert config.channels["email"].adapter == "file"
    assert config.database_url is None
    assert config.refresh == timedelta(seconds=60)
    assert refusals("topics: [offers]") == [
        "1:1: config.yaml lacks 'channels' (who carries the messages)",
        "1:1: config.yaml lacks 'organisation' (who sends)",
    ]


def test_every_key_of_a_full_file_is_read() -> None:
    config = read(FULL)
    assert config.organisation == Organisation("Toko Alur", "Jl. Kopi 1", "Asia/Jakarta", "id", "ID")
    assert config.database_url == "postgresql://alur:rahasia@db:5432/alur"
    assert (config.web.public_url, config.web.host, config.web.port) == ("https://news.example.com", "0.0.0.0", 8081)
    assert config.web.secret_keys == ("k" * 32, "o" * 32)
    assert config.web.write_keys == (
        WriteKey("shop", "shop-key-1", "server"),
        WriteKey("site", "site-key-1", "browser"),
    )
    assert config.channels["email"].throttle == Rate("50/s", 50, timedelta(seconds=1))
    assert config.channels["sms"].options == {}
    assert config.topics["offers"].title_in("id", "en") == "Penawaran"
    assert config.topics["news"] == Topic("news")
    assert config.fields == {"city": "text", "birthday": "date", "address.zip": "text"}
    assert config.events["cart_updated"] == EventContract(
        "cart_updated", {"cart_id": "text", "total": "number"}, "The cart changed"
    )
    assert config.refresh == timedelta(minutes=2)
    assert (config.prefect.enabled, config.prefect.api_url) == (False, "http://127.0.0.1:4200/api")


def test_an_adapters_options_are_plain_those_from_the_environment_are_text_and_empty_ones_are_absent() -> None:
    assert read(FULL).channels["email"].options == {"host": "localhost", "port": 25, "password": "12345"}


def test_topics_may_be_a_list_of_names() -> None:
    topics = read(LEAST + "topics: [offers, product_news]").topics
    assert list(topics) == ["offers", "product_news"]
    assert topics["product_news"].title_in("id") == "Product news"


@pytest.mark.parametrize(
    ("key", "written", "read_as"),
    [
        ("port", "${PORT}", 8081),
        ("port", '"${PORT}"', 8081),
        ("port", "${UNSET:-9000}", 9000),
        ("port", "${EMPTY:-9000}", 9000),
        ("host", "${UNSET:-a}${EMPTY:-}.example.com", "a.example.com"),
    ],
)
def test_a_reference_takes_the_value_of_the_environment_or_its_default(key: str, written: str, read_as: object) -> None:
    assert getattr(read(LEAST + f"web: {{{key}: {written}}}").web, key) == read_as


def test_text_from_the_environment_is_not_looked_at_for_references_again() -> None:
    text = LEAST.replace("Toko Alur", "${NAME}")
    config, _ = read_config(text.encode(), "config.yaml", {"NAME": "${PASSWORD}", "PASSWORD": "x"})
    assert config is not None
    assert config.organisation.name == "${PASSWORD}"


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("wbe: {}", "3:1: unknown key 'wbe' in config.yaml (did you mean 'web'?)"),
        ("web: {prot: 1}", "3:7: unknown key 'prot' in web (did you mean 'port'?)"),
        ("web: {port: 70000}", "3:13: expected a whole number from 1 to 65535, found '70000'"),
        ("web: {public_url: example.com}", "3:19: expected a URL such as https://news.example.com, found 'example.com'"),
        ("web: {public_url: 'http://a.com/?x'}", "3:19: expected a URL such as https://news.example.com, found 'http://a.com/?x'"),
        ("web: {port: ${UNSET}}", "3:13: the environment variable UNSET is not set: set it, in .env for example"),
        ("web: {port: ${EMPTY}}", "3:13: the environment variable EMPTY is not set: set it, in .env for example"),
        ("web: {host: ${1X}}", "3:13: '${1X}' is no reference: write ${NAME} or ${NAME:-default}"),
        ("web: {host: 'a${'}", "3:13: '${' is no reference: write ${NAME} or ${NAME:-default}"),
        ("web: {api_keys: {crm: {key: typed-in, scope: enroll}}}", "3:29: a secret is typed in here: use an environment reference such as ${CRM_KEY}"),
        ("web: {api_keys: {crm: {key: '${OLD_KEY}', scope: [enrol]}}}", "3:51: unknown scope 'enrol' (did you mean 'enroll'?)"),
        ("web: {api_keys: {crm: {key: '${OLD_KEY}', scope: []}}}", "3:50: expected one of enroll, read, or a list of such, found an empty list"),
        ("delivery: {holdout: 10}", "3:21: expected a percentage such as 10%, found '10' (write 10%)"),
        ("retention: {}", "3:1: 'retention' is not supported yet"),
        ("value: {}", "3:1: 'value' is not supported yet"),
        ("topics: [Offers]", "3:10: expected a name of lower-case letters, digits and _, starting with a letter, found 'Offers'"),
        ("topics: offers", "3:9: expected a list of names, or a mapping of names to title and description, found 'offers'"),
        ("topics: {offers: {titel: x}}", "3:19: unknown key 'titel' in a topic (did you mean 'title'?)"),
        ("contacts: {fields: {city: string}}", "3:27: unknown field type 'string' (one of: text, number, boolean, date, datetime, list)"),
        ("segments: {refresh: 1mo}", "3:21: '1mo': months have no fixed length here; write days, e.g. 30d"),
        ("database: {url: 'mysql://x/y'}", "3:17: expected a URL such as postgresql://alur:${DATABASE_PASSWORD}@localhost:5432/alur; Alur works with PostgreSQL only"),
        ("database: {url: 'postgresql+asyncpg://x/y'}", "3:17: expected a URL such as postgresql://alur:${DATABASE_PASSWORD}@localhost:5432/alur; Alur works with PostgreSQL only"),
        ("database: {url: 'postgresql://db:port/alur'}", "3:17: expected a URL such as postgresql://alur:${DATABASE_PASSWORD}@localhost:5432/alur"),
        ("organisation: {name: x}", "3:1: key 'organisation' stands twice (first on line 1)"),
        ("web: {write_keys: {a: {key: ${SHOP_KEY}, scope: server}, b: {key: ${SHOP_KEY}, scope: server}}}", "3:58: 'b' has the same key as 'a': give each its own"),
        ("web: {write_keys: {a: {key: ${OLD_KEY}, scope: server}}, api_keys: {b: {key: ${OLD_KEY}, scope: read}}}", "3:69: 'b' has the same key as 'a': give each its own"),
        ("web: {write_keys: {a: {key: ${SHOP_KEY}, scope: servr}}}", "3:49: unknown scope 'servr' (did you mean 'server'?)"),
        ("web: {secret_keys: [${SHORT}]}", "3:21: this secret is too short: it needs at least 16 characters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(added: str, expected: str) -> None:
    assert refusals(LEAST + added) == [expected]


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("email: {host: x}", "2:19: this channel lacks 'adapter' (who carries its messages, such as smtp or file)"),
        ("email: smtp", "2:19: expected a mapping (adapter, throttle, and the adapter's own options), found 'smtp'"),
        ("e-mail: {adapter: smtp}", "2:12: unknown key 'e-mail' in channels (did you mean 'email'?)"),
        (
            "email: {adapter: smtp, throttle: fast}",
            "2:45: expected a rate such as 50/s, 500/m or 10000/h, found 'fast'",
        ),
        ("email: {adapter: smtp, throttle: 0/s}", "2:45: expected a rate such as 50/s, 500/m or 10000/h, found '0/s'"),
    ],
)
def test_a_channel_names_its_adapter_and_its_rate(channel: str, expected: str) -> None:
    assert refusals(f"organisation: {{name: x}}\nchannels: {{{channel}}}") == [expected]


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("WIB", " (did you mean 'Asia/Jakarta'?)"),
        ("asia/jakarta", " (did you mean 'Asia/Jakarta'?)"),
        ("''", ""),
        ("../../etc/passwd", ""),
        ("America/Nope", ""),
    ],
)
def test_a_time_zone_that_is_none_is_refused_with_a_hint_t7(zone: str, hint: str) -> None:
    (refusal,) = refusals(LEAST.replace("Alur}", f"Alur, timezone: {zone}}}"))
    assert refusal.startswith(f"1:43: unknown time zone '{zone.strip(chr(39))}'")
    assert hint in refusal


@pytest.mark.parametrize(
    "typed",
    [
        "web: {secret_keys: [rahasia-rahasia-rahasia]}",
        "web: {secret_keys: rahasia-rahasia-rahasia}",
        "web: {secret_keys: ['${UNSET:-rahasia-rahasia-rahasia}']}",
        "web: {write_keys: {shop: {key: rahasia, scope: server}}}",
        "web: {write_keys: {shop: {key: 'rahasia${PORT}', scope: server}}}",
        "database: {url: 'postgresql://alur:rahasia@db/alur'}",
        "database: {url: 'postgresql://alur:rahasia@${UNSET:-db}/alur'}",
        "database: {url: '${UNSET:-postgresql://alur:rahasia@db/alur}'}",
    ],
)
def test_a_secret_typed_in_is_refused_and_never_quoted_s31(typed: str) -> None:
    (refusal,) = refusals(LEAST + typed)
    assert "a secret is typed in here: use an environment reference such as ${" in refusal
    assert "rahasia" not in refusal


@pytest.mark.parametrize("option", ["password", "auth_token", "api_key", "client_secret", "smtp_Password"])
def test_a_secret_among_an_adapters_options_is_refused_at_any_depth_s31(option: str) -> None:
    for where in (f"{option}: rahasia", f"login: {{{option}: rahasia}}", f"logins: [{{{option}: rahasia}}]"):
        (refusal,) = refusals(f"organisation: {{name: x}}\nchannels: {{email: {{adapter: smtp, {where}}}}}")
        assert "a secret is typed in here" in refusal
        assert "rahasia" not in refusal


def test_a_url_of_the_database_without_a_password_or_wholly_from_the_environment_is_fine() -> None:
    assert read(LEAST + "database: {url: 'postgresql://db/alur'}").database_url == "postgresql://db/alur"
    assert read(LEAST + "database: {url: '${DATABASE_URL}'}").database_url == ENVIRONMENT["DATABASE_URL"]
    assert read(LEAST + "database: {url: '${UNSET:-}'}").database_url is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://", "postgres:///alur?host=/run/postgresql", "postgresql+psycopg://alur@[::1]:5432/alur",
        "postgresql://alur:@db/alur", "postgresql://alur:a%40b@db/alur?sslmode=require", "postgresql://alur:a:b/c#d?e@db/alur",
    ],
)  # fmt: skip
def test_a_url_of_the_database_is_taken_as_sqlalchemy_takes_it_its_password_masked(url: str) -> None:
    config = read(LEAST + "database: {url: '${DATABASE_URL}'}", DATABASE_URL=url)
    read_by_it = make_url(url)
    shown = make_url(show(config)["database"]["url"])
    assert shown == read_by_it.set(password="***" if read_by_it.password is not None else None)


def test_all_problems_are_reported_in_one_go_in_file_order() -> None:
    found = refusals("organisation: {name: x, timezone: WIB}\nchannels: {email: {}}\nweb: {port: x}\nwbe: 1")
    assert [line.split(":")[0] for line in found] == ["1", "2", "3", "4"]


def test_what_is_shown_holds_every_value_and_no_secret() -> None:
    config = read(FULL)
    shown = show(config)
    assert shown["web"]["port"] == 8081
    assert shown["web"]["write_keys"]["shop"] == {"key": MASK, "scope": "server"}
    assert shown["web"]["secret_keys"] == [MASK, MASK]
    assert shown["channels"]["email"]["password"] == MASK
    assert shown["database"]["url"] == "postgresql://alur:***@db:5432/alur"
    for text in (repr(shown), repr(config), str(config)):
        for secret in ("rahasia", "k" * 32, "o" * 32, "shop-key-1", "12345"):
            assert secret not in text
