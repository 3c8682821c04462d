"""The kinds of conditions, one line each; a new kind is a file here and a line below."""

from __future__ import annotations

from engine.audience.conditions import combined, did, field, in_segment, message, score, subscribed

KINDS = (
    field.KIND,
    did.KIND,
    in_segment.KIND,
    message.KIND,
    subscribed.KIND,
    score.KIND,
    combined.KIND,
)
