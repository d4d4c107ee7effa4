"""The portable policy: a zip of `policy.json` and `.npy` arrays that NumPy alone can run.

Evaluation, rendering and export all start from this file, whichever learner wrote it. The bytes
depend on the contents only, so equal policies are equal files.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError, shown, written
from mesozoic.files import cause, parse_json, read_members
from mesozoic.learn.normaliser import normalise

FORMAT = "mesozoic-policy"
VERSION = 1
META = "policy.json"
SPECIES = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What the name of a species and of an observation block may be."""
WIDEST = 1_000_000
"""Values of an observation block."""
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
OUTPUTS: dict[str, Callable[[Any], Any]] = {"clip": lambda x: np.clip(x, -1.0, 1.0), "tanh": np.tanh}
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Policy:
    """An actor with its observation normaliser; acts with the mean of its distribution.

    Attributes:
        species, stage: what it was trained for.
        layout: observation blocks `[name, size]` in order.
        activation: hidden activation, a key of `ACTIVATIONS`.
        arrays: float arrays by name: `norm/mean`, `norm/std` [nobs]; `actor/0/kernel` [in, out],
            `actor/0/bias` [out] and so on; whatever a learner adds to warm-start from (the critic).
        info: facts about the training, JSON.
        output: what turns the last layer into actions, a key of `OUTPUTS`.
        members: further files inside the zip, for other readers of it (a native archive of the learner).
        sidecars: files that go beside it, by the end of their names.
    """

    species: str
    stage: int
    layout: tuple[tuple[str, int], ...]
    activation: str
    arrays: dict[str, NDArray[Any]]
    info: dict[str, Any] = field(default_factory=dict)
    output: str = "clip"
    members: dict[str, bytes] = field(default_factory=dict)
    sidecars: dict[str, bytes] = field(default_factory=dict)

    @property
    def observation_size(self) -> int:
        return sum(size for _, size in self.layout)

    @property
    def layers(self) -> int:
        """Number of affine maps of the actor."""
        return sum(name.startswith("actor/") and name.endswith("/kernel") for name in self.arrays)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Hidden layer widths of the actor."""
        return tuple(int(self.arrays[f"actor/{i}/bias"].shape[0]) for i in range(self.layers - 1))

    @property
    def finite(self) -> bool:
        """Whether every weight is a number; only such a policy may be saved, loaded or passed on."""
        return all(np.isfinite(array).all() for array in self.arrays.values() if array.dtype.kind == "f")

    @property
    def action_size(self) -> int:
        return int(self.arrays[f"actor/{self.layers - 1}/bias"].shape[0])

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean actions in [-1, 1] for observations [n, nobs]."""
        x = normalise(np, observation, self.arrays["norm/mean"], self.arrays["norm/std"])
        for i in range(self.layers):
            x = x @ self.arrays[f"actor/{i}/kernel"] + self.arrays[f"actor/{i}/bias"]
            if i < self.layers - 1:
                x = ACTIVATIONS[self.activation](x)
        return OUTPUTS[self.output](x).astype(np.float32)

    def to_bytes(self) -> bytes:
        """The file's contents; equal policies give equal bytes."""
        meta = {
            "format": FORMAT,
            "version": VERSION,
            "species": self.species,
            "stage": self.stage,
            "layout": [list(block) for block in self.layout],
            "activation": self.activation,
            "output": self.output,
            "info": self.info,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(META, EPOCH), json.dumps(meta, indent=1, sort_keys=True))
            for name in sorted(self.arrays):
                data = io.BytesIO()
                np.lib.format.write_array(data, np.asarray(self.arrays[name], order="C"), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH), data.getvalue())
            for name, content in sorted(self.members.items()):
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
        return buffer.getvalue()


def load_policy(path: Path) -> Policy:
    """Read a portable policy.

    Raises:
        UserError: the file is missing, damaged, or not a policy of this format.
    """
    place = shown(str(path), 120)
    try:
        members = read_members(path, lambda name: name == META or name.endswith(".npy"))
    except FileNotFoundError:
        raise UserError(f"no policy file {place}; give a run folder or a models/*.zip of one") from None
    except IsADirectoryError:
        raise UserError(f"{place} is a folder, not a policy file; give a models/*.zip of a run") from None
    except (OSError, ValueError, MemoryError) as error:
        raise UserError(f"{place} is not a readable policy ({cause(error)}); use another copy") from None
    if META not in members:
        raise UserError(f"{place} is a zip but no mesozoic policy; give a models/*.zip of a run")
    try:
        meta = parse_json(members.pop(META))
        if meta.get("format") != FORMAT or meta.get("version") != VERSION:
            found = shown(f"{meta.get('format')} {meta.get('version')}", 60)
            raise UserError(f"{place} has format {found}, not {FORMAT} {VERSION}; use a policy of this program")
        policy = Policy(**_facts(meta), arrays={name.removesuffix(".npy"): _array(members[name]) for name in members})
        if not _complete(policy):
            raise UserError(f"{place} is damaged: its network does not fit its observation layout; use another copy")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, MemoryError) as error:
        raise UserError(f"{place} is not a readable policy ({cause(error)}); use another copy") from None
    if not policy.finite:
        raise UserError(f"{place} holds weights that are not finite, so it cannot act; use another policy")
    return policy


