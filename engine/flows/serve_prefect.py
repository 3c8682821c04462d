"""Prefect's server in a process that ends with its parent, however that ends."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from threading import Thread


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not through sys.stdin: Python aborts if a thread holds that while it ends
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)  # its SQLite file survives that


if __name__ == "__main__":
    Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = ["prefect", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
