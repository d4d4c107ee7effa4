"""Carries what the training loop reports to disk, to the sinks and to the reporter."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from mesozoic.curricula.gate import Verdict
from mesozoic.curricula.loop import Stop
from mesozoic.evaluation.episodes import Summary
from mesozoic.files import write_bytes
from mesozoic.learn.learner import State
from mesozoic.learn.policy import Policy
from mesozoic.run.checkpoint import Checkpoints
from mesozoic.run.display import Reporter
from mesozoic.run.folder import StageFolder, policy_files, policy_names, save_files
from mesozoic.run.sinks.guard import Guard
from mesozoic.run.stop import Stops


class RunRecorder:
    """The `Recorder` of a run on disk, and a part of its checkpoints.

    Attributes:
        sinks: where metrics go.
        seconds: wall time by phase, over all resumed parts of the run.
        trained_steps: steps taken in phase "training" (compilation apart).
    """

    def __init__(self, folder: StageFolder, reporter: Reporter, stops: Stops, checkpoints: Checkpoints) -> None:
        self._folder, self._reporter, self._stops, self._checkpoints = folder, reporter, stops, checkpoints
        self.sinks: Sequence[Guard] = ()
        self.seconds: dict[str, float] = {}
        self.trained_steps = 0
        self._phase, self._since = "starting", time.monotonic()
        self._last_step = 0
        self._best: dict[str, bytes] = {}

    def state(self) -> State:
        facts = {"seconds": dict(self.seconds), "trained_steps": self.trained_steps, "last_step": self._last_step}
        return {**facts, "best": dict(self._best)}

    def set_state(self, state: State) -> None:
        """Go on; the best policy of that time is put back as it was."""
        self.seconds, self.trained_steps = dict(state["seconds"]), int(state["trained_steps"])
        self._last_step = int(state["last_step"])
        self._best = {str(name): bytes(content) for name, content in state["best"].items()}
        best = self._folder.best_policy
        if self._best.keys() - set(policy_names(best.stem)):
            raise ValueError(f"it holds files of other names than {best.name}")
        for old in self._folder.models.glob(f"{best.stem}*"):
            if old.name not in self._best:
                old.unlink()
        save_files(self._folder.models, self._best)

    @property
    def steps_per_second(self) -> float:
        """Training speed, without compilation, evaluation and saving."""
        seconds = self.seconds.get("training", 0.0)
        return self.trained_steps / seconds if seconds > 0 else 0.0

    def phase(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = name, now
        self._reporter.phase(name)

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._phase == "training":
            self.trained_steps += step - self._last_step
        self._last_step = step
        self.phase(self._phase)  # books the time so far
        self._reporter.trained(step, metrics, self.steps_per_second)
        named = {f"stage{self._folder.stage}/{name}": value for name, value in metrics.items()}
        if self.steps_per_second:
            named[f"stage{self._folder.stage}/time/steps_per_second"] = self.steps_per_second
        self._write(step, named)

    def evaluated(self, step: int, summary: Summary, verdict: Verdict, consecutive: int) -> None:
        self._stops.evaluated(step, summary)
        named = {f"stage{self._folder.stage}/eval/{name}": value for name, value in summary.items()}
        named["eval/score"] = summary["score"]
        self._write(step, named)
        judged = f"gate passed, {consecutive} in a row" if verdict.passed else "; ".join(verdict.failures())
        self._reporter.say(
            f"{step:>11,} steps  success {summary['success']:.2f} (lower bound {summary['success_low']:.2f})"
            f"  length {summary['avg_episode_length']:.0f}  reward {summary['avg_reward']:.1f}  {judged}"
        )

    def certified(self, step: int, summary: Summary, verdict: Verdict) -> None:
        figures = {**summary, "passed": float(verdict.passed)}
        self._write(step, {f"stage{self._folder.stage}/certification/{name}": v for name, v in figures.items()})
        judged = "confirmed" if verdict.passed else f"NOT confirmed, training goes on: {'; '.join(verdict.failures())}"
        self._reporter.say(
            f"{step:>11,} steps  certification on fresh episodes: success {summary['success']:.2f}"
            f" (lower bound {summary['success_low']:.2f})  {judged}"
        )

    def best(self, policy: Policy) -> None:
        self._best = policy_files(self._folder.best_policy.name, policy)
        save_files(self._folder.models, self._best)

    def checkpoint(self, step: int, policy: Policy) -> None:
        for sink in self.sinks:
            sink.flush()  # a resumed run writes what comes after this step
        self._checkpoints.save(step)
        write_bytes(self._folder.newest_policy, policy.to_bytes())

    def stop(self) -> Stop | None:
        return self._stops.now()

    def _write(self, step: int, metrics: Mapping[str, float]) -> None:
        for sink in self.sinks:
            sink.write(step, metrics)
