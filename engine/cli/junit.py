"""JUnit's XML, as build servers read it: a suite per journey, a case per test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from engine.cli.trials import Result

# What XML 1.0 can't hold in any spelling (https://www.w3.org/TR/xml/#charsets).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(results: Sequence[Result]) -> str:
    """The results as one document. A test that could not be played is an `error`, one that failed a `failure`."""
    suites = [_suite(name, list(cases)) for name, cases in groupby(results, lambda result: result.journey)]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {_counts(results)}>", *suites, "</testsuites>", ""]
    )


def _suite(journey: str, cases: Sequence[Result]) -> str:
    inner = "\n".join(map(_case, cases))
    return f"<testsuite name={_attribute(journey)} {_counts(cases)}>\n{inner}\n</testsuite>"


def _counts(results: Sequence[Result]) -> str:
    failures = sum(result.outcome == "failed" for result in results)
    errors = sum(result.outcome == "error" for result in results)
    seconds = sum(result.seconds for result in results)
    return f'tests="{len(results)}" failures="{failures}" errors="{errors}" time="{seconds:.3f}"'


def _case(result: Result) -> str:
    head = (
        f'  <testcase classname={_attribute(result.journey)} name={_attribute(result.test)} time="{result.seconds:.3f}"'
    )
    if result.outcome == "passed":
        return f"{head}/>"
    tag = "failure" if result.outcome == "failed" else "error"
    first = result.failures[0] if result.failures else ""
    told = escape(_clean("\n".join((*result.failures, "", *result.story))))
    return f"{head}>\n    <{tag} message={_attribute(first)}>{told}</{tag}>\n  </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
