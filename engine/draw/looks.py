"""Colours and icons of the pictures: one look per step kind, in daylight and in the dark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """`tile` is the icon's ground; `ink` and `tint` are words and badges in daylight, `dark_*` at night."""

    tile: str
    ink: str
    tint: str
    dark_ink: str
    dark_tint: str


LOOKS: dict[str, Look] = {
    "trigger": Look("#4338ca", "#c7d2fe", "#312e81", "#c7d2fe", "#312e81"),
    "send": Look("#4f46e5", "#4338ca", "#eef0ff", "#a5b4fc", "#2b2c5a"),
    "wait": Look("#b45309", "#92400e", "#fdf3dc", "#fcd34d", "#45331a"),
    "wait_for": Look("#0e7490", "#0e6478", "#e2f6fa", "#67e8f9", "#12404b"),
    "branch": Look("#a21caf", "#86198f", "#fbeafd", "#f0abfc", "#4a1f52"),
    "experiment": Look("#7c3aed", "#5b21b6", "#f1ebfe", "#c4b5fd", "#3a2a63"),
    "repeat": Look("#1d4ed8", "#1e40af", "#e6eeff", "#93c5fd", "#1e3a6e"),
    "update": Look("#0f766e", "#115e59", "#e0f5f2", "#5eead4", "#134540"),
    "emit": Look("#0369a1", "#075985", "#e2f1fc", "#7dd3fc", "#123d5a"),
    "webhook": Look("#4d7c0f", "#3f6212", "#eef7dc", "#bef264", "#2e4313"),
    "start": Look("#4338ca", "#3730a3", "#eceafe", "#a5b4fc", "#2e2b66"),
    "exit": Look("#be123c", "#9f1239", "#ffe9ec", "#fda4af", "#4f1c2a"),
    "rule": Look("#be123c", "#9f1239", "#ffe9ec", "#fda4af", "#4f1c2a"),
    "goal": Look("#047857", "#065f46", "#ddf7ea", "#6ee7b7", "#11422f"),
    "completed": Look("#047857", "#065f46", "#ddf7ea", "#6ee7b7", "#11422f"),
}
PLAIN = Look("#475569", "#334155", "#edf1f6", "#cbd5e1", "#2b3648")
"""The look of a step kind that has none of its own."""

# Icons: strokes on a field of 24 by 24.
GLYPHS: dict[str, str] = {
    "trigger": "M13 2.5 5 13.5h6l-1 8 8-11h-6z",
    "send": "M3.5 6h17v12h-17zM4 6.5l8 6.5 8-6.5",
    "email": "M3.5 6h17v12h-17zM4 6.5l8 6.5 8-6.5",
    "sms": "M4 5h16v11.5h-9l-4.5 3.5v-3.5H4zM8 9h8M8 12.5h5",
    "whatsapp": (
        "M4 20l1.3-3.9a8.2 8.2 0 1 1 3 2.7z"
        "M9 9.5c0 3 2.5 5.5 5.5 5.5l1.2-1.5-1.9-1.2-1 .8c-.9-.4-1.6-1.1-2-2l.8-1L10.4 8z"
    ),
    "wait": "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M12 7.5V12l3 2",
    "wait_for": "M6.5 3.5h11M6.5 20.5h11M8 3.5c0 4.5 4 5.5 4 8.5s-4 4-4 8.5M16 3.5c0 4.5-4 5.5-4 8.5s4 4 4 8.5",
    "branch": "M12 3.5V9c0 4-6.5 3-6.5 8v3.5M12 9c0 4 6.5 3 6.5 8v3.5M3 18l2.5 2.5L8 18M16 18l2.5 2.5L21 18",
    "experiment": "M9 3.5h6M10 3.5v6L4.5 19a1 1 0 0 0 .9 1.5h13.2a1 1 0 0 0 .9-1.5L14 9.5v-6M7.5 15h9",
    "repeat": "M4 12a8 8 0 0 1 13.5-5.8L20 8.5M20 3.5v5h-5M20 12a8 8 0 0 1-13.5 5.8L4 15.5M4 20.5v-5h5",
    "update": "M4 20h4L19.5 8.5l-4-4L4 16zM13 7l4 4",
    "emit": "M12 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 1 0 0-3M7.5 16.5a6 6 0 0 1 0-9M16.5 7.5a6 6 0 0 1 0 9M4.5 19.5a10.5 10.5 0 0 1 0-15M19.5 4.5a10.5 10.5 0 0 1 0 15",
    "webhook": "M4 12h13M12.5 7l5 5-5 5M20.5 4v16",
    "start": "M7 4.5v15l12-7.5z",
    "exit": "M11 4H5.5v16H11M15.5 8l4 4-4 4M19 12h-9",
    "goal": "M6 21V4M6 4.5h12l-3.5 4 3.5 4H6",
    "completed": "M5 12.5l4.5 4.5L19 7.5",
}
DOT = "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7"
PERSON = "M12 4.5a3.7 3.7 0 1 0 0 7.4 3.7 3.7 0 1 0 0-7.4M5 20.5c0-4 3-6 7-6s7 2 7 6"

