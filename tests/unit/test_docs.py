"""The pages tell of everything that there is, what they show works, and their links lead somewhere."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels.registry import kinds
from docs.generate import generated, page, settings
from engine.audience import conditions
from engine.audience.operators import OPERATORS
from engine.audience.segment import SEGMENT, read_segment
from engine.catalog import load
from engine.cli.commands import COMMANDS, load_command
from engine.config import read_config
from engine.document import read_document
from engine.errors import Problem
from engine.grammar import Invalid, Reader
from engine.journey import steps, triggers
from engine.journey.journey import JOURNEY, read_journey
from engine.journey.rules import ENTRY
from engine.run.status import SEND_STATES
from engine.run.why import REASONS
from engine.templates import Templates
from tests.tutorial import follow_tutorial

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))
LANGUAGE = (DOCS / "language.md").read_text()
EVERYTHING = "\n".join(file.read_text() for file in PAGES)
SECRETS = ("ALUR_SECRET_KEY", "OLD_SECRET_KEY", "SHOP_KEY", "SITE_KEY", "CRM_KEY", "SMTP_PASSWORD", "DATABASE_PASSWORD")
ENVIRONMENT = {name: f"not_really_secret_{name}" for name in SECRETS}


@dataclass(frozen=True)
class Block:
    """A piece of code in a page; `info` is what stands behind the three backticks."""

    file: Path
    line: int
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} {self.info}"


def _blocks(file: Path) -> Iterator[Block]:
    text = file.read_text()
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Block(file, text.count("\n", 0, found.start()) + 1, found[1].strip(), found[2])


BLOCKS = [block for file in PAGES for block in _blocks(file)]


def blocks(*infos: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.info in infos]
    assert found
    return pytest.mark.parametrize("block", found, ids=str)


# --- everything is told of --------------------------------------------------------------------------------------------


def test_every_step_trigger_condition_operator_and_key_of_the_language_is_documented() -> None:
    words = [*steps.KINDS, *triggers.KINDS, *OPERATORS]
    words += [word for kind in conditions.KINDS for word in kind.words if not word.endswith(".")]
    words += [*JOURNEY.fields, *ENTRY.fields, *SEGMENT.fields]
    missing = [word for word in words if f"`{word}`" not in LANGUAGE and f"`{word}:" not in LANGUAGE]
    roots = [word for kind in conditions.KINDS for word in kind.words if word.endswith(".")]
    missing += [root for root in roots if f"| `{root}" not in LANGUAGE]
    assert missing == []


def test_every_step_that_runs_has_a_section_and_an_example() -> None:
    for verb in steps.KINDS:
        section = re.search(rf"^### {verb}\b.*?(?=^##)", LANGUAGE, re.MULTILINE | re.DOTALL)
        assert section is not None, verb
        assert re.search(rf"\b{verb}:", section[0]), verb


def test_every_command_is_documented() -> None:
    names = list(_commands())
    assert "alur contacts import" in names
    assert [name for name in names if not re.search(rf"{name}\b", EVERYTHING)] == []


def _commands() -> Iterator[str]:
    for listed in COMMANDS:
        inner = getattr(load_command(listed.name), "commands", {"": None})
        yield from (f"alur {listed.name} {word}".rstrip() for word in inner)


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()
    missing = [name for name, *_ in settings() if f"`{name}`" not in text]
    assert missing == []


def test_every_adapter_has_a_page_that_tells_of_each_of_its_options() -> None:
    for kind in kinds().values():
        text = page(kind).read_text()
        options = [field.alias or name for name, field in kind.options.model_fields.items()]
        assert [option for option in options if f"`{option}`" not in text] == []


def test_every_state_and_reason_of_a_send_is_documented() -> None:
    text = (DOCS / "architecture.md").read_text() + (DOCS / "operations.md").read_text()
    assert [word for word in (*SEND_STATES, *REASONS) if not re.search(rf"\b{word}\b", text)] == []


def test_every_decision_stands_in_the_list() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    files = sorted(file.name for file in (DOCS / "decisions").glob("0*.md"))
    assert re.findall(r"\((0\d{3}-[a-z-]+\.md)\)", listed) == files


@pytest.mark.parametrize("file", list(generated()), ids=lambda file: file.name)
def test_what_follows_from_the_code_is_up_to_date(file: Path) -> None:
    assert file.read_text() == generated()[file], "run: python docs/generate.py"


# --- what they show works ---------------------------------------------------------------------------------------------

_PARTS = ("trigger", "entry", "exit", "goal", "delivery", "steps", "condition")


@blocks("yaml journey", *(f"yaml {part}" for part in _PARTS))
def test_an_example_of_a_journey_reads(block: Block) -> None:
    assert _problems(_whole_journey(block)) == []


def _whole_journey(block: Block) -> str:
    part = block.info.removeprefix("yaml ")
    if part == "journey":
        return block.text
    given = {"trigger": "{event: signed_up}", "steps": "[{wait: 1h}]"}
    if part == "condition":
        given["entry"] = "\n" + textwrap.indent(f"where:\n{textwrap.indent(block.text, '  ')}", "  ")
    else:
        given[part] = "\n" + textwrap.indent(block.text, "  ")
    return "journey: example\ntopic: offers\n" + "\n".join(f"{key}: {value}" for key, value in given.items())


def _problems(source: str) -> list[Problem]:
    found = re.search(r"^journey: (\w+)$", source, re.MULTILINE)
    name = found[1] if found else "example"
    node, problems = read_document(source.encode(), f"journeys/{name}.yaml")
    reader = Reader(f"journeys/{name}.yaml")
    if node is not None:
        read_journey(node, reader, name)
    return sorted([*problems, *reader.problems])


@blocks("yaml segment")
def test_an_example_of_a_segment_reads(block: Block) -> None:
    node, problems = read_document(block.text.encode(), "segments/example.yaml")
    reader = Reader("segments/example.yaml")
    assert problems == []
    assert node is not None
    assert not isinstance(read_segment(node, reader), Invalid), reader.problems


@blocks("yaml config")
def test_an_example_of_settings_reads(block: Block) -> None:
    config, problems = read_config(block.text.encode(), "config.yaml", ENVIRONMENT)
    assert problems == []
    assert config is not None
    for channel in config.channels.values():
        kinds()[channel.adapter].options.model_validate(channel.options)


@blocks("yaml refused")
def test_an_example_of_what_is_refused_gets_the_problems_that_the_page_shows(block: Block) -> None:
    shown = next(other for other in BLOCKS if other.file == block.file and other.line > block.line)
    assert [str(problem) for problem in _problems(block.text)] == shown.text.splitlines()


@blocks("yaml whatsapp")
def test_an_example_of_a_whatsapp_template_compiles(block: Block, tmp_path: Path) -> None:
    (tmp_path / "templates" / "whatsapp").mkdir(parents=True)
    (tmp_path / "templates" / "whatsapp" / "example.yaml").write_text(block.text)
    templates = Templates(tmp_path, "id")
    assert templates.problems() == []
    assert templates.get("whatsapp", "example", None) is not None


@blocks("python")
def test_python_on_a_page_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


def test_the_workspace_of_the_tutorial_has_no_problems(tmp_path: Path) -> None:
    follow_tutorial(tmp_path)
    found = load(tmp_path)
    assert found.problems == ()
    assert len(found.definitions.journeys["hello"].journey.tests) == 4


def test_the_journey_of_the_first_page_is_the_one_that_ships() -> None:
    (shown,) = [block for block in _blocks(ROOT / "README.md") if block.info == "yaml journey"]
    ships, _, _ = (ROOT / "journeys" / "cart_abandonment.yaml").read_text().partition("\ntests:")
    assert ships.endswith(shown.text)


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    dead = [link for link in links if "://" not in link and not link.startswith("mailto:") and not _leads(file, link)]
    assert dead == []


def _leads(file: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (file.parent / path) if path else file
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(file: Path) -> set[str]:
    """The headings as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 200
