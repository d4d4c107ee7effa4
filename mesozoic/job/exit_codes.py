"""What the exit code of a job says to the service that runs it.

0: trained to its end. 2: bad input, or a disk that is full or read-only; again would end the same way.
75: stopped with a checkpoint, because MAX_HOURS is over or a machine is taken away; run it again to go on.
128 + signal: stopped by that signal, with a checkpoint if it was SIGTERM, SIGINT or SIGHUP. Else: it crashed.

Where the service itself moves jobs (`JOB_MOVES` is set), 75 is what makes it rent another machine. There a machine that
is taken away and a few crashes end with 75, and MAX_HOURS, which limits what is paid for, ends with 143.

Of a job on several machines only the first one ever ends with 75: it decides whether the job is worth another try. The
others end with what it ended with if that is 0 or 2, with 128 + signal if they got one themselves, else with 69.
"""

from __future__ import annotations

import signal

from mesozoic.run.machines.line import LOST

BAD_INPUT = 2
AGAIN = 75
STOPPED = 128 + signal.SIGTERM
HOPELESS = (BAD_INPUT, 128 + signal.SIGKILL)
"""Ends of a training that no other machine changes: bad input, and too little memory."""


def exit_code(
    trained: int, stopped_by: int | None, time_over: bool, moves: int | None = None, crashes: int = 0
) -> tuple[int, str]:
    """The job's exit code, and one sentence that says why, empty where the training has said it.

    Args:
        trained: exit code of the training process.
        stopped_by: signal that came from outside.
        time_over: MAX_HOURS ended it.
        moves: how many crashes may be answered with another machine; None where the service does not move jobs.
        crashes: how often this job has crashed, this time included.
    """
    if trained in (0, BAD_INPUT):
        return trained, ""
    if time_over:
        code = AGAIN if moves is None else STOPPED
        return code, "stopped because MAX_HOURS is over; the same command goes on from its checkpoint"
    if stopped_by is not None:
        name = signal.Signals(stopped_by).name
        if moves is None:
            return 128 + stopped_by, f"stopped by {name}; the same command goes on from its checkpoint"
        return AGAIN, f"stopped by {name} from outside; asking for another machine"
    if trained == LOST and moves is None:
        return AGAIN, "another machine of this job is gone; the same command goes on from the last checkpoint"
    if moves is None or trained in (AGAIN, *HOPELESS):
        return trained, ""
    if crashes <= moves:
        return AGAIN, f"crashed with exit code {trained}; asking for another machine ({crashes} of {moves})"
    return trained, f"crashed with exit code {trained}, {crashes} times by now; giving up"
