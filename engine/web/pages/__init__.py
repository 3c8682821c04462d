"""Pages for customers: plain HTML without scripts, cookies or anything from elsewhere; in Indonesian and English."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Final

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from engine.config import Config, Topic
from engine.run.feedback import Subscription
from engine.run.profile import language
from engine.web.pages.words import WORDS

FALLBACK: Final = "en"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("engine.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return _environment().get_template("style.css").render()


@lru_cache(maxsize=1)
def _headers() -> dict[str, str]:
    """Nothing runs, nothing is loaded, nobody frames it, no link leaks the token, no cache or search engine keeps it."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }


def page(
    name: str, status: int = 200, *, config: Config | None = None, subscription: Subscription | None = None
) -> Response:
    """Render a page in the contact's language, else the organisation's, else English."""
    spoken = _spoken(subscription.locale if subscription is not None else None, config)
    values = {
        "style": _style(),
        "language": spoken,
        "words": WORDS[spoken],
        "other_words": WORDS["id" if spoken == "en" else "en"],
        "organisation": config.organisation if config is not None else None,
        "subscription": subscription,
        "topic": _topic(config, subscription, spoken),
        "masked": mask(subscription.address) if subscription is not None and subscription.address is not None else None,
    }
    html = _environment().get_template(name).render(values)
    return Response(html, status, _headers(), media_type="text/html")


def mask(address: str) -> str:
    """Enough of an address for its owner to know it, and for nobody else: `a•••@example.com`, `•••7890`."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else f"•••{address[-4:]}"


def _spoken(locale: str | None, config: Config | None) -> str:
    wanted = [locale, config.organisation.locale if config is not None else None]
    codes = [language(tag) for tag in wanted if tag is not None]
    return next((code for code in codes if code is not None and code in WORDS), FALLBACK)


def _topic(config: Config | None, subscription: Subscription | None, spoken: str) -> str | None:
    """What the topic is called; one that the workspace no longer has goes by its name."""
    if config is None or subscription is None:
        return None
    topic = config.topics.get(subscription.topic, Topic(subscription.topic))
    return topic.title_in(spoken, language(config.organisation.locale))
