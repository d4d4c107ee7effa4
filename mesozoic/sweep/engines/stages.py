"""The engines whose trials run on this machine, for a sweep of all stages: local, and W&B with its agents here.

Trials lie in a folder of this machine. With a bucket, what wins is copied there, so that another machine can go on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mesozoic.errors import Interrupted, Stopped, UserError
from mesozoic.files import read_bytes, write_bytes
from mesozoic.files.remote import Remote
from mesozoic.sweep.best import best_trial
from mesozoic.sweep.chain import Best
from mesozoic.sweep.chain_state import Job
from mesozoic.sweep.engines.agents import run_agents
from mesozoic.sweep.engines.board import Board
from mesozoic.sweep.engines.local import refuse_incomplete, run_local
from mesozoic.sweep.engines.wandb import wandb_config
from mesozoic.sweep.handed_on import LARGEST, hand_on, policy_name
from mesozoic.sweep.plan import SweepPlan
from mesozoic.sweep.results import collect, write_table
from mesozoic.sweep.sweep_folder import SweepFolder
from mesozoic.sweep.trial_record import FILE as TRIAL_FILE
from mesozoic.sweep.wandb_account import project_and_entity, wandb_key
from mesozoic.sweep.wandb_sweep import Sweep, create_sweep, sweep_facts

STOPPED = 128 + 15


class _InFolder:
    """Stages whose trials lie in `folder`."""

    def __init__(self, folder: SweepFolder, remote: Remote | None, most_failures: int) -> None:
        self.folder, self._remote, self._most_failures = folder, remote, most_failures

    def has(self, policy: str) -> bool:
        """Whether a policy is in the folder; one that is in the bucket only is brought here."""
        path = self.place(policy)
        if path.is_file():
            return True
        data = None if self._remote is None else self._remote.read(policy, LARGEST)
        if data is None:
            return False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, data)
        except OSError as error:
            raise UserError(f"cannot write {path} ({error.strerror}); give another --output-dir") from None
        return True

    def place(self, policy: str) -> Path:
        return self.folder.path / policy

    def _board(self, plan: SweepPlan) -> Board:
        board = Board(f"{plan.spec.species} stage {plan.stage}", plan.budget * plan.seeds)
        for note in plan.notes:
            board.say(note)
        return board

    def _best(self, plan: SweepPlan) -> Best:
        stage, name, record, _ = best_trial(self.folder, plan.stage)
        assert record.value is not None
        trial, policy = self.folder.trials(stage) / name, policy_name(stage, name)
        if not self.place(policy).is_file():  # of an earlier version, whose trials handed nothing on
            hand_on(trial, stage, record)
        table = f"_stage{stage}_results.csv"
        write_table(collect(str(self.folder.path), [stage]), self.folder.path / table)
        if self._remote is not None:
            for file in (policy, f"stage{stage}/{name}/{TRIAL_FILE}", table):
                self._remote.write(file, read_bytes(self.folder.path / file, LARGEST))
        return Best(name, record.state, record.value, record.point)


class LocalStages(_InFolder):
    """On the local engine; see `run_local`."""

    def __init__(
        self, folder: SweepFolder, remote: Remote | None = None, most_failures: int = 3, storage: str | None = None
    ) -> None:
        super().__init__(folder, remote, most_failures)
        self._storage = storage

    def sweep(self, plan: SweepPlan, job: Job, note: Callable[[Job], None]) -> Best:
        """Work on a stage; what is known of it lies in the storage."""
        self.folder.begin(plan.stage, plan.identity())
        found = run_local(plan, self.folder, self._storage, None, self._most_failures, self._board(plan))
        refuse_incomplete(found, self.folder.path)
        return self._best(plan)


class WandbStages(_InFolder):
    """A sweep on W&B for each stage, whose agents run on this machine.

    Args:
        parallel: agents side by side where the plan does not say it; None: one for each GPU, else for every two cores.

    Raises:
        UserError: there is no key for W&B.
    """

    def __init__(
        self, folder: SweepFolder, remote: Remote | None = None, most_failures: int = 3, parallel: int | None = None
    ) -> None:
        super().__init__(folder, remote, most_failures)
        self._parallel = parallel
        key = wandb_key()
        if key is None:
            raise UserError("a sweep of W&B needs a key; type 'wandb login', or give --engine local")
        self._key = key

    def sweep(self, plan: SweepPlan, job: Job, note: Callable[[Job], None]) -> Best:
        """Create the sweep of a stage, or go on with the one that `job` names, and run agents until it is over."""
        board = self._board(plan)
        config = wandb_config(plan)
        self.folder.begin(plan.stage, plan.identity())
        if job.get("sweep"):
            entity, project, number = str(job["sweep"]).split("/")
            sweep = Sweep(number, entity, project, "")
            board.say(f"going on with sweep {sweep.path}")
        else:
            sweep = create_sweep(config, self._key, *project_and_entity())
            note({"sweep": sweep.path})
            board.say(f"sweep {sweep.path} created: {sweep.url}")
        trials = self.folder.trials(plan.stage)
        parallel = plan.parallel or self._parallel
        code = run_agents(sweep.path, parallel, None, self._most_failures, trials, board.say, flat=True)
        if code == STOPPED:
            raise Interrupted(STOPPED - 128)
        facts = sweep_facts(sweep, self._key)
        left = [run for run, state in facts.runs.items() if state in ("pending", "running", "preempting", "preempted")]
        if facts.state not in ("FINISHED", "CANCELED") or left:
            raise Stopped(
                f"sweep {sweep.path} is {facts.state.lower()} with {len(facts.runs)} of {plan.trials} runs, and its"
                " agents here have ended; see what they said above, and run the same command to go on"
            )
        return self._best(plan)
