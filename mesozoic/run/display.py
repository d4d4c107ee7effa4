"""What a person sees of a run: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Display:
    """Shows a stage's progress on standard error.

    Args:
        title: what is trained; total: the budget in steps; done: steps already taken.
    """

    def __init__(self, title: str, total: int, done: int = 0, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
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

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.console.print(line, soft_wrap=True, markup=False)

    def phase(self, name: str) -> None:
        self._progress.update(self._task, phase=name)

    def trained(self, step: int, metrics: Mapping[str, float], steps_per_second: float) -> None:
        """Move the bar."""
        speed = f"{steps_per_second:,.0f} steps/s" if steps_per_second else ""
        self._progress.update(self._task, completed=step, speed=speed)
        if "rollout/episode_length" in metrics:
            self._progress.update(self._task, length=f"episode {metrics['rollout/episode_length']:.0f}")
