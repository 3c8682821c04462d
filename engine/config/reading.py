"""The shape of config.yaml, declared once, and how the file becomes a `Config`."""

from __future__ import annotations

from collections import abc
from datetime import timedelta
from typing import Any, Final

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
    MapOf,
    PublicUrl,
    Secret,
    TopicsType,
)
from engine.config.values import Config, EventContract, Organisation, PrefectConfig, Web, WriteKey
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


def _build_write_keys(named: dict[str, dict[str, Any]]) -> tuple[WriteKey, ...]:
    return tuple(WriteKey(name, values["key"], values["scope"]) for name, values in named.items())


def _build_web(**values: Any) -> Web:
    return Web(**{**values, "write_keys": _build_write_keys(values["write_keys"])})


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
                    "api_keys": Field(Later("web.api_keys"), "by which apps ask and enroll"),
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
        "delivery": Field(Later("delivery"), "defaults of all journeys"),
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
        _check_write_keys(values["web"], filled.node, reader)
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
        fields=values["contacts"]["fields"],
        events=values["events"],
        prefect=values["prefect"],
        refresh=values["segments"]["refresh"].delta,
    )


def _check_write_keys(web: Web, node: Node, reader: ConfigReader) -> None:
    """Two sources with one key could not be told apart."""
    seen: dict[str, str] = {}
    section = node.get("web") if isinstance(node, Mapping) else None
    keys = section.get("write_keys") if isinstance(section, Mapping) else None
    for write_key in web.write_keys:
        if write_key.key in seen and isinstance(keys, Mapping):
            at = keys.key(write_key.name) or keys
            reader.refuse(at, f"'{write_key.name}' has the same key as '{seen[write_key.key]}': give each its own")
        seen[write_key.key] = write_key.name
