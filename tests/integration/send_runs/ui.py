"""What a person sees and does in Prefect, through the API that its UI uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from engine.flows.environment import Api
from engine.flows.server import PrefectServer

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = 30.0) -> Found:
    """What `look` gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.05)
    return found


@dataclass
class Ui:
    """`server` keeps it running, `home` has its data."""

    server: PrefectServer
    home: Path

    @property
    def api(self) -> Api:
        """Where it is."""
        found = self.server.api
        assert found is not None
        return found

    @property
    def process_id(self) -> int:
        """Of the server, which leads a process group."""
        found = self.server.process_id
        assert found is not None
        return found

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        (run,) = self._post("/flow_runs/filter", flow_runs={"id": {"any_": [flow_run_id]}})
        return dict(run)

    def state(self, flow_run_id: str) -> str:
        return str(self.flow_run(flow_run_id)["state_name"])

    def tasks(self, flow_run_id: str) -> dict[str, str]:
        """Names and states."""
        found = self._post("/task_runs/filter", flow_runs={"id": {"any_": [flow_run_id]}})
        return {task["name"]: task["state_name"] for task in found}

    def artifacts(self, flow_run_id: str) -> dict[str, Any]:
        """Data by key."""
        found = self._post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [flow_run_id]}})
        return {artifact["key"]: artifact["data"] for artifact in found}

    def logs(self, flow_run_id: str) -> list[str]:
        found = self._post("/logs/filter", logs={"flow_run_id": {"any_": [flow_run_id]}})
        return [line["message"] for line in found]

    def set_state(self, flow_run_id: str, kind: str) -> None:
        """What the button of the UI does."""
        self._post(f"/flow_runs/{flow_run_id}/set_state", state={"type": kind, "name": kind.capitalize()})

    def _post(self, path: str, **body: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{self.api.url}{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()
