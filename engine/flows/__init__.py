"""Prefect as the window on send runs: a flow run for each, which shows what happens and takes the wish to cancel.

```
drain -> PrefectWindow (send_run.py) -> lines on a pipe -> show.py, a process of its own -> flow.py -> Prefect's API
      <- holds                       <- lines on a pipe <-
```
Nothing waits for Prefect here: importing it takes seconds, a server that hangs blocks its client for minutes, and a
process that has used it can't end while its server hangs (measured: 106 s). So it lives in a process that can be killed.
That process is told numbers only, so that no address or name of a person can get into Prefect.
"""
