"""The local engine: trials as processes of this machine, as many side by side as it has shares.

Read `run_local` first. Several launchers may work on one sweep, on one machine or on many that share a database.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesozoic.errors import Interrupted, UserError
from mesozoic.job.stopping import Stopping
from mesozoic.sweep.engines.board import Board, best_of, described
from mesozoic.sweep.engines.shares import shares
from mesozoic.sweep.engines.storage import open_storage
from mesozoic.sweep.engines.study import Row, Study, Ticket, study_name
from mesozoic.sweep.engines.worker import Worker
from mesozoic.sweep.plan import SweepPlan
from mesozoic.sweep.sweep_folder import SweepFolder

GRACE = 120.0
"""Seconds in which trials write their checkpoints once a launcher is asked to stop."""
REFRESH = 20.0
"""Seconds between two looks for tickets of launchers that are gone."""
MOST_GENERATIONS = 3
"""Tries of a ticket whose workers were taken out."""


@dataclass(frozen=True)
class Result:
    """All tickets in the end, and the workers that were taken out."""

    rows: list[Row]
    out: int

    @property
    def complete(self) -> bool:
        """Whether nothing is left to try."""
        return all(row.over for row in self.rows)


def run_local(
    plan: SweepPlan, folder: SweepFolder, storage: str | None, name: str | None, most_failures: int, board: Board
) -> Result:
    """Work on a sweep until nothing of it is left, or no worker is.

    Args:
        storage: see `open_storage`; name: of the study, default: made of what the sweep is.
        most_failures: in a row, after which a worker is taken out.

    Raises:
        UserError: the storage cannot be used, or holds another sweep.
        Interrupted: a signal came; the trials wrote checkpoints, and the same command goes on.
    """
    study = Study(plan, open_storage(storage, folder.path), name or study_name(plan), storage)
    workers = [Worker(share) for share in shares(plan.parallel)]
    board.say(f"{len(workers)} trials side by side; files in {folder.path}")
    with Stopping(grace=GRACE) as stopping:
        board.begin()
        launcher = _Launcher(plan, folder, study, workers, most_failures, board)
        try:
            launcher.run(stopping)
        finally:
            launcher.close()
            board.end()
    if stopping.signal is not None:
        raise Interrupted(stopping.signal)
    return Result(study.rows(), len(shares(plan.parallel)) - len(launcher.workers))


class _Launcher:
    """The loop over workers.

    Attributes:
        workers: those that are not taken out.
    """

    def __init__(
        self,
        plan: SweepPlan,
        folder: SweepFolder,
        study: Study,
        workers: Sequence[Worker],
        most_failures: int,
        board: Board,
    ) -> None:
        self._plan, self._folder, self._study, self._board = plan, folder, study, board
        self._most_failures = most_failures
        self.workers = list(workers)
        self._refreshed = -REFRESH

    def run(self, stopping: Stopping) -> None:
        """Until nothing is left, no worker is, or a signal came and all trials have ended."""
        while True:
            now = time.monotonic()
            if stopping.begun:
                self._ask_or_kill(stopping.overdue)
            elif now - self._refreshed >= REFRESH:
                self._refreshed = now
                self._study.refresh()
            for worker in list(self.workers):
                self._attend(worker, stopping.begun)
            busy = [worker for worker in self.workers if worker.ticket is not None]
            if not busy and (stopping.begun or not self.workers):
                return
            rows = self._study.rows()
            if not busy and all(row.over for row in rows):
                return
            self._board.show(rows, self.workers)
            handles = [worker.handle for worker in busy if worker.handle is not None]
            if handles:
                select.select(handles, [], [], 0.5)
            else:
                time.sleep(0.5)

    def close(self) -> None:
        """Leave no process behind, however this ends."""
        for worker in self.workers:
            worker.kill()

    def _ask_or_kill(self, kill: bool) -> None:
        for worker in self.workers:
            worker.ask_to_stop()
            if kill:
                worker.kill()

    def _attend(self, worker: Worker, stopping: bool) -> None:
        """Hear what its trial says, see how it ended, and give it the next ticket."""
        ticket = worker.ticket
        if ticket is not None:
            done = worker.is_done()
            worker.hear(lambda step, value: self._study.report(ticket, step, value))
            self._study.beat(ticket)
            if done:
                self._over(worker, ticket, stopping)
        if worker.ticket is None and not stopping and worker in self.workers:
            found = self._study.take()
            if found is not None:
                worker.start(found, self._plan.trial_words(found.point), self._folder.trials(self._plan.stage))
                self._board.say(f"trial {found.id} on worker {worker.share.number}: {described(found.point)}")

    def _over(self, worker: Worker, ticket: Ticket, stopping: bool) -> None:
        crashed = worker.ended is None
        state, value, lower, why = worker.outcome()
        if crashed and not stopping:
            self._folder.note_crash(self._plan.stage, ticket.id, why)
        if state == "pre-empted" or (stopping and state == "failed"):
            self._study.hand_back(ticket)
            self._board.say(f"trial {ticket.id} stopped; it will go on from its checkpoint")
            if not stopping:
                self._failed(worker, ticket, "stopped from outside", handed_back=True)
            return
        self._study.end(ticket, state, value, why, lower)
        worth = "" if value is None else f", {self._plan.objective} {value:.4f}"
        self._board.say(f"trial {ticket.id} {state}{worth}{f' ({why})' if why else ''}")
        if state == "failed":
            self._failed(worker, ticket, why)
        else:
            worker.failures = []
            best = best_of(self._study.rows())
            if best is not None and best.id == ticket.id:
                self._board.say(f"best so far: trial {best.id}, {self._plan.objective} {best.value:.4f}")

    def _failed(self, worker: Worker, ticket: Ticket, why: str, handed_back: bool = False) -> None:
        """Count a failure; too many in a row take the worker out, and its points run elsewhere."""
        worker.failures.append(ticket)
        if len(worker.failures) < self._most_failures:
            return
        self.workers.remove(worker)
        again = [one for one in worker.failures if one.generation + 1 < MOST_GENERATIONS] if self.workers else []
        for one in again:
            if not (handed_back and one is ticket):
                self._study.once_more(one)
        ids = ", ".join(one.id for one in again)
        then = f"; {ids} will run elsewhere" if again else ""
        count = f"{len(worker.failures)} failures in a row"
        self._board.say(f"worker {worker.share.number} is taken out after {count}, the last: {why}{then}")


def refuse_incomplete(result: Result, folder: Path) -> None:
    """Say it where a sweep could not be brought to its end.

    Raises:
        UserError: no trial ran to its end, or some are left to try.
    """
    left = sum(not row.over for row in result.rows)
    if left:
        raise UserError(
            f"{left} of {len(result.rows)} trials are left, but no worker is; see {folder}/stage*/*/log.txt, mend what"
            " is wrong there, and run the same command to go on"
        )
    if not any(row.value is not None for row in result.rows):
        why = next((row.why for row in result.rows if row.why), "")
        raise UserError(f"all {len(result.rows)} trials failed, the first because: {why}")
