"""Where Prefect's API is, and with which environment a process talks to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

_QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    # Prefect's own patience (60 s, five times) would leave a run unseen for minutes after its server was hung.
    "PREFECT_API_REQUEST_TIMEOUT": "10",
    "PREFECT_CLIENT_MAX_RETRIES": "2",
}


@dataclass(frozen=True)
class Api:
    """Prefect's API at `url`, and the environment of a process that uses it."""

    url: str
    environment: Mapping[str, str]

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}

    def answers(self) -> bool:
        """Whether it answers within two seconds."""
        with requests.Session() as session:
            session.trust_env = not self.local  # a proxy is not asked for this machine
            try:
                return session.get(f"{self.url}/health", timeout=2).ok
            except requests.RequestException:
                return False


def own_api(home: Path, url: str) -> Api:
    """The API of the server that Alur starts: nothing of the user's own Prefect settings touches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return Api(url, _environment(environment, url) | {"PREFECT_HOME": str(home)})


def given_api(home: Path, url: str) -> Api:
    """The API that config.yaml names; a key for it stands in the environment, where Prefect looks for it."""
    return Api(url, {"PREFECT_HOME": str(home)} | _environment(os.environ, url))


def _environment(environment: Mapping[str, str], url: str) -> dict[str, str]:
    direct = ",".join(filter(None, [environment.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    return dict(environment) | _QUIET | {"PREFECT_API_URL": url, "NO_PROXY": direct}
