"""The flow `send-run`: one flow run shows one send run; a task shows up to five seconds of it. It sends nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Cancelled, Completed, Crashed

from engine.errors import AlurError

_LOOK = 1.0  # seconds between two looks at whether somebody wants the run cancelled
_WANTS_CANCEL = ("CANCELLING", "CANCELLED")


class Inbox(Protocol):
    """Lines about the run, in order: `slice`, then `close`; `gone` when nobody will say more."""

    def take(self, seconds: float | None) -> Mapping[str, Any] | None: ...


Tell = Callable[..., None]


class LostSightError(AlurError):
    """Prefect failed while it showed a run; another flow run can show the rest."""


def show(run_id: int, inbox: Inbox, tell: Tell) -> None:
    """Show one send run from its opening to its end. Raises `LostSightError`, or whatever else Prefect raises.

    Tells `flow_run` (Prefect's id) at the beginning, `cancel` when somebody wants it in Prefect, `shown` at the end.
    """
    seen_to_its_end = False

    @flow(name="send-run", flow_run_name=f"send-run-{run_id}", persist_result=False, validate_parameters=False)
    def send_run(run_id: int) -> State[Any]:
        nonlocal seen_to_its_end
        tell(run_id, flow_run=str(flow_run.id))
        with get_client(sync_client=True) as client:
            end = _Showing(run_id, UUID(str(flow_run.id)), client, tell).follow(inbox)
        seen_to_its_end = True
        return end

    # The heartbeat thread of a flow run costs a second at its end; the database knows better whether we live.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        state = send_run(run_id, return_state=True)
    if not seen_to_its_end:
        raise LostSightError(f"the flow run of send run {run_id} ended as {state.name}: {state.message}")
    tell(run_id, shown=True)


def tidy(flow_runs: Sequence[str]) -> None:
    """Flow runs whose send run has ended while Prefect did not hear of it are not running any more."""
    with get_client(sync_client=True) as client:
        for flow_run_id in flow_runs:
            try:
                state = client.read_flow_run(UUID(flow_run_id)).state
            except ObjectNotFound:  # deleted: so it does not run
                continue
            if state is not None and not state.is_final():
                lost: State[Any] = Crashed(
                    message="Prefect was away when this send run ended; the database has its counts"
                )
                client.set_flow_run_state(UUID(flow_run_id), lost, force=True)


@task(name="groups", task_run_name="groups-{number:04d}", persist_result=False)
def groups(number: int, counts: dict[str, int], seconds: float) -> dict[str, int]:
    """Up to five seconds of intent groups."""
    get_run_logger().info("slice %d: %s in %.1f s", number, said(counts), seconds)
    return counts


def said(counts: Mapping[str, int]) -> str:
    """Counts in words: `1,990 accepted, 10 withheld`."""
    return ", ".join(f"{number:,} {state}" for state, number in sorted(counts.items()) if number) or "nothing sent"


class _Showing:
    """One flow run, from inside."""

    def __init__(self, run_id: int, flow_run_id: UUID, client: SyncPrefectClient, tell: Tell) -> None:
        self._run_id, self._flow_run_id, self._client, self._tell = run_id, flow_run_id, client, tell
        self._counts: Counter[str] = Counter()
        self._wants_cancel = False
        self._next_look = monotonic() + _LOOK
        progress = create_progress_artifact(0.0, key="send-run-progress", description=f"Send run {run_id}")
        assert isinstance(progress, UUID)  # and no coroutine: nothing here is async
        self._progress = progress

    def follow(self, inbox: Inbox) -> State[Any]:
        """Show what the lines say, until the last."""
        while True:
            line = inbox.take(_LOOK)
            if line is not None and "slice" in line:
                self._show_slice(line)
            elif line is not None and "close" in line:
                return self._end(line)
            elif line is not None and "gone" in line:
                return Crashed(
                    message="The process that sent has ended. What it had not sent goes out with the next send run."
                )
            ended = self._look()
            if ended is not None:
                return ended

    def _show_slice(self, line: Mapping[str, Any]) -> None:
        counts: dict[str, int] = line["counts"]
        self._counts.update(counts)
        groups(line["slice"], counts, line["seconds"])
        done = sum(number for state, number in self._counts.items() if state != "planned")
        percent = 100.0 * done / max(1, done + line["left"])
        update_progress_artifact(
            self._progress, percent, description=f"Send run {self._run_id}: {said(self._counts)}; {line['left']:,} due"
        )

    def _look(self) -> State[Any] | None:
        """Prefect does not stop a flow that runs in a process of ours: the flow has to look for itself."""
        if self._wants_cancel or monotonic() < self._next_look:
            return None
        self._next_look = monotonic() + _LOOK
        state = self._client.read_flow_run(self._flow_run_id).state
        if state is not None and state.type.value in _WANTS_CANCEL:
            self._wants_cancel = True
            self._tell(self._run_id, cancel=True)
        elif state is not None and state.is_final():
            return state  # somebody has called it finished: the sending goes on unseen
        return None

    def _end(self, line: Mapping[str, Any]) -> State[Any]:
        counts = said(line["counts"])
        cancelled = line["close"] == "cancelled" or self._wants_cancel
        if not cancelled:
            update_progress_artifact(self._progress, 100.0, description=f"Send run {self._run_id}: {counts}")
        table = [
            {name: row[name] for name in ("journey", "channel", "state", "reason", "sends")} for row in line["table"]
        ]
        create_table_artifact(table, key="send-run-result", description=f"Send run {self._run_id}: {counts}")
        if cancelled:
            return Cancelled(message=f"{counts}. The rest is held; `alur resume {self._run_id}` lets it go on.")
        return Completed(message=counts)
