"""The portable policy: a zip of `policy.json` and `.npy` arrays that NumPy alone can run.

Evaluation, rendering and export all start from this file, whichever learner wrote it. The bytes
depend on the contents only, so equal policies are equal files.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError
from mesozoic.learn.normaliser import normalise

FORMAT = "mesozoic-policy"
VERSION = 1
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
            archive.writestr(zipfile.ZipInfo("policy.json", EPOCH), json.dumps(meta, indent=1, sort_keys=True))
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
    try:
        with zipfile.ZipFile(path) as archive:
            if "policy.json" not in archive.namelist():
                raise UserError(f"{path} is a zip but no mesozoic policy; give a models/*.zip of a run")
            meta = json.loads(archive.read("policy.json"))
            arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist()
                if name.endswith(".npy")
            }
        if meta.get("format") != FORMAT or meta.get("version") != VERSION:
            raise UserError(f"{path} has format {meta.get('format')} {meta.get('version')}, not {FORMAT} {VERSION}")
        policy = Policy(
            species=meta["species"],
            stage=int(meta["stage"]),
            layout=tuple((str(name), int(size)) for name, size in meta["layout"]),
            activation=meta["activation"],
            arrays=arrays,
            info=meta["info"],
            output=meta.get("output", "clip"),
        )
        if not _complete(policy):
            raise UserError(f"{path} is damaged: its network does not fit its observation layout; use another copy")
        if not policy.finite:
            raise UserError(f"{path} holds weights that are not finite, so it cannot act; use another policy")
        return policy
    except FileNotFoundError:
        raise UserError(f"no policy file {path}; give a run folder or a models/*.zip of one") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a policy file; give a models/*.zip of a run") from None
    except UserError:
        raise
    except Exception as error:  # a damaged zip raises anything: zlib.error, RuntimeError, NotImplementedError, ...
        raise UserError(f"{path} is not a readable policy ({error}); use another copy") from None


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
            f"the policy was trained by {trained_by}, and {learner} cannot go on from it;"
            " give a policy of this backend and algorithm, or change --backend and --algorithm"
        )