FONT = "Inter,'Segoe UI',system-ui,-apple-system,Roboto,'Helvetica Neue',Arial,sans-serif"


@dataclass(frozen=True)
class Ground:
    """The colours that belong to no look."""

    paper: str
    surface: str
    border: str
    line: str
    text: str
    soft: str
    chip: str
    first: str  # the trigger's card
    first_text: str
    first_soft: str
    shade: str


DAY = Ground(
    paper="#f8fafc",
    surface="#ffffff",
    border="#dbe2ea",
    line="#94a3b8",
    text="#0f172a",
    soft="#475569",
    chip="#ffffff",
    first="#1e1b4b",
    first_text="#ffffff",
    first_soft="#c3c8ee",
    shade="#0f172a",
)
NIGHT = Ground(
    paper="#0d1220",
    surface="#171e2e",
    border="#2e394d",
    line="#64748b",
    text="#f1f5f9",
    soft="#a9b6c8",
    chip="#1f283a",
    first="#262364",
    first_text="#ffffff",
    first_soft="#c3c8ee",
    shade="#000000",
)


def style_sheet(root: str) -> str:
    """The rules of both lights, each bound to the class `root`, so that pictures in one page do not meet."""
    day = _rules(root, DAY)
    day += [rule for name, look in _all() for rule in _look(root, name, look.ink, look.tint)]
    night = _rules(root, NIGHT)
    night += [rule for name, look in _all() for rule in _look(root, name, look.dark_ink, look.dark_tint)]
    fixed = [
        f".{root}{{font-family:{FONT}}}",
        f".{root} .strong{{font-weight:600}}",
        f".{root} .glyph{{fill:none;stroke:#fff;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}}",
        f".{root} .line{{fill:none;stroke-width:2}}",
        f".{root} .jump{{stroke-dasharray:5 5}}",
        f".{root} .aside-card{{stroke-dasharray:4 4}}",
        f".{root} .shade{{opacity:.07}}",
        f".{root} .nobody .badge{{opacity:0}}",
        f".{root} .nobody .strong{{font-weight:400}}",
        *(f".{root} .v-{name} .tile{{fill:{look.tile}}}" for name, look in _all()),
    ]
    return "\n".join([*fixed, *day, "@media (prefers-color-scheme:dark){", *night, "}"])


def _all() -> list[tuple[str, Look]]:
    return [*LOOKS.items(), ("plain", PLAIN)]


def _rules(root: str, ground: Ground) -> list[str]:
    colours = {
        ".paper": f"fill:{ground.paper}",
        ".box": f"fill:{ground.surface};stroke:{ground.border}",
        ".shade": f"fill:{ground.shade}",
        ".line": f"stroke:{ground.line}",
        ".tip": f"fill:{ground.line}",
        ".chip": f"fill:{ground.chip};stroke:{ground.border}",
        ".heading,.title": f"fill:{ground.text}",
        ".aside,.detail": f"fill:{ground.soft}",
        ".chip-text": f"fill:{ground.text}",
        ".v-trigger .box": f"fill:{ground.first};stroke:{ground.first}",
        ".v-trigger .title": f"fill:{ground.first_text}",
        ".v-trigger .detail": f"fill:{ground.first_soft}",
    }
    return [f"{_bound(root, names)}{{{rule}}}" for names, rule in colours.items()]


def _look(root: str, name: str, ink: str, tint: str) -> list[str]:
    inked = _bound(root, f".v-{name} .eyebrow,.v-{name} .count")
    return [
        f"{inked}{{fill:{ink}}}",
        f"{_bound(root, f'.v-{name} .badge')}{{fill:{tint}}}",
        f"{_bound(root, f'.v-{name} .person')}{{fill:none;stroke:{ink};stroke-width:2.4;stroke-linecap:round}}",
        f"{_bound(root, f'.v-{name} .pill')}{{fill:{tint};stroke:{tint}}}",
    ]


def _bound(root: str, names: str) -> str:
    return ",".join(f".{root} {name}" for name in names.split(","))
