"""The command `alur`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the entry point of the installed program. Ends the process: 0, 1 or 2."""
    from engine.cli.program import run_program

    run_program()
