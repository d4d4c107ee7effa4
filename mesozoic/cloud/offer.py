"""What could be rented at which price, whoever rents it: a machine's kind and place, and an offer of one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

OTHER_MAKERS = re.compile(r"tpu|trainium|inferentia|gaudi|radeon|mi[0-9]", re.IGNORECASE)
"""How SkyPilot's names of accelerators begin that are no GPUs of NVIDIA."""


@dataclass(frozen=True)
class Placement:
    """What a cluster runs on; `price` is dollars per hour for all its nodes, None when there is no price for it."""

    cloud: str
    region: str
    instance_type: str
    accelerators: str
    spot: bool
    nodes: int
    price: float | None

    @property
    def gpu(self) -> str:
        """The kind of its accelerators, `A100` for example; empty if it has none."""
        return self.accelerators.partition(":")[0]

    @property
    def devices(self) -> int:
        """How many devices one of its machines has for JAX: its accelerators, or its processor."""
        return max(1, int(float(self.accelerators.partition(":")[2] or 1)))

    @property
    def has_gpu(self) -> bool:
        """Whether it has an NVIDIA GPU."""
        return bool(self.gpu) and not OTHER_MAKERS.match(self.gpu)

    def __str__(self) -> str:
        count = f"{self.nodes}x " if self.nodes > 1 else ""
        gpu = f" ({self.accelerators})" if self.accelerators else ""
        spot = " spot" if self.spot else ""
        where = f" in {self.region}" if self.region else ""
        return f"{count}{self.cloud} {self.instance_type}{gpu}{spot}{where}"


@dataclass(frozen=True)
class Offer:
    """One kind of machine in one region."""

    placement: Placement
    cores: float | None
    resources: Any = field(repr=False, compare=False)

    @property
    def price(self) -> float:
        """Dollars per hour for all nodes."""
        return self.placement.price or 0.0
