"""What tests of rented sweeps ask for, and the recorded machines that they get."""

from __future__ import annotations

from typing import Any

from fake_sky import A100, FakeSky

from mesozoic.cloud.sky.client import Cluster
from mesozoic.cloud.sky.sweep_plan import RentedSweepRequest


def request(**changes: Any) -> RentedSweepRequest:
    return RentedSweepRequest(
        **{"gpus": "A100:8", "infra": "lambda", "yes": True, "name": "mesozoic-sweep-1", **changes}
    )


class Machines(FakeSky):
    """Recorded machines with GPUs that their handle names; `on_agent` is called before each agent is submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.placed = A100
        self.on_agent: Any = lambda: None

    def cluster(self, name: str, state: str = "UP", **more: Any) -> Cluster:  # type: ignore[override]
        class Handle:
            class launched_resources:  # noqa: N801
                accelerators = {"A100": 8}  # noqa: RUF012
                cloud = "Lambda"

        return super().cluster(name, state, handle=Handle())

    def execute(self, task: Any, name: str) -> int | None:
        self.on_agent()
        return super().execute(task, name)
