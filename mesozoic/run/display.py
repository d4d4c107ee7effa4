"""What a person sees of a run: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mesozoic.run.unheard import unheard


class Reporter(Protocol):
    """Tells somebody how a training goes."""

    def begin(self, title: str, total: int, done: int) -> None:
        """A stage begins: what is trained, its budget in steps, steps already taken."""

    def end(self) -> None:
        """The stage is over, for now or for good."""

    def say(self, line: str) -> None:
        """Something worth a line of text."""

    def phase(self, name: str) -> None:
        """What happens next: compiling, training, evaluating, saving."""

    def trained(self, step: int, metrics: Mapping[str, float], steps_per_second: float) -> None:
        """Some training was done."""


class Quiet(Reporter):
    """Tells nobody anything."""


class Display(Reporter):
    """Shows the progress of stages on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def begin(self, title: str, total: int, done: int) -> None:
        """Show the bar."""
        self.end()
        self._progress = Progress(
            TextColumn("{task.description}"),
            TextColumn("[cyan]{task.fields[phase]:<10}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f} steps"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[length]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, completed=done, phase="starting", speed="", length="")
        with unheard():
            self._progress.start()

    def end(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            with unheard():
                self._progress.stop()
            self._progress = None

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        with unheard():
            self.console.print(line, soft_wrap=True, markup=False)

    def phase(self, name: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, phase=name)

    def trained(self, step: int, metrics: Mapping[str, float], steps_per_second: float) -> None:
        """Move the bar."""
        if self._progress is None:
            return
        speed = f"{steps_per_second:,.0f} steps/s" if steps_per_second else ""
        self._progress.update(self._task, completed=step, speed=speed)
        if "rollout/episode_length" in metrics:
            self._progress.update(self._task, length=f"episode {metrics['rollout/episode_length']:.0f}")
