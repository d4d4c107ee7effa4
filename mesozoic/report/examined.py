"""A stage of a run together with what its policy does now, on unseen episodes and in other worlds."""

from __future__ import annotations

from dataclasses import dataclass

from mesozoic.evaluation.robustness import Row
from mesozoic.rendering.recording import Recording
from mesozoic.report.runs import StageRun
from mesozoic.run.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Examined:
    """A stage of a run with what its policy does on unseen episodes; None where it has none yet.

    Attributes:
        recordings: of the episodes of `found`; robustness: rows of `measure_robustness`, empty if it was left out.
    """

    run: StageRun
    found: Evaluation | None
    recordings: list[Recording]
    robustness: list[Row]

    @property
    def name(self) -> str:
        seed = self.run.seed
        return self.run.name if seed is None or f"s{seed}" in self.run.name else f"{self.run.name} (seed {seed})"
