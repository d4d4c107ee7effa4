"""Exports a policy: which format, which files, and whether they compute what the policy does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mesozoic.errors import UserError, did_you_mean, shown
from mesozoic.export.c_source import c_files, run_c
from mesozoic.export.contract import TOLERANCE, contract_of
from mesozoic.export.npz_file import npz_files, run_npz
from mesozoic.export.onnx_file import onnx_files, run_onnx
from mesozoic.export.vectors import Run, make_vectors
from mesozoic.files import replacing
from mesozoic.learn.policy import Policy
from mesozoic.policies import policies_folder
from mesozoic.run.policy_source import open_policy, policy_file


@dataclass(frozen=True)
class Format:
    """One row of the table of formats.

    Attributes:
        suffix: of the main file; beside it lies a `.json` with the contract.
        files: makes them, name -> contents, the main one last.
        run: brings the main one to life, to be checked.
        modules: what has to be installed to make one, and to check one.
    """

    suffix: str
    files: Callable[[Policy, dict[str, Any], str], dict[str, bytes]]
    run: Callable[[Path, dict[str, Any]], Run]
    modules: tuple[str, ...] = ()
    checks_with: tuple[str, ...] = ()


FORMATS = {
    "onnx": Format(".onnx", onnx_files, run_onnx, ("onnx",), ("onnxruntime",)),
    "npz": Format(".npz", npz_files, run_npz),
    "c": Format(".c", c_files, run_c),
}


@dataclass(frozen=True)
class Export:
    """Files that were written, the main one first; `error`: the largest difference, None if it was not checked."""

    files: tuple[Path, ...]
    contract: dict[str, Any]
    error: float | None = None

    @property
    def sound(self) -> bool:
        """Whether a check, if there was one, found it to compute what the policy does."""
        return self.error is None or self.error <= TOLERANCE


def export_policy(
    source: Path,
    stage: int | None = None,
    species: str | None = None,
    *,
    to: str = "onnx",
    output: Path | None = None,
    check: bool = False,
    overrides: Sequence[str] = (),
) -> Export:
    """Export what `source` means. What fails its check is not written.

    Raises:
        UserError: no such policy or format, a package or compiler is missing, or nothing can be written there.
    """
    if to not in FORMATS:
        near = did_you_mean(to, FORMATS) or ";"
        raise UserError(f"unknown format '{shown(to)}'{near} this version has: {', '.join(FORMATS)}")
    form = FORMATS[to]
    if output is not None and output.suffix != form.suffix:
        raise UserError(f"'{shown(str(output), 120)}' does not end in {form.suffix}; give a file name that does")
    wanted = (*form.modules, *(form.checks_with if check else ()))
    absent = [name for name in wanted if find_spec(name) is None]
    if absent:
        raise UserError(f"format '{to}' needs {' and '.join(absent)}; run: pip install 'mesozoic[export]'")
    policy, animal, config = open_policy(source, species, overrides, stage)
    file = policy_file(source, stage)
    main = output or _beside(file, animal.name).with_suffix(form.suffix)
    anatomy, vectors = make_vectors(policy, animal, config)
    contract = contract_of(policy, file, animal, config, anatomy, vectors)
    made = form.files(policy, contract, main.stem)
    side = main.with_suffix(".json")
    made = {side.name: (json.dumps(contract, indent=1) + "\n").encode(), **made}
    paths = [main.with_name(name) for name in made]
    error = None
    if check:
        with tempfile.TemporaryDirectory() as folder:
            for name, data in made.items():
                (Path(folder) / name).write_bytes(data)
            error = vectors.error(form.run(Path(folder) / paths[-1].name, contract))
    found = Export(tuple(reversed(paths)), contract, error)
    if found.sound:
        for path in paths:
            with replacing(path) as aside:
                aside.write_bytes(made[path.name])
    return found


def _beside(file: Path, species: str) -> Path:
    """Where an export goes: beside a policy of one's own, right here for one that ships."""
    return Path(f"{species}-{file.name}") if file.is_relative_to(policies_folder(species)) else file
