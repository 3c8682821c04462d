"""`alur test`: what the journeys' own tests say, played on the real engine under a virtual clock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from engine.cli.output import Output, OutputOption, plural, say, visible
from engine.cli.table import put, show_rows
from engine.cli.workspace import HERE, WorkspaceOption

if TYPE_CHECKING:  # these take seconds to import, which `alur --help` should not
    from engine.catalog import Catalog
    from engine.cli.trials import Chosen, Result

_Journeys = Annotated[
    list[str] | None,
    typer.Argument(metavar="JOURNEY", help="Only the tests of these journeys.", show_default=False),
]
_Named = Annotated[
    str | None, typer.Option("-k", metavar="NAME", help="Only tests whose name holds this text.", show_default=False)
]
_Junit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML there too.", show_default=False)
]
_COLUMNS = ("journey", "test", "outcome", "failures", "seconds")
_STYLES = {"passed": "green", "failed": "red", "error": "red"}
_FILE = "(the file)"


def run_tests(
    names: _Journeys = None,
    named: _Named = None,
    junit: _Junit = None,
    workspace: WorkspaceOption = HERE,
    output: OutputOption = Output.TABLE,
) -> None:
    """Play the `tests:` of the journeys, and tell which do not come out as written.

    Each test is played on the real engine, with its own clock, in a database of its own on the embedded server: the live
    one is not touched, and nothing is sent. All journeys of the workspace are live in it, as their files say them. For a
    test that fails it shows what was expected, what happened instead, and the person's story with every decision. Exits
    1 when a test fails or a file has problems.

    Example: `alur test cart_abandonment -k reminder --junit results.xml`
    """
    from engine import catalog
    from engine.cli.trials import run_trials

    found = catalog.load(workspace.resolve())
    broken, problems = _broken(found, names)
    chosen = list(_choose(found, names, named))
    if named is not None and not chosen:
        raise typer.BadParameter(f"no test's name holds '{named}'", param_hint="-k")
    for problem in problems:
        say(problem)
    with _progress(len(chosen)) as told:
        results = [*broken, *run_trials(found, chosen, told)]
    if junit is not None:
        from engine.cli.junit import junit as as_junit

        junit.write_text(as_junit(results), encoding="utf-8")
    if output is Output.TABLE:
        _show(results)
    else:
        show_rows([_row(result) for result in results], _COLUMNS, output)
    _sum_up(results, found, names)
    if any(result.outcome != "passed" for result in results) or (problems and not names):
        raise typer.Exit(1)


def _broken(found: Catalog, names: list[str] | None) -> tuple[list[Result], list[str]]:
    """The wanted journeys whose file has problems, each as a test that can't be played; and all problems, to be told."""
    from engine.cli.trials import Result

    results = []
    for name in sorted(found.definitions.broken):
        file = f"journeys/{name}.yaml"
        if (found.root / file).is_file() and (not names or name in names):
            said = tuple(str(problem) for problem in found.problems if problem.file == file)
            results.append(Result(name, _FILE, "error", said))
    return results, [str(problem) for problem in found.problems]


def _choose(found: Catalog, names: list[str] | None, named: str | None) -> Iterator[Chosen]:
    """The tests that are wanted, by journey and in file order. Raises `UnknownNameError`."""
    from engine.cli.trials import Chosen
    from engine.cli.unknown import unknown

    journeys = found.definitions.journeys
    for name in names or ():
        if name not in journeys and name not in found.definitions.broken:
            raise unknown("journey", name, journeys, "journeys/ holds none")
    for name in sorted(set(names) if names else journeys):
        for trial in journeys[name].journey.tests if name in journeys else ():
            if named is None or named.lower() in trial.name.lower():
                yield Chosen(name, trial)


@contextmanager
def _progress(count: int) -> Iterator[Callable[[Result], None]]:
    """A bar on a terminal; elsewhere nothing, the results follow soon enough."""
    if not sys.stderr.isatty() or not count:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("testing", total=count)
        yield lambda _: bar.advance(task)


def _row(result: Result) -> dict[str, Any]:
    return {
        "journey": result.journey, "test": result.test, "outcome": result.outcome, "failures": list(result.failures),
        "seconds": result.seconds,
    }  # fmt: skip


def _show(results: Sequence[Result]) -> None:
    """One line per test; then for each that did not pass what was expected, what happened, and the person's story."""
    for result in results:
        line = Text(f"{result.outcome:<8}", style=_STYLES[result.outcome])
        put(line.append(visible(f"{result.journey}: {result.test}"), style="default"))
    for result in results:
        if result.outcome != "passed":
            put("", Text(visible(f"{result.journey}: {result.test}"), style="bold"))
            put(*(Text(f"  {visible(failure)}", style="red") for failure in result.failures))
            if result.story:
                put(*(Text(f"  {visible(line)}") for line in result.story))


def _sum_up(results: Sequence[Result], found: Catalog, names: list[str] | None) -> None:
    if not results:
        where = ", ".join(names) if names else plural(len(found.definitions.journeys), "journey")
        say(f"no tests in {where}: write some under 'tests:' in the journey's file")
        return
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in _STYLES}
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    say(f"{plural(len(results), 'test')}: {told}")
