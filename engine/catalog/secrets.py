"""Secrets typed into a journey, wherever they stand; found by the name of their key, or by how providers write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from engine.config.environment import REFERENCE
from engine.document import Mapping, Node, Scalar, Sequence
from engine.journey.rendered import is_template

# Stricter than for the options of a channel: `key` and `token` alone are also names of vouchers and the like.
_NAME: Final = re.compile(
    r"(^|[-_])(password|passwd|passphrase|secret|credentials?|api[-_]?key|(access|auth|api|bearer)[-_]?token|private[-_]?key)$"
)
_SHAPE: Final = re.compile(
    r"\b(sk|rk|pk)_live_[0-9A-Za-z]{16,}"  # Stripe
    r"|\bxox[abprs]-[0-9A-Za-z-]{10,}"  # Slack
    r"|\bgh[pousr]_[0-9A-Za-z]{30,}|\bgithub_pat_\w{30,}"  # GitHub
    r"|\bAKIA[0-9A-Z]{16}\b"  # AWS
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}"  # SendGrid
    r"|\bAIza[\w-]{35}"  # Google
    r"|\bBearer\s+[\w.~+/-]{16,}"  # RFC 6750
    r"|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."  # a JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_MEND: Final = 'a secret is typed in here: use an environment reference such as "${{{name}}}" in a webhook\'s url, headers or secret'


def typed_in(node: Node, key: str = "") -> Iterator[tuple[Node, str]]:
    """Each secret in a journey's document with what to say; its text is never quoted."""
    match node:
        case Scalar():
            if _is_secret(node, key):
                name = re.sub(r"\W", "_", key).upper() if _NAME.search(key.lower()) else "API_TOKEN"
                yield node, _MEND.format(name=name)
        case Sequence():
            for item in node.items:
                yield from typed_in(item, key)
        case Mapping():
            for word, value in node:
                yield from typed_in(value, word.text)


def _is_secret(node: Scalar, key: str) -> bool:
    if _SHAPE.search(node.text) is not None:
        return True
    named = isinstance(node.value, str) and bool(node.text) and _NAME.search(key.lower()) is not None
    return named and not is_template(node.text) and REFERENCE.search(node.text) is None
