"""The shape of config.yaml, declared once, and how the file becomes a `Config`."""

from __future__ import annotations

from collections import abc
from datetime import timedelta
from typing import Any, Final

from engine.config.delivery import DELIVERY
from engine.config.environment import read_with_environment
from engine.config.types import (
    COUNTRY,
    FIELD_NAME,
    FIELD_TYPE,
    LANGUAGE,
    SHORTEST_SECRET,
    ChannelType,
    ConfigReader,
    DatabaseUrl,
    InternalNetwork,
    MapOf,
    PublicUrl,
    Secret,
    TopicsType,
)
from engine.config.values import (
    ApiKey,
    Config,
    Delivery,
    EventContract,
    Organisation,
    PrefectConfig,
    Web,
    Webhooks,
    WriteKey,
)
from engine.document import Mapping, Node
from engine.errors import Problem
from engine.grammar import INVALID, NAME, Choice, Field, Flag, Later, ListOf, Number, Shape, Text
from engine.moments import WINDOW, ZONE, Window

_WRITE_KEY = Shape(
    "a write key",
    {
        "key": Field(Secret("SHOP_KEY"), "the key itself, from the environment", required=True),
        "scope": Field(
            Choice(("server", "browser"), "scope"), "browser keys are public: they can't give consent", required=True
        ),
    },
)


_API_KEY = Shape(
    "an API key",
    {
        "key": Field(Secret("CRM_KEY", SHORTEST_SECRET), "the key itself, from the environment", required=True),
        "scope": Field(
            ListOf(Choice(("enroll", "read"), "scope"), single=True, least=1),
            "what it may do: enroll people, read about them",
            required=True,
            example="enroll",
        ),
    },
)


def _build_api_keys(named: dict[str, dict[str, Any]]) -> tuple[ApiKey, ...]:
    return tuple(ApiKey(name, values["key"], values["scope"]) for name, values in named.items())


def _build_write_keys(named: dict[str, dict[str, Any]]) -> tuple[WriteKey, ...]:
    return tuple(WriteKey(name, values["key"], values["scope"]) for name, values in named.items())


def _build_web(**values: Any) -> Web:
    keys = {"write_keys": _build_write_keys(values["write_keys"]), "api_keys": _build_api_keys(values["api_keys"])}
    return Web(**{**values, **keys})


