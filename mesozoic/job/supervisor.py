"""Watches the training process: passes signals on, ends what hangs, tells how far it is, and makes the exit code.

It is a process of its own because the other one may crash, run out of memory, or hang where no Python runs any more.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mesozoic.job.environment import Job
from mesozoic.job.events import Watched
from mesozoic.job.exit_codes import AGAIN, BAD_INPUT, HOPELESS, exit_code
from mesozoic.job.processes import code_of, die_with_parent
from mesozoic.job.record import FILE, Record, read_record, write_record
from mesozoic.job.stopping import GRACE, Stopping
from mesozoic.run.machines.line import LOST

ABORTED = 128 + signal.SIGABRT


@dataclass(frozen=True)
class Limits:
    """Seconds of patience.

    Attributes:
        grace: from a request to stop, or from the end of MAX_HOURS, to the kill.
        silence: without any sign of progress until a training counts as hung. Compiling, one iteration and one
            evaluation each take minutes at most.
        last_words: for a hung training to say where it hangs, until it is killed.
        heartbeat: between two lines that say how far training is.
        linger: for which a machine that is not the job's first one stays after a failure. A service ends all machines
            as soon as one has failed, and the first one is to say how the job ended.
    """

    grace: float = GRACE
    silence: float = 3600.0
    last_words: float = 10.0
    heartbeat: float = 60.0
    linger: float = 30.0


class Supervisor:
    """Runs one training process to its end.

    Args:
        command: of the training process; `--events FD` and `--left SECONDS` are added.
        say: takes lines for a person.
    """

    def __init__(
        self,
        job: Job,
        command: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        limits: Limits | None = None,
    ) -> None:
        self._job, self._command, self._environment = job, command, environment
        self._say, self._limits = say, limits or Limits()
        self._record = read_record(job.run, job.job_id)
        self._earlier = self._record.seconds
        self._began = time.monotonic()
        self._stopping = Stopping(self._hand_on, self._limits.grace)
        self._begun = self._hung = False
        self._child: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Start it, wait for its end, and return the exit code of the job."""
        left = self._left()
        if left is not None and left <= 0:
            code, why = exit_code(AGAIN, None, True, self._job.moves)
            self._say(f"MAX_HOURS is {self._job.max_hours:g}, and this job has used {_clock(self._earlier)} already")
            self._say(why)
            return code
        if self._record.hopeless(self._job.moves):
            self._say(f"this job has failed for good already: {self._record.why or 'see its first log'}")
            return self._record.exit_code or BAD_INPUT
        self._record.state, self._record.exit_code, self._record.why = "running", None, ""
        with self._stopping:
            reading, writing = os.pipe()
            watched = Watched(reading)
            words = [*self._command, "--events", str(writing)]
            words += [] if left is None else ["--left", f"{left:.3f}"]
            self._child = subprocess.Popen(
                words,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                pass_fds=(writing,),
                # Whoever signals the whole group means this process, which passes the signal on once.
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, signal.SIGKILL),
            )
            os.close(writing)
            if self._stopping.signal is not None:  # it came before there was anyone to hand it to
                self._child.send_signal(self._stopping.signal)
            return self._end(self._wait(self._child, watched), watched)

    def _wait(self, child: subprocess.Popen[bytes], watched: Watched) -> int:
        beat = self._began + self._limits.heartbeat
        while True:
            ended = child.poll()
            if watched.handle is None:
                time.sleep(0.0 if ended is not None else 0.2)
            elif ended is None:
                select.select([watched.handle], [], [], 0.5)
            watched.read()
            self._note(watched)
            if ended is not None:
                watched.close()
                return code_of(ended)
            now = time.monotonic()
            if now >= beat:
                beat = now + self._limits.heartbeat
                self._say(self._progress(watched))
                self._write()
            left = self._left()
            if left is not None and left <= 0:
                self._stopping.time_is_over()  # it knows of its limit itself
            self._stopping.kill_if_due(child, self._say)
            if now - watched.heard > self._limits.silence:
                self._say(f"no sign of progress for {self._limits.silence:.0f} s; ending it")
                child.send_signal(signal.SIGKILL if self._hung else signal.SIGABRT)  # the latter makes it say where
                self._hung, watched.heard = True, now - self._limits.silence + self._limits.last_words

    def _end(self, trained: int, watched: Watched) -> int:
        if not self._job.leads:
            return self._end_following(trained)
        if self._job.hosts is not None and trained == ABORTED and not self._hung:
            self._say("JAX ended the training, as it does when another machine is gone")
            trained = LOST
        time_over = self._is_over() and trained not in (0, BAD_INPUT)
        crashed = trained not in (0, AGAIN, *HOPELESS) and not time_over and self._stopping.signal is None
        if crashed:
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            self._record.crashes.append(f"exit code {trained} at {stamp}")
        code, why = exit_code(trained, self._stopping.signal, time_over, self._job.moves, len(self._record.crashes))
        # Before its first word a training may be bad input, or in somebody else's folder: those leave no trace. A crash
        # that early is still counted, where a service would run the job again and again.
        if trained == 0 or (self._job.job_id and trained != BAD_INPUT):
            self._begun = True
        stopped = time_over or self._stopping.signal is not None or trained in (AGAIN, LOST)
        self._record.state = "finished" if trained == 0 else "stopped" if stopped else "failed"
        self._record.exit_code, self._record.why = code, why
        self._record.stages, self._record.warnings = watched.stages, watched.warnings
        self._write()
        if why:
            self._say(why)
        if self._begun:
            self._say(f"files in {self._job.run}, how it went in {self._job.run / FILE}")
        return code

    def _end_following(self, trained: int) -> int:
        """The exit code of a machine that is not the first; it leaves no trace, and asks for nothing."""
        if trained in (0, BAD_INPUT):
            return trained
        name = "" if self._stopping.signal is None else signal.Signals(self._stopping.signal).name
        why = f"stopped by {name}" if name else f"ended with exit code {trained}"
        self._say(f"{why}; how the job ended is for its first machine to say")
        time.sleep(self._limits.linger)
        return LOST if self._stopping.signal is None else 128 + self._stopping.signal

    def _note(self, watched: Watched) -> None:
        """The first word from the training means that the run folder is this job's."""
        if watched.facts and not self._begun:
            self._begun = True
            self._write()
        self._record.warnings = watched.warnings

    def _write(self) -> None:
        if self._begun and self._job.leads:
            self._record.seconds = self._earlier + time.monotonic() - self._began
            with contextlib.suppress(OSError):  # a full disk is for the training to report
                write_record(self._job.run, self._record)

    def _left(self) -> float | None:
        """Seconds until MAX_HOURS are over, counting those of this job's earlier machines."""
        if self._job.max_hours is None:
            return None
        return 3600.0 * self._job.max_hours - self._earlier - (time.monotonic() - self._began)

    def _is_over(self) -> bool:
        left = self._left()
        return left is not None and left <= 0

    def _progress(self, watched: Watched) -> str:
        facts = watched.facts
        words = [str(facts["title"])] if "title" in facts else []
        words.append(str(facts.get("phase", "starting")))
        if "step" in facts:
            words.append(f"{facts['step']:,} of {facts.get('budget', 0):,} steps")
        if facts.get("speed"):
            words.append(f"{facts['speed']:,.0f} steps/s")
        left = self._left()
        used = _clock(self._earlier + time.monotonic() - self._began)
        words.append(used if left is None else f"{used}, {_clock(max(left, 0))} left")
        return ", ".join(words)

    def _hand_on(self, number: int) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


def training_command(job: Job) -> list[str]:
    """The training process; its run folder is there for whoever looks at the list of processes."""
    return [sys.executable, "-X", "faulthandler", "-m", "mesozoic.job.training", str(job.run)]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


__all__ = ["Limits", "Record", "Supervisor", "training_command"]
