"""Plays the demonstration from the first line to the last."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import orjson

from engine.demo.telling import progress, say, tell_balance, tell_figures, tell_goodbye

if TYPE_CHECKING:  # these take seconds to import, and the first line should not wait for them
    from engine.demo.figures import Balance, Figures
    from engine.demo.goodbye import Goodbye
    from engine.demo.shop import Customer
    from engine.demo.stage import Stage


@dataclass(frozen=True)
class Options:
    """What the command was asked for. `weeks`: how many virtual weeks to play; None: the whole season. `stay`: keep
    everything running at the end until Enter is pressed.
    """

    folder: Path
    weeks: int | None = None
    prefect: bool = True
    stay: bool = False


@dataclass(frozen=True)
class Played:
    """A season that is over, from `start` to `end`. `seconds` is how long it took, `silence` what was withheld after the
    goodbye.
    """

    start: datetime
    end: datetime
    leaver: Customer
    goodbye: Goodbye
    silence: Sequence[dict[str, Any]]
    figures: Figures
    balance: Balance
    seconds: float


def play(options: Options) -> None:
    """Play it; everything that was started is stopped when this returns or raises.

    Raises `FolderInUseError` before anything is touched, and `PromiseBrokenError` when what was to be shown is not so.
    """
    began = monotonic()
    say("Alur demo: a record shop's last months, played in about a minute.")
    say(
        "The purchases of 2,357 customers are real (CDNOW), their names invented. The clock is virtual; the posts over HTTP,"
    )
    say("the decisions in PostgreSQL, the mails by SMTP and the send runs in Prefect are not.")
    say()
    from engine.demo.shop import END, START
    from engine.demo.stage import open_stage

    end = END if options.weeks is None else min(END, START + timedelta(weeks=options.weeks))
    with open_stage(options.folder.resolve(), START, with_prefect=options.prefect) as stage:
        _introduce(stage)
        played = _play_season(stage, end)
        tell_figures(played.figures, played.seconds)
        tell_goodbye(played.leaver, played.goodbye, played.silence)
        tell_balance(played.balance)
        flow_runs = _finish_backstage(stage, played.figures.totals["send_runs"])
        then = commands(options.folder, played.leaver.user_id)
        page = _write(stage, played, then, flow_runs)
        say(f"Done in {monotonic() - began:.0f} s.")
        _say_where_next(page, then)
        if options.stay:
            _stay(stage)


def _introduce(stage: Stage) -> None:
    root = stage.app.root
    say(f"  workspace  {root}")
    say(f"  mails      {stage.mails}")
    say(f"  edge       {stage.url}")
    if stage.backstage is not None:
        say(f"  Prefect    {stage.backstage.url}  (comes up in some seconds)")
    say()


def _play_season(stage: Stage, end: datetime) -> Played:
    from engine.demo.figures import read_balance, read_figures
    from engine.demo.goodbye import check_silence, say_goodbye, when_leaving, who_leaves
    from engine.demo.posts import season
    from engine.demo.season import Errand, Season
    from engine.demo.shop import customers

    people, start = customers(), stage.clock()
    leaver = who_leaves(people, start, end)
    goodbyes: list[Goodbye] = []
    errand = Errand(when_leaving(leaver), lambda: goodbyes.append(say_goodbye(stage, leaver)))
    playing = Season(stage, season(people, start, end), [errand], end)
    imported, changes = playing.open(people)
    say(f"{imported:,} messages of the past imported; {len(changes)} journeys and segments applied")
    began, messages = monotonic(), 0
    with progress() as bar:
        for week in playing.weeks():
            messages += week.counts.by_state.get("accepted", 0)
            bar.week(week, messages)
    seconds = monotonic() - began
    with stage.app.engine.connect() as conn:
        figures, balance = read_figures(conn), read_balance(conn, stage.app.machines)
    _check(stage, figures, balance)
    (goodbye,) = goodbyes
    return Played(start, end, leaver, goodbye, check_silence(stage, leaver, goodbye), figures, balance, seconds)


def _check(stage: Stage, figures: Figures, balance: Balance) -> None:
    """Nothing was lost or doubled, on record and in the mailbox; else raise `PromiseBrokenError`."""
    from engine.demo.goodbye import PromiseBrokenError

    if not balance.holds:
        raise PromiseBrokenError(
            f"{balance.decided} messages were decided and {sum(balance.by_state.values())} are on record: "
            f"{len(balance.missing)} are missing, {len(balance.unasked)} nobody asked for"
        )
    arrived = sum(1 for _ in stage.mails.glob("*.eml"))
    if arrived != figures.mails:
        raise PromiseBrokenError(f"{figures.mails} mails were accepted and {arrived} have arrived")


def _finish_backstage(stage: Stage, send_runs: int) -> int | None:
    """How many flow runs Prefect shows; None without it."""
    if stage.backstage is None:
        return None
    shown = stage.backstage.finish()
    if shown is None:
        say("Prefect did not come up in time: everything was sent without it, and nothing shows there.")
    else:
        say(f"Prefect shows {shown} flow runs for {send_runs} weeks: {stage.backstage.url}")
    return shown


def _write(stage: Stage, played: Played, then: Sequence[tuple[str, str]], flow_runs: int | None) -> Path:
    """The page, and the numbers of it for programs."""
    from engine.demo.page import write_page

    numbers = orjson.dumps(played.figures.plain(), option=orjson.OPT_INDENT_2)
    (stage.app.root / "summary.json").write_bytes(numbers)
    return write_page(stage, played, then, flow_runs)


def commands(folder: Path, leaver: str) -> list[tuple[str, str]]:
    """The three commands to try next, each with what it does."""
    here = Path(sys.argv[0])
    alur = shlex.quote(sys.argv[0]) if here.name == "alur" and shutil.which("alur") is None else "alur"
    where = shlex.quote(str(folder))
    return [
        (f"{alur} why {leaver} -w {where}", "one person's whole story"),
        (f"{alur} draw cart_abandonment -w {where} -o cart.svg", "a journey as a picture"),
        (f"{alur} init shop", "a workspace of your own"),
    ]


def _say_where_next(page: Path, then: Sequence[tuple[str, str]]) -> None:
    say()
    say(f"Look:  {page.as_uri()}")
    width = max(len(command) for command, _ in then)
    for number, (command, what) in enumerate(then):
        say(f"{'' if number else 'Then:':5}  {command:<{width}}  # {what}")


def _stay(stage: Stage) -> None:
    """Keep the links in the mails and Prefect's UI alive."""
    say()
    prefect = f", and Prefect at {stage.backstage.url}" if stage.backstage is not None and stage.backstage.url else ""
    say(f"The links in the mails live{prefect}. Press Enter to end it.")
    sys.stdin.readline()