CONFIG: Final = Shape(
    "config.yaml",
    {
        "organisation": Field(
            Shape(
                "organisation",
                {
                    "name": Field(Text(), "who sends", required=True, example="Toko Alur"),
                    "postal_address": Field(Text(), "stands in every marketing mail"),
                    "timezone": Field(ZONE, "of people whose own is not known", default="UTC", example="Asia/Jakarta"),
                    "locale": Field(LANGUAGE, "of people whose own is not known", default="en", example="id"),
                    "country": Field(COUNTRY, "of phone numbers without a country code", example="ID"),
                },
                Organisation,
            ),
            "who sends",
            required=True,
        ),
        "database": Field(
            Shape("database", {"url": Field(DatabaseUrl(), "one's own PostgreSQL; without it Alur brings one")}),
            "where everything is kept",
            default={"url": None},
        ),
        "web": Field(
            Shape(
                "web",
                {
                    "public_url": Field(PublicUrl(), "where customers reach us", default=Web.public_url),
                    "host": Field(Text(), "the address to listen on", default=Web.host),
                    "port": Field(Number(whole=True, least=1, most=65535), "the port to listen on", default=Web.port),
                    "secret_keys": Field(
                        ListOf(Secret("ALUR_SECRET_KEY", SHORTEST_SECRET), single=True, least=1),
                        "sign the links in messages; the newest first",
                        default=(),
                    ),
                    "write_keys": Field(MapOf(NAME, _WRITE_KEY), "by which apps post events", default={}),
                    "api_keys": Field(
                        MapOf(NAME, _API_KEY), "by which apps enroll people and ask about them", default={}
                    ),
                },
                _build_web,
            ),
            "the HTTP edge",
            default=Web(),
        ),
        "channels": Field(
            Shape(
                "channels",
                {medium: Field(ChannelType(), f"who carries {medium}") for medium in ("email", "sms", "whatsapp")},
            ),
            "who carries the messages",
            required=True,
        ),
        "topics": Field(TopicsType(), "what people subscribe to", default={}),
        "delivery": Field(DELIVERY, "defaults of all journeys; holdout: of all together", default=Delivery()),
        "contacts": Field(
            Shape("contacts", {"fields": Field(MapOf(FIELD_NAME, FIELD_TYPE), "declared types", default={})}),
            "what is known about people",
            default={"fields": {}},
        ),
        "events": Field(
            MapOf(
                NAME,
                Shape(
                    "an event",
                    {
                        "description": Field(Text(), "what happened"),
                        "properties": Field(MapOf(FIELD_NAME, FIELD_TYPE), "types by name", default={}),
                    },
                ),
                lambda name, values: EventContract(name, values["properties"], values["description"]),
            ),
            "what events hold",
            default={},
        ),
        "segments": Field(
            Shape(
                "segments",
                {
                    "refresh": Field(
                        WINDOW, "how often they are looked at", default=Window("60s", timedelta(seconds=60))
                    )
                },
            ),
            "how segments are kept",
            default={"refresh": Window("60s", timedelta(seconds=60))},
        ),
        "value": Field(Later("value"), "tiers, currency, margin"),
        "retention": Field(Later("retention"), "how long rows are kept"),
        "webhooks": Field(
            Shape(
                "webhooks",
                {
                    "allow_internal": Field(
                        ListOf(InternalNetwork(), single=True),
                        "networks behind the firewall that webhooks may call",
                        default=(),
                        example=["10.20.0.0/16"],
                    )
                },
                Webhooks,
            ),
            "where webhooks may go",
            default=Webhooks(),
        ),
        "prefect": Field(
            Shape(
                "prefect",
                {
                    "enabled": Field(Flag(), "show send runs in Prefect", default=True),
                    "api_url": Field(PublicUrl(), "a Prefect server of one's own", example="http://127.0.0.1:4200/api"),
                },
                PrefectConfig,
            ),
            "the window on send runs",
            default=PrefectConfig(),
        ),
    },
)


def read_config(data: bytes, file: str, environment: abc.Mapping[str, str]) -> tuple[Config | None, list[Problem]]:
    """Read config.yaml with its references filled in from `environment`. No `Config` when there is any problem."""
    filled = read_with_environment(data, file, environment)
    if filled.node is None:
        return None, filled.problems
    reader = ConfigReader(file, filled)
    values = CONFIG.read(filled.node, reader)
    if values is not INVALID:
        _check_keys(values["web"], filled.node, reader)
    # A value that could not be filled in has been reported; what its raw text lacks says nothing more.
    told = [problem for problem in reader.problems if (problem.line, problem.column) not in filled.failed]
    problems = sorted({*filled.problems, *told})
    if problems or values is INVALID:
        return None, problems
    return _build_config(values), []


def _build_config(values: dict[str, Any]) -> Config:
    return Config(
        organisation=values["organisation"],
        channels={medium: channel for medium, channel in values["channels"].items() if channel is not None},
        database_url=values["database"]["url"],
        web=values["web"],
        topics=values["topics"],
        delivery=values["delivery"],
        fields=values["contacts"]["fields"],
        events=values["events"],
        webhooks=values["webhooks"],
        prefect=values["prefect"],
        refresh=values["segments"]["refresh"].delta,
    )


def _check_keys(web: Web, node: Node, reader: ConfigReader) -> None:
    """Two sources with one key could not be told apart; and a browser's key is public."""
    seen: dict[str, str] = {}
    section = node.get("web") if isinstance(node, Mapping) else None
    for word, keys in (("write_keys", web.write_keys), ("api_keys", web.api_keys)):
        written = section.get(word) if isinstance(section, Mapping) else None
        for each in keys:
            if each.key in seen and isinstance(written, Mapping):
                at = written.key(each.name) or written
                reader.refuse(at, f"'{each.name}' has the same key as '{seen[each.key]}': give each its own")
            seen[each.key] = each.name