def _facts(meta: dict[str, Any]) -> dict[str, Any]:
    """The fields of a policy that are no arrays, of the types and lengths that they may have.

    Raises:
        ValueError, KeyError, TypeError: one is missing or has another.
    """
    species, stage, info = meta["species"], meta["stage"], meta["info"]
    if not isinstance(species, str) or not SPECIES.fullmatch(species):
        raise ValueError(f"its species is {shown(written(species), 60)}")
    if type(stage) is not int or not 1 <= stage <= 99:
        raise ValueError(f"its stage is {shown(written(stage), 40)}")
    if not isinstance(info, dict):
        raise ValueError("its info is no table")
    layout = tuple((name, size) for name, size in meta["layout"])
    for name, size in layout:
        if not isinstance(name, str) or not SPECIES.fullmatch(name) or type(size) is not int or not 0 < size <= WIDEST:
            raise ValueError(f"its layout has the block {shown(written([name, size]), 60)}")
    choices = {"activation": meta["activation"], "output": meta.get("output", "clip")}
    for key, table in (("activation", ACTIVATIONS), ("output", OUTPUTS)):
        if not isinstance(choices[key], str) or choices[key] not in table:
            raise ValueError(f"its {key} is {shown(written(choices[key]), 40)}")
    return {"species": species, "stage": stage, "layout": layout, "info": info, **choices}


def _array(data: bytes) -> NDArray[Any]:
    """An array of numbers in NumPy's format; nothing is made that is larger than `data`.

    Raises:
        ValueError: it is none.
    """
    file = io.BytesIO(data)
    try:
        np.lib.format.read_magic(file)
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # NumPy parses it as Python, whose parser raises more than it says
        raise ValueError(f"an array begins wrongly: {error}") from None
    if dtype.kind not in "biuf" or dtype.itemsize * math.prod(shape) != len(data) - file.tell():
        raise ValueError("an array is of no numbers, or cut")
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if by_column else "C").copy()


def _complete(policy: Policy) -> bool:
    """Whether `act` works: the normaliser and every layer are there, of the right shapes, in floats."""
    size, arrays = policy.observation_size, policy.arrays
    shapes: dict[str, tuple[int, ...]] = {"norm/mean": (size,), "norm/std": (size,)}
    for i in range(policy.layers):
        width = arrays[f"actor/{i}/kernel"].shape[-1]
        shapes |= {f"actor/{i}/kernel": (size, width), f"actor/{i}/bias": (width,)}
        size = width
    fits = all(arrays[name].shape == shape and arrays[name].dtype.kind == "f" for name, shape in shapes.items())
    surplus = {name for name in arrays if name.startswith("actor/")} - shapes.keys()
    return fits and not surplus and policy.layers > 0 and policy.activation in ACTIVATIONS and policy.output in OUTPUTS


def check_policy_fits(policy: Policy, species: str, layout: tuple[tuple[str, int], ...], actions: int) -> None:
    """Refuse a policy that was made for something else.

    Raises:
        UserError: another species, observation layout or number of actions.
    """
    if policy.species != species:
        raise UserError(
            f"the policy is of species '{policy.species}', not '{species}'; give a policy of '{species}'"
            f" or name the species '{policy.species}'"
        )
    if tuple(map(tuple, policy.layout)) != tuple(map(tuple, layout)):
        ours, theirs = dict(layout), dict(policy.layout)
        differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        raise UserError(
            f"the policy observes {policy.observation_size} values, the task gives {sum(ours.values())}"
            f" (differing: {', '.join(differing) or 'their order'}); train a new policy"
        )
    if policy.action_size != actions:
        raise UserError(f"the policy has {policy.action_size} actions, the animal {actions}; train a new policy")


def check_learner(policy: Policy, learner: str) -> None:
    """Refuse a warm start from another learner's policy: its critic and scales mean something else.

    Raises:
        UserError: `learner`, for example `sb3-ppo`, is not what trained it.
    """
    trained_by = policy.info.get("learner")
    if trained_by != learner:
        raise UserError(
            f"the policy was trained by {shown(str(trained_by), 40)}, and {learner} cannot go on from it;"
            " give a policy of this backend and algorithm, or change --backend and --algorithm"
        )
