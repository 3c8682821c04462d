"""How `alur config show` tells what holds: all values, every secret masked."""

from __future__ import annotations

from typing import Any, Final

from engine.config.types import SECRET_OPTION, masked_database_url
from engine.config.values import PRIORITY, Config, Delivery
from engine.document import Plain

MASK: Final = "********"


def show(config: Config) -> dict[str, Any]:
    """All that holds, defaults included, in the shape of config.yaml; every secret is masked."""
    return {
        "organisation": vars(config.organisation),
        "database": {"url": config.database_url and masked_database_url(config.database_url)},
        "web": {
            "public_url": config.web.public_url,
            "host": config.web.host,
            "port": config.web.port,
            "secret_keys": [MASK for _ in config.web.secret_keys],
            "write_keys": {key.name: {"key": MASK, "scope": key.scope} for key in config.web.write_keys},
            "api_keys": {key.name: {"key": MASK, "scope": list(key.scopes)} for key in config.web.api_keys},
        },
        "channels": {
            medium: {
                "adapter": channel.adapter,
                **({"throttle": channel.throttle.text} if channel.throttle else {}),
                **{name: _masked(name, option) for name, option in channel.options.items()},
            }
            for medium, channel in config.channels.items()
        },
        "topics": {
            topic.name: {"title": dict(topic.title), "description": dict(topic.description)}
            for topic in config.topics.values()
        },
        "delivery": _delivery(config.delivery),
        "contacts": {"fields": dict(config.fields)},
        "events": {
            event.name: {"description": event.description, "properties": dict(event.properties)}
            for event in config.events.values()
        },
        "segments": {"refresh": f"{int(config.refresh.total_seconds())}s"},
        "webhooks": {"allow_internal": [str(network) for network in config.webhooks.allow_internal]},
        "prefect": vars(config.prefect),
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    """In the words of the file; what is not said is left out."""
    quiet, cap, throttle = delivery.quiet_hours, delivery.cap, delivery.throttle
    said = {
        "timezone": delivery.timezone or "contact",
        "quiet_hours": quiet
        and {
            "from": f"{quiet.start:%H:%M}",
            "to": f"{quiet.end:%H:%M}",
            "channels": list(quiet.channels),
            "then": quiet.then,
        },
        "cap": cap and {"max": cap.most, "per": f"{int(cap.per.total_seconds())}s", "then": cap.then},
        "holdout": f"{100 * delivery.holdout:g}%",
        "throttle": throttle and throttle.text,
        "priority": PRIORITY if delivery.priority is None else delivery.priority,
    }
    return {name: value for name, value in said.items() if value is not None}


def _masked(name: str, option: Plain) -> Plain:
    match option:
        case dict():
            return {key: _masked(key, value) for key, value in option.items()}
        case list():
            return [_masked(name, item) for item in option]
        case _:
            return MASK if option is not None and SECRET_OPTION.search(name.lower()) else option
