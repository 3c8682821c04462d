"""The kinds of conditions, one line each; a new kind is a file here and a line below."""

from __future__ import annotations

from engine.audience.conditions import combined, did, field, in_segment

KINDS = (
    field.KIND,
    did.KIND,
    in_segment.KIND,
    combined.KIND,
)

# Words of the language that this version does not run yet; refused where they stand.
LATER = ("message", "subscribed", "rfm.", "value.", "nps")
