"""The process that talks to Weights & Biases for a training: whatever W&B does, the training process feels nothing.

It is started as a script by `wandb_sink`, imports nothing of this package, and speaks lines of JSON:

| standard input | standard output |
| --- | --- |
| `{"begin": {...}}` first, see `begin` | `{"secrets": [...]}`: what nobody may see, `{"started": true}` |
| `{"step": 64, "metrics": {...}}` | `{"stop": "..."}`: somebody stopped the run on the server |
| `{"media": {"replay": FILE, "strip": FILE}}` | `{"unseen": "..."}`: why these are not shown |
| `{"close": "finished"}`, failed or preempted | `{"failed": "..."}` or `{"closed": true}` last |
| | `{"lost": "..."}`: where the files are that W&B's server no longer takes |

If standard input ends before `close`, the training process was killed: the run is marked as failed.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

KILLED_SECONDS = 10.0
"""Given to W&B to note that the training process is gone."""
STOP_ANSWER_SECONDS = 5.0


class Unusable(Exception):
    """W&B cannot be used as it is set up."""


LOST = re.compile(rb"Fatal error while uploading|will not be synced")
"""How W&B says, to nobody but the terminal, that its server refuses the rows of a run; its `finish` succeeds then."""
NO_KEY = "no API key; run 'wandb login', or set WANDB_MODE=offline to log locally"


def main() -> None:
    """Serve one training, then leave without the exit handlers of W&B, which may wait for ever."""
    replies = Replies(os.dup(1))
    heard, said = os.pipe()
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(said, 2)
    threading.Thread(target=listen, args=(heard, replies), daemon=True).start()
    for name in ("SIGTERM", "SIGHUP"):  # the training process decides when this one ends
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda *_: replies.send(stop="stopped on the W&B server"))  # W&B's way to say so
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read, args=(messages,), daemon=True).start()
    code = 0
    try:
        serve(messages, replies)
    except BaseException as error:
        code = 1
        replies.send(failed=" ".join(str(error).split())[:500] or type(error).__name__)
    leave(code)


class Replies:
    """What this process tells the training process, if that is still there.

    Attributes:
        files: where W&B keeps the files of the run, once it has begun.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.files = ""

    def send(self, **facts: Any) -> None:
        """One line, written at once: threads and the handlers of signals use this as well."""
        with suppress(OSError):
            os.write(self._handle, json.dumps(facts).encode() + b"\n")


def listen(pipe: int, replies: Replies) -> None:
    """Read what W&B prints, and pass on the one thing that it says nowhere else."""
    with os.fdopen(pipe, "rb") as lines:
        for line in lines:
            if LOST.search(line):
                replies.send(lost=replies.files)


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


def serve(messages: queue.Queue[dict[str, Any]], replies: Replies) -> None:
    """Begin a run, log rows until the end, and end it."""
    wanted = messages.get()["begin"]
    offset = wanted.pop("offset")
    chosen = settings(wanted.pop("pid"), wanted.pop("seconds"))
    replies.send(secrets=[unquote(urlsplit(chosen.base_url).password or ""), chosen.api_key or ""])
    run = begin(chosen, **wanted)
    replies.files = run.settings.sync_dir
    replies.send(started=True)
    last = offset
    while "close" not in (message := messages.get()):
        if "media" in message:
            show(run, wanted["stage"], last, message["media"], replies)
            continue
        last = offset + message["step"]
        log(run, offset, message["step"], message["metrics"])
    end(run, message["close"])
    replies.send(closed=True)


def settings(pid: int, seconds: float) -> Any:
    """What W&B itself makes of its environment variables and of the files that `wandb offline`, `init`, ... write.

    Args:
        pid: of the process whose use of the machine is logged.
        seconds: after which W&B gives up by itself.
    """
    import wandb

    ours = wandb.Settings(console="off", init_timeout=seconds, x_stats_pid=pid, max_end_of_run_history_metrics=0)
    return wandb.setup(ours).settings


def begin(
    chosen: Any, stage: int, folder: str, name: str, run_id: str, config: dict[str, Any], project: str | None = None
) -> Any:
    """Start the run, or continue the one with this id.

    Args:
        chosen: settings of W&B, which win over `name`.
        project: of W&B; default: that of its settings.
        folder: where W&B keeps its files.

    Raises:
        Unusable: it is disabled, or there is no key for a server that wants one.
    """
    import wandb

    if chosen.mode == "disabled" or os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1", "yes", "on"):
        raise Unusable("W&B is disabled here, by WANDB_MODE, WANDB_DISABLED or the command 'wandb disabled'")
    try:
        run = wandb.init(
            project=project or chosen.project or "mesozoic",
            name=chosen.run_name or name,
            id=run_id,
            resume="allow",
            dir=folder,
            config=config,
        )
    except wandb.errors.UsageError as error:
        raise (Unusable(NO_KEY) if "No API key" in str(error) else error) from None
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


def show(run: Any, stage: int, step: int, media: dict[str, str], replies: Replies) -> None:
    """Log a replay page and a picture strip; that this fails is no reason to lose the run."""
    import wandb

    kinds = {"replay": lambda path: wandb.Html(Path(path), inject=False), "strip": wandb.Image}
    try:
        run.log({f"stage{stage}/{name}": kinds[name](path) for name, path in media.items()}, step=step)
    except Exception as error:
        replies.send(unseen=" ".join(str(error).split())[:300] or type(error).__name__)


def end(run: Any, outcome: str) -> None:
    """End the run: with exit code 0 if the training is over, or if the server wanted it to end."""
    if outcome == "killed":
        threading.Timer(KILLED_SECONDS, leave, (1,)).start()
    if outcome == "preempted" and not stopped_by_server(run):
        run.mark_preempting()
    elif outcome == "preempted":
        outcome = "finished"
    run.finish(exit_code=0 if outcome == "finished" else 1)


def stopped_by_server(run: Any) -> bool:
    """Whether W&B itself stopped the run, as early termination of a sweep does: it must not be begun again."""
    try:
        result = run._interface.deliver_stop_status().wait_or(timeout=STOP_ANSWER_SECONDS)
        return bool(result.response.stop_status_response.run_should_stop)
    except Exception:  # an interface of W&B's own, which may change
        return False


if __name__ == "__main__":
    main()
