"""The machines of Vertex AI: short names of accelerators, which machine each can be in, and what an hour costs.

Prices are those of `prices.toml`, which is dated and says where each is from: they are estimates. A machine that is not
in it has no price.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mesozoic.cloud.offer import Placement
from mesozoic.errors import UserError, did_you_mean, shown

TABLE = Path(__file__).with_name("prices.toml")
CLOUD = "vertex"
"""What placements of Vertex AI have as their cloud."""
DEFAULT = "n1-standard-8"
MACHINE_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){1,3}")


@dataclass(frozen=True)
class Accelerator:
    """A kind of GPU.

    Attributes:
        name: the short one; full: the service's.
        families: how the names of machines begin that it can be in.
        machine: the one that is taken where none is named.
        quota: what the service calls it in the names of its quotas.
    """

    name: str
    full: str
    families: tuple[str, ...]
    machine: str
    quota: str


ACCELERATORS = (
    Accelerator("T4", "NVIDIA_TESLA_T4", ("n1-",), "n1-standard-8", "t4"),
    Accelerator("P100", "NVIDIA_TESLA_P100", ("n1-",), "n1-standard-8", "p100"),
    Accelerator("V100", "NVIDIA_TESLA_V100", ("n1-",), "n1-standard-8", "v100"),
    Accelerator("L4", "NVIDIA_L4", ("g2-",), "g2-standard-8", "l4"),
    Accelerator("A100", "NVIDIA_TESLA_A100", ("a2-highgpu-", "a2-megagpu-"), "a2-highgpu-1g", "a100"),
    Accelerator("A100-80GB", "NVIDIA_A100_80GB", ("a2-ultragpu-",), "a2-ultragpu-1g", "a100_80gb"),
    Accelerator("H100", "NVIDIA_H100_80GB", ("a3-highgpu-",), "a3-highgpu-1g", "h100"),
)
NONE = ("none", "cpu", "")


@dataclass(frozen=True)
class Machine:
    """A machine to train on: its type and, if it has one, its accelerators.

    Attributes:
        count: how many accelerators; 0 without one.
        price: dollars an hour in the region of the table, without spot; None where it is not in there.
    """

    type: str
    accelerator: Accelerator | None
    count: int
    price: float | None

    @property
    def spec(self) -> dict[str, Any]:
        """JSON of the service's `MachineSpec`."""
        found: dict[str, Any] = {"machineType": self.type}
        if self.accelerator is not None:
            found |= {"acceleratorType": self.accelerator.full, "acceleratorCount": self.count}
        return found

    def placement(self, region: str, spot: bool) -> Placement:
        """The machine in a region, as price lines, limits and checks take it. A spot machine costs this at most."""
        gpus = f"{self.accelerator.name}:{self.count}" if self.accelerator else ""
        table = _prices()
        dearer = 1.0 if region == table["region"] else float(table["elsewhere"])
        return Placement(CLOUD, region, self.type, gpus, spot, 1, None if self.price is None else dearer * self.price)


def read_machine(machine: str | None, accelerator: str | None) -> Machine:
    """The machine that a user names: `T4`, `A100:2`, `NVIDIA_L4`, `None`; and `n1-standard-8`, ...

    Args:
        machine: its type; default: the usual one with that accelerator.
        accelerator: its kind and number; default: what the machine has of its own, else none.

    Raises:
        UserError: there is no such accelerator, or it is in other machines.
    """
    if machine is not None and not MACHINE_NAME.fullmatch(machine):
        raise UserError(f"--machine-type '{shown(machine)}' is no machine type; give for example {DEFAULT}")
    own = str(_prices()["machine"].get(machine or "", {}).get("gpu", ""))
    kind, count = _accelerator(accelerator if accelerator is not None else own)
    if kind is None:
        if own or (machine or "").startswith(("g2-", "a2-", "a3-")):
            raise UserError(f"{machine} always has a GPU; leave --accelerator out, or take --machine-type {DEFAULT}")
        chosen = machine or DEFAULT
        return Machine(chosen, None, 0, _price(chosen, None, 0))
    chosen = machine or kind.machine
    if not chosen.startswith(kind.families):
        raise UserError(
            f"{kind.name} is not in {chosen}; give --machine-type {kind.machine}, or leave --machine-type out"
        )
    its = str(_prices()["machine"].get(chosen, {}).get("gpu", ""))
    if its and its != f"{kind.name}:{count}":
        raise UserError(f"{chosen} has {its}, not {kind.name}:{count}; give --accelerator {its}, or another machine")
    return Machine(chosen, kind, count, _price(chosen, kind, count))


def price_source(region: str) -> str:
    """Where the prices for a region are from and how old they are, in words."""
    table = _prices()
    times = "" if region == table["region"] else f" times {table['elsewhere']:g} for {region}"
    return (
        f"an estimate: prices of {table['region']}{times}, written down {table['date']} and held against no bill;"
        " mesozoic/cloud/vertex/prices.toml says where each is from"
    )


def _accelerator(text: str) -> tuple[Accelerator | None, int]:
    name, _, number = text.strip().partition(":")
    if name.lower() in NONE and not number:
        return None, 0
    if not re.fullmatch(r"[1-9][0-9]?|", number) or text.strip().endswith(":"):
        raise UserError(f"--accelerator '{shown(text)}' is not NAME[:N]; give for example --accelerator T4:1, or None")
    for one in ACCELERATORS:
        if name.upper() in (one.name, one.full):
            return one, int(number or 1)
    known = [one.name for one in ACCELERATORS]
    raise UserError(
        f"unknown --accelerator '{shown(name)}'{did_you_mean(name.upper(), known)} (known: {', '.join(known)}, None)"
    )


def _price(machine: str, kind: Accelerator | None, count: int) -> float | None:
    table = _prices()
    row = table["machine"].get(machine)
    if row is None:
        return None
    if kind is None or row.get("gpu"):
        return float(row["price"])
    extra = table["accelerator"].get(kind.name)
    return None if extra is None else float(row["price"]) + count * float(extra["price"])


@cache
def _prices() -> dict[str, Any]:
    with TABLE.open("rb") as file:
        return tomllib.load(file)
