"""Carries what the training loop reports to disk, to the sinks and to the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mesozoic.curriculum.gate import Verdict
from mesozoic.evaluate.episodes import Summary
from mesozoic.learn.policy import Policy
from mesozoic.run.checkpoint import save_checkpoint
from mesozoic.run.display import Display
from mesozoic.run.folder import StageFolder, save_policy
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.sinks import Sink


class RunRecorder:
    """The `Recorder` of a run on disk.

    Attributes:
        seconds: wall time by phase, over all resumed parts of the run.
        trained_steps: steps taken in phase "training" (compilation apart).
    """

    def __init__(
        self,
        folder: StageFolder,
        sinks: Sequence[Sink],
        display: Display,
        interrupts: Interrupts,
        state: Callable[[], dict[str, Any]],
        manifest: dict[str, Any],
    ) -> None:
        self._folder, self._sinks, self._display = folder, sinks, display
        self._interrupts, self._state, self._manifest = interrupts, state, manifest
        self.seconds: dict[str, float] = {}
        self.trained_steps = 0
        self._phase, self._since = "starting", time.monotonic()
        self._last_step: int | None = None

    def state(self) -> dict[str, Any]:
        return {"seconds": dict(self.seconds), "trained_steps": self.trained_steps}

    def set_state(self, state: dict[str, Any], step: int) -> None:
        self.seconds, self.trained_steps = dict(state["seconds"]), int(state["trained_steps"])
        self._last_step = step

    @property
    def steps_per_second(self) -> float:
        """Training speed, without compilation, evaluation and saving."""
        seconds = self.seconds.get("training", 0.0)
        return self.trained_steps / seconds if seconds > 0 else 0.0

    def phase(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = name, now
        self._display.phase(name)

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        if self._phase == "training":
            self.trained_steps += step - (self._last_step or 0)
        self._last_step = step
        self.phase(self._phase)  # books the time so far
        self._display.trained(step, metrics, self.steps_per_second)
        named = {f"stage{self._folder.stage}/{name}": value for name, value in metrics.items()}
        if self.steps_per_second:
            named[f"stage{self._folder.stage}/time/steps_per_second"] = self.steps_per_second
        self._write(step, named)

    def evaluated(self, step: int, summary: Summary, verdict: Verdict, consecutive: int) -> None:
        named = {f"stage{self._folder.stage}/eval/{name}": value for name, value in summary.items()}
        named["eval/score"] = summary["score"]
        self._write(step, named)
        judged = f"gate passed, {consecutive} in a row" if verdict.passed else "; ".join(verdict.failures())
        self._display.say(
            f"{step:>11,} steps  success {summary['success']:.2f} (lower bound {summary['success_low']:.2f})"
            f"  length {summary['avg_episode_length']:.0f}  reward {summary['avg_reward']:.1f}  {judged}"
        )

    def best(self, policy: Policy) -> None:
        save_policy(self._folder.best_policy, policy)

    def checkpoint(self, step: int, progress: dict[str, Any]) -> None:
        state = {**self._state(), "progress": progress, "recorder": self.state()}
        save_checkpoint(self._folder.checkpoints, step, state, self._manifest)

    def interrupted(self) -> bool:
        return self._interrupts.received is not None

    def _write(self, step: int, metrics: Mapping[str, float]) -> None:
        for sink in self._sinks:
            sink.write(step, metrics)
