"""The process that talks to Weights & Biases for a training: whatever W&B does, the training process feels nothing.

It is started as a script by `wandb_sink`, imports nothing of this package, and speaks lines of JSON:

| standard input | standard output |
| --- | --- |
| `{"begin": {...}}` first, see `begin` | `{"started": true}` |
| `{"step": 64, "metrics": {...}}` | `{"stop": "..."}`: somebody stopped the run on the server |
| `{"close": "finished"}`, failed or preempted | `{"failed": "..."}` or `{"closed": true}` last |

If standard input ends before `close`, the training process was killed: the run is marked as failed.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

KILLED_SECONDS = 10.0
"""Given to W&B to note that the training process is gone."""
STOP_ANSWER_SECONDS = 5.0


class Unusable(Exception):
    """W&B cannot be used as it is set up."""


def main() -> None:
    """Serve one training, then leave without the exit handlers of W&B, which may wait for ever."""
    replies = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(null, stream)
    for name in ("SIGTERM", "SIGHUP"):  # the training process decides when this one ends
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda *_: reply(replies, stop="stopped on the W&B server"))  # W&B's way to say so
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read, args=(messages,), daemon=True).start()
    code = 0
    try:
        serve(messages, replies)
    except BaseException as error:
        code = 1
        reply(replies, failed=(str(error).splitlines() or [type(error).__name__])[0])
    leave(code)


def leave(code: int) -> None:
    """End at once, and W&B's own service with it; elsewhere than on Linux that notices by itself."""
    for process in reversed(descendants(os.getpid())):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(code)


def descendants(process: int) -> list[int]:
    """The processes that `process` started, and theirs, the older ones first; empty where there is no `/proc`."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError, ValueError):
            for child in map(int, file.read_text().split()):
                found += [child, *descendants(child)]
    return found


def read(messages: queue.Queue[dict[str, Any]]) -> None:
    """Take lines as they come, so that the training process never waits for W&B."""
    for line in sys.stdin:
        messages.put(json.loads(line))
    messages.put({"close": "killed"})


def reply(replies: TextIO, **facts: Any) -> None:
    """Say something to the training process, if it is still there."""
    try:
        replies.write(json.dumps(facts) + "\n")
    except OSError:
        return


def serve(messages: queue.Queue[dict[str, Any]], replies: TextIO) -> None:
    """Begin a run, log rows until the end, and end it."""
    wanted = messages.get()["begin"]
    offset = wanted.pop("offset")
    run = begin(**wanted)
    reply(replies, started=True)
    while "close" not in (message := messages.get()):
        log(run, offset, message["step"], message["metrics"])
    end(run, message["close"])
    reply(replies, closed=True)


def begin(
    stage: int,
    folder: str,
    name: str,
    run_id: str,
    config: dict[str, Any],
    pid: int,
    seconds: float,
    project: str | None = None,
) -> Any:
    """Start the run, or continue the one with this id.

    Args:
        project: of W&B; default: the one that the environment names.
        folder: where W&B keeps its files; pid: of the process whose use of the machine is logged.
        seconds: after which W&B gives up by itself.

    Raises:
        Unusable: there is no key for a server that wants one.
    """
    import wandb

    if os.environ.get("WANDB_MODE", "online") == "online" and not has_key():
        raise Unusable("no API key; run 'wandb login', or set WANDB_MODE=offline to log locally")
    run = wandb.init(
        project=project or os.environ.get("WANDB_PROJECT") or "mesozoic",
        name=os.environ.get("WANDB_NAME") or name,
        id=run_id,
        resume="allow",
        dir=folder,
        config=config,
        settings=wandb.Settings(silent=True, console="off", init_timeout=seconds, x_stats_pid=pid),
    )
    run.define_metric("env_step")
    run.define_metric("*", step_metric="env_step")
    run.define_metric(f"stage{stage}/env_step")
    run.define_metric(f"stage{stage}/*", step_metric=f"stage{stage}/env_step")
    return run


def log(run: Any, offset: int, step: int, metrics: dict[str, float]) -> None:
    """Log one row. W&B drops what is not later than the last row of a resumed run: that is made again, and the same.

    Args:
        offset: of this stage's steps, where all stages log to one run; each counts its own from 0.
    """
    stage = next((name.partition("/")[0] for name in metrics if name.startswith("stage")), "")
    own = {f"{stage}/env_step": step} if stage else {}
    run.log({**metrics, **own, "env_step": step}, step=offset + step)


def end(run: Any, outcome: str) -> None:
    """End the run: with exit code 0 if the training is over, or if the server wanted it to end."""
    if outcome == "killed":
        threading.Timer(KILLED_SECONDS, leave, (1,)).start()
    if outcome == "preempted" and not stopped_by_server(run):
        run.mark_preempting()
    elif outcome == "preempted":
        outcome = "finished"
    run.finish(exit_code=0 if outcome == "finished" else 1, quiet=True)


def stopped_by_server(run: Any) -> bool:
    """Whether W&B itself stopped the run, as early termination of a sweep does: it must not be begun again."""
    try:
        result = run._interface.deliver_stop_status().wait_or(timeout=STOP_ANSWER_SECONDS)
        return bool(result.response.stop_status_response.run_should_stop)
    except Exception:  # an interface of W&B's own, which may change
        return False


def has_key() -> bool:
    """Whether W&B finds an API key."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import wandb

    try:
        return bool(wandb.Api().api_key)
    except Exception:  # it raises different errors for a missing key from version to version
        return False


if __name__ == "__main__":
    main()
