"""`alur simulate`: 90 days of the shipped journeys over the 23,570 people of CDNOW, their real purchases as events.

    python bench/simulate.py [--days 90] [--twice]

Purchases are moved by 10,227 days (28 years, the same weekdays); names, sign-ups and carts are made up from the customer's
number, so that all five journeys have something to do. `--twice` compares the bytes of two runs.
Data: Fader and Hardie, "Counting Your Customers the Easy Way" (Marketing Science, 2005), all 69,659 purchases.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic

import orjson

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data" / "cdnow.csv.gz"
MOVED = timedelta(days=10_227)
START = date(2026, 1, 1)  # the last half of the eighteen months: everybody has bought before


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--days", type=int, default=90)
    arguments.add_argument("--twice", action="store_true", help="simulate twice and compare the bytes")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="alur-bench-") as name:
        folder = Path(name)
        make_workspace(folder / "shop")
        people, events = write_input(folder)
        print(f"{people:,} people, {events:,} events, {given.days} days", flush=True)
        said = [run(folder, given.days, f"{turn}") for turn in range(2 if given.twice else 1)]
    if given.twice:
        print("the same bytes" if said[0] == said[1] else "DIFFERENT BYTES")
        sys.exit(said[0] != said[1])


def make_workspace(root: Path) -> None:
    """The example workspace, with keys of its own."""
    for part in ("journeys", "segments", "templates"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy(ROOT / "config.yaml", root)
    names = ("ALUR_SECRET_KEY", "SHOP_KEY", "SITE_KEY")
    (root / ".env").write_text("".join(f"{name}=a-key-of-this-bench-alone-{name.lower()}\n" for name in names))


def run(folder: Path, days: int, turn: str) -> str:
    """One simulation by the command line; gives the digest of its result and timelines."""
    timelines = folder / f"people-{turn}.jsonl"
    began = monotonic()
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "alur", "simulate", "--workspace", folder / "shop", "--output", "json"),
            *("--contacts", folder / "people.csv", "--events", folder / "events.jsonl", "--people", timelines),
            *("--from", START.isoformat(), "--until", (START + timedelta(days=days)).isoformat()),
        ],
        capture_output=True,
        check=False,
    )
    seconds = monotonic() - began
    if done.returncode:
        sys.exit(done.stderr.decode())
    for journey in orjson.loads(done.stdout)["journeys"]:
        sent = sum(count for step in journey["steps"] for count in step["sent"].values())
        print(
            f"  {journey['journey']:18} {journey['entered']:7,} entered {sent:7,} sent {journey['converted']:6,} reached the goal"
        )
    print(f"{seconds:.1f} s", flush=True)
    return hashlib.sha256(done.stdout + timelines.read_bytes()).hexdigest()


def write_input(folder: Path) -> tuple[int, int]:
    """people.csv and events.jsonl; gives how many of each."""
    with gzip.open(DATA, "rt", newline="") as file:
        purchases = list(csv.DictReader(file))
    customers = sorted({row["customer_id"] for row in purchases})
    with (folder / "people.csv").open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["user_id", "email", "first_name", "birthday", "locale", "timezone", "consent"])
        for customer in customers:
            number = int(customer)
            birthday = date(1960, 1, 1) + timedelta(days=number * 7919 % 14_000)
            consent = "" if number % 10 == 0 else "offers;tips"
            sheet.writerow(
                [
                    customer,
                    f"c{customer}@example.com",
                    f"Customer {number}",
                    birthday,
                    ("id", "en")[number % 2],
                    "",
                    consent,
                ]
            )
    events = sorted(_events(purchases), key=lambda event: event["at"])
    with (folder / "events.jsonl").open("wb") as lines:
        lines.writelines(orjson.dumps(event) + b"\n" for event in events)
    return len(customers), len(events)


def _events(purchases: list[dict[str, str]]) -> Iterator[dict[str, object]]:
    for place, row in enumerate(purchases):
        number = int(row["customer_id"])
        minute = timedelta(minutes=(number * 31 + place * 7) % 1440)
        at = datetime.combine(date.fromisoformat(row["date"]) + MOVED, datetime.min.time(), UTC) + minute
        total = float(row["amount"])
        cart = {
            "cart_id": f"cart-{place}",
            "order_id": f"order-{place}",
            "total": total,
            "quantity": int(row["quantity"]),
        }
        yield {"user_id": row["customer_id"], "at": at, "event": "order_completed", "properties": cart}
        if place % 5 == 0:
            before = at - timedelta(hours=1 + place % 40)
            items = [{"name": f"Album {place}", "artist": "An artist", "price": total}]
            filled = {**cart, "currency": "USD", "items": items}
            yield {"user_id": row["customer_id"], "at": before, "event": "cart_updated", "properties": filled}
        if place % 40 == 0:
            yield {"user_id": row["customer_id"], "at": at - timedelta(days=2), "event": "signed_up", "properties": {}}


if __name__ == "__main__":
    main()
