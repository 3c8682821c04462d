"""Writes what stands in these pages and follows from the code: the picture of a journey, capabilities, settings.

    python docs/generate.py

The parts lie between `<!-- made by docs/generate.py -->` and `<!-- end -->`. A test compares them with the code.
"""

# ruff: noqa: INP001  a script among pages, no package

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from channels.base import Adapter, AdapterKind, SearchableAdapter
from channels.registry import kinds
from engine.config import CONFIG
from engine.config.types import ChannelType, MapOf
from engine.draw import svg
from engine.grammar import Field, Later, Shape, Type
from engine.journey.machine import compile_journey
from engine.moments import Window
from engine.run.machines import read_source

ROOT: Final = Path(__file__).parents[1]
START: Final = "<!-- made by docs/generate.py -->\n"
END: Final = "<!-- end -->"
DRAWN: Final = "cart_abandonment"
PICTURE: Final = ROOT / "docs" / "images" / f"{DRAWN}.svg"

# What an adapter can't do without, so that one can be built and asked.
_LEAST: Final[dict[str, dict[str, Any]]] = {"smtp": {"host": "smtp.example.com", "from": "halo@toko.example.com"}}


def generated() -> dict[Path, str]:
    """Each file with the text that it should have."""
    files = {page(kind): between(page(kind), capabilities(kind)) for kind in kinds().values()}
    settings_page = ROOT / "docs" / "settings.md"
    files[settings_page] = between(settings_page, settings_table())
    files[PICTURE] = picture()
    return files


def page(kind: AdapterKind) -> Path:
    """The page of an adapter."""
    return ROOT / "docs" / "channels" / f"{kind.name}.md"


def between(file: Path, made: str) -> str:
    """The file's text with the made part in its place."""
    before, _, rest = file.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{made}{END}{after}"


def picture() -> str:
    """What `alur draw` makes of the journey on the first page."""
    source = (ROOT / "journeys" / f"{DRAWN}.yaml").read_text(encoding="utf-8")
    return svg(compile_journey(read_source(DRAWN, source, {})))


def capabilities(kind: AdapterKind) -> str:
    """What the adapter can do, as it says itself."""
    medium = min(kind.media)
    adapter: Adapter = kind.build(kind.options.model_validate(_LEAST.get(kind.name, {})), medium, ROOT / ".alur")
    can = adapter.capabilities
    asked = can.searchable and isinstance(adapter, SearchableAdapter)
    rows = (
        ("channels", ", ".join(sorted(kind.media))),
        ("connections worth opening at once", str(can.connections)),
        ("messages in one call", str(can.batch)),
        ("can be asked what became of a send", "yes: a send whose end is unknown is settled" if asked else "no"),
        ("drops a repeated message by itself", "yes" if can.idempotent else "no"),
    )
    return _table(("capability", f"`{kind.name}`"), rows)


def settings_table() -> str:
    """Every key of config.yaml."""
    return _table(("setting", "what stands there", "what it is", "default"), settings())


def settings() -> Iterator[tuple[str, str, str, str]]:
    """Name, what is expected, meaning and default of every key, in the order of the shape."""
    yield from _of_shape("", CONFIG)


def _of_shape(prefix: str, shape: Shape) -> Iterator[tuple[str, str, str, str]]:
    for name, field in shape.fields.items():
        yield from _of_field(f"{prefix}{name}", field)


def _of_field(name: str, field: Field) -> Iterator[tuple[str, str, str, str]]:
    inner: Type = field.type
    path = name
    while isinstance(inner, MapOf):
        path, inner = f"{path}.NAME", inner.value
    match inner:
        case Shape():
            yield from _of_shape(f"{path}.", inner)
        case ChannelType():
            yield (
                f"{path}.adapter",
                "an adapter's name",
                f"{field.about}; its own options stand beside it",
                "required where the channel is",
            )
            yield f"{path}.throttle", "a rate such as 50/s, 500/m or 10000/h", "how fast, for each process", "none"
        case Later():
            yield path, "not supported yet", field.about, ""
        case _:
            yield path, inner.expected, field.about, _default(field)


def _default(field: Field) -> str:
    if field.required:
        return "required"
    match field.default:
        case None | () | {}:
            return "none"
        case Window(text=text):
            return f"`{text}`"
        case bool():
            return f"`{'true' if field.default else 'false'}`"
        case _:
            return f"`{field.default}`"


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for first, *rest in rows:
        named = f"`{first}`" if head[0] == "setting" else first
        lines.append(f"| {' | '.join([named, *(cell.replace('|', chr(92) + '|') for cell in rest)])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file, text in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
