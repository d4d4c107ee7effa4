"""What is tried: each kind makes an input in the current, empty folder and returns how it fails, if it does."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from support.animal_package import copy_animal

from fuzz.nasty import TEXTS, VALUES, changed_bytes, changed_text, changed_tree, dumped, replace_file
from fuzz.outcome import fault_of_call, fault_of_command
from mesozoic.config.override import SECTIONS, section_keys
from mesozoic.policies import shipped_policy
from mesozoic.species.registry import known_here

CHECKOUT = Path(__file__).parents[2]
KEYS = [f"{section}.{key}" for section in SECTIONS for key in section_keys(section)]
Say = Callable[[str], None]
"""Takes a line about the input."""
TINY = (
    "--timesteps", "256", "--n-envs", "8", "ppo.n_steps=8", "ppo.batch_size=32", "ppo.n_epochs=2",
    "ppo.net_arch=[16, 16]",
    "ppo.target_kl=None", "env.max_episode_steps=20", "curriculum.eval_freq=128", "curriculum.save_freq=128",
    "curriculum.eval_episodes=8", "curriculum.min_success_low=0", "curriculum.min_avg_episode_length=0",
)  # fmt: skip

OPTIONS: dict[str, tuple[str, ...]] = {
    "train": ("--stage", "--timesteps", "--n-envs", "--seed", "--backend", "--algorithm", "--physics", "--eval-freq",
              "--save-freq", "--output-dir", "--log-dir", "--load", "--override", "--no-resume", "--subproc",
              "--json",
              "--ppo_learning_rate", "--ppo.gamma", "--env_alive_bonus"),
    "curriculum": ("--timesteps", "--n-envs", "--seed", "--backend", "--target", "--output-dir", "--load",
    "--override", "--strict"),
    "eval": ("--stage", "--species", "--episodes", "--seed", "--override", "--check", "--gait", "--footfalls",
    "--json"),
    "robustness": ("--stage", "--species", "--episodes", "--seed", "--override", "--json"),
    "render": ("--stage", "--species", "--output", "--strip", "--seed", "--episode", "--statue", "--no-video",
    "--html", "--ghost", "--override"),
    "export": ("--stage", "--species", "--format", "--output", "--check", "--override"),
    "plot": ("--stage", "--output", "--metric"),
    "report": ("--stage", "--output", "--episodes", "--seed", "--robustness"),
    "bench": ("--stage", "--n-envs", "--backend", "--seconds", "--rounds", "--peer", "--override", "--output",
    "--json"),
    "species": ("--json", "check"),
    "": ("--version", "--help", "train", "nope"),
}  # fmt: skip
SWITCHES = {
    "--no-resume",
    "--subproc",
    "--json",
    "--strict",
    "--check",
    "--gait",
    "--statue",
    "--no-video",
    "--peer",
    "--help",
}


def typed(rng: Random) -> str:
    """Something that somebody types: an override or any text."""
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    stage = rng.choice(("", "", "", "2.", "0.", "99."))
    return f"{stage}{rng.choice(KEYS)}={rng.choice(TEXTS)}"


def command_line(rng: Random, say: Say) -> str | None:
    """Any arguments in any order, in a folder where some of the names exist."""
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    Path("empty").touch()
    Path("file.txt").write_text("text")
    command = rng.choice(list(OPTIONS))
    words = [command] if command else []
    if command in ("eval", "robustness", "render", "export", "plot", "report") and rng.random() < 0.9:
        words.append(rng.choice(("trex", "velociraptor", rng.choice(TEXTS))))
    if command in ("train", "curriculum"):
        words += ["--output-dir", "out"]
    for _ in range(rng.choice((0, 1, 1, 2, 3, 5))):
        if rng.random() < 0.4:
            words.append(typed(rng))
            continue
        option = rng.choice(OPTIONS[command])
        if option in SWITCHES and rng.random() < 0.9:
            words.append(option)
        elif rng.random() < 0.3:
            words.append(f"{option}={typed(rng)}")
        else:
            words += [option, typed(rng)] if rng.random() < 0.95 else [option]
    words = [word.replace("\0", "") for word in words]
    say(f"arguments {words!r}")
    return fault_of_command(words)


def policy(rng: Random, say: Say) -> str | None:
    """A shipped policy with changed bytes, metadata, arrays or members, or something else in its place."""
    whole = shipped_policy("velociraptor", rng.choice((1, 2, 3))).read_bytes()
    path = Path("policy.zip")
    how = rng.choice(("bytes", "meta", "meta", "arrays", "members", "other"))
    if how == "bytes":
        path.write_bytes(changed_bytes(whole, rng))
    elif how == "other":
        path.write_bytes(whole)
        how = replace_file(path, rng)
    else:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if how == "meta":
            meta = json.loads(members["policy.json"])
            text = dumped(changed_tree(meta, rng))
            members["policy.json"] = (
                text if rng.random() < 0.8 else changed_text(text.decode(), rng).encode("utf-8", "replace")
            )
        elif how == "arrays":
            for name in rng.sample([name for name in members if name.endswith(".npy")], 2):
                members[name] = _changed_array(members[name], rng)
        else:
            for _ in range(rng.choice((1, 3))):
                name = rng.choice(list(members))
                if rng.random() < 0.5:
                    del members[name]
                else:
                    members[rng.choice((*TEXTS, "x.npy", "critic/9/kernel.npy"))] = rng.choice(
                        (b"", bytes(60 << 20), members[name])
                    )
        with zipfile.ZipFile(path, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name, content in members.items():
                archive.writestr(
                    zipfile.ZipInfo(name.encode("utf-8", "replace").decode()[:60_000]), content, zipfile.ZIP_DEFLATED
                )
    words = rng.choice(
        (["eval", "policy.zip"], ["eval", "policy.zip", "--check", "--gait"], ["render", "policy.zip"],
         ["export", "policy.zip", "--format", "npz", "--check"], ["export", "policy.zip", "--format", "c"],
         ["robustness", "policy.zip"], ["train", "--load", "policy.zip", "--output-dir", "out"],
         ["train", "--stage", "2", "--load", "policy.zip", "--output-dir", "out"])
    )  # fmt: skip
    say(f"a policy with other {how}, in {words}")
    return fault_of_command(words)


def _changed_array(data: bytes, rng: Random) -> bytes:
    if rng.random() < 0.3:
        return changed_bytes(data, rng)
    array = np.load(io.BytesIO(data))
    change = rng.choice(
        (lambda a: a.T, lambda a: a.reshape(-1)[:0], lambda a: a.astype("O"), lambda a: a.astype("U8"),
        lambda a: a.astype(np.float16),
         lambda a: a * np.float32(3e38), lambda a: a * 0, lambda a: a.astype(complex), lambda a: a.astype(int),
         lambda a: np.full_like(a, np.nan), lambda a: a.reshape(-1), lambda a: a.astype(">f4"), lambda a: -a)
    )  # fmt: skip
    out = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(out, change(array), allow_pickle=True)
    return out.getvalue()


class RunFolders:
    """Run folders that were finished and cut off, of a real training; each case changes a file of one."""

    def __init__(self, finished: Path, cut: Path) -> None:
        self._whole = {"finished": finished, "cut off": cut}

    def __call__(self, rng: Random, say: Say) -> str | None:
        which = rng.choice(list(self._whole))
        run = Path("run")
        shutil.copytree(self._whole[which], run)
        files = sorted(path for path in run.rglob("*") if path.is_file() and "tfevents" not in path.name)
        for _ in range(rng.choice((1, 1, 1, 2))):
            path = rng.choice(files)
            say(f"{which}: {path}: {self._change(path, rng)}")
        words = rng.choice(
            (["train", *TINY, "--output-dir", "run"], ["train", *TINY, "--output-dir", "run", "--json"], ["eval",
            "run"],
             ["train", *TINY, "--output-dir", "run", "--no-resume"], ["train", *TINY, "--output-dir", "run",
             "--timesteps", "1024"],
             ["eval", "run", "--stage", "1", "ppo.gamma=0.9"], ["render", "run"],
             ["plot", "run"], ["report", "run", "--episodes", "2", "--robustness", "0"],
             ["export", "run", "--format", "npz"], ["train", *TINY, "--load", "run",
             "--output-dir", "new"],
             ["curriculum", *TINY, "--target", "1", "--output-dir", "run"])
        )  # fmt: skip
        say(f"in {words}")
        return fault_of_command(words)

    def _change(self, path: Path, rng: Random) -> str:
        # A link that an earlier change left leads out of the run: what is written to it would damage that file.
        if path.is_symlink() or not path.is_file() or rng.random() < 0.25:
            return replace_file(path, rng) if not path.is_dir() else "as it is"
        data = path.read_bytes()
        try:
            if path.suffix == ".json" and rng.random() < 0.8:
                path.write_bytes(dumped(changed_tree(json.loads(data), rng)))
                return "changed values"
            if path.suffix == ".checkpoint" and rng.random() < 0.8:
                path.write_bytes(_changed_checkpoint(data, rng))
                return "a header that lies"
        except (ValueError, RecursionError):
            pass  # an earlier change left nothing that can be read
        path.write_bytes(changed_bytes(data, rng))
        return "changed bytes"


def _changed_checkpoint(data: bytes, rng: Random) -> bytes:
    """A checkpoint with another header, whose checksum fits."""
    magic, length, rest = data[:24], int.from_bytes(data[24:32], "little"), data[64:]
    header = dumped(changed_tree(json.loads(rest[:length]), rng))
    return magic + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest() + header + rest[length:]


def animal(rng: Random, say: Say) -> str | None:
    """A species folder of another package, of which a file is changed."""
    folder = copy_animal(Path("package", "raptor").absolute())
    (folder / "policies").mkdir()
    shutil.copy(shipped_policy("velociraptor", 1), folder / "policies" / "stage1.zip")
    names = (
        "facts.toml",
        "model.xml",
        "configs/stage1_balance.toml",
        "configs/stage2_locomotion.toml",
        "policies/stage1.zip",
    )
    for _ in range(rng.choice((1, 1, 1, 2))):
        path = folder / rng.choice(names)
        if path.is_symlink() or not path.is_file() or rng.random() < 0.2:
            say(f"{path.name}: {replace_file(path, rng) if not path.is_dir() else 'as it is'}")
        elif path.suffix == ".zip" or rng.random() < 0.1:
            path.write_bytes(changed_bytes(path.read_bytes(), rng))
            say(f"{path.name}: changed bytes")
        else:
            path.write_text(
                changed_text(path.read_text(encoding="utf-8", errors="replace"), rng),
                encoding="utf-8",
                errors="replace",
            )
            say(f"{path.name}: changed text")
    words = rng.choice(
        (["train", "raptor", "--output-dir", "out"], ["curriculum", "raptor", "--output-dir", "out"], ["eval",
        "raptor"], ["species"],
         ["render", "raptor"], ["bench", "raptor"], ["train", "raptor", "--stage", "2", "--output-dir", "out"])
    )  # fmt: skip
    say(f"in {words}")
    with known_here("raptor", folder):
        return fault_of_command(words)


def sweep(rng: Random, say: Say) -> str | None:
    """The sweep file that ships, changed as text or as a tree, or something else in its place."""
    import yaml

    from mesozoic.sweep.wandb_file import read_sweep

    path = Path("sweep.yaml")
    text = (CHECKOUT / "configs" / "sweeps" / "velociraptor_balance.yaml").read_text()
    how = rng.choice(("text", "tree", "tree", "json", "other"))
    if how == "text":
        path.write_text(changed_text(text, rng), encoding="utf-8", errors="replace")
    elif how == "other":
        path.write_text(text)
        how = replace_file(path, rng)
    else:
        tree = changed_tree(yaml.safe_load(text), rng)
        if rng.random() < 0.5 and isinstance(tree.get("parameters"), dict):
            tree["parameters"][rng.choice((*KEYS, *TEXTS))] = changed_tree(
                {"values": [rng.choice(VALUES), 1, 2], "min": 0, "max": 1}, rng
            )
        try:
            data = yaml.safe_dump(tree).encode("utf-8", "replace") if how == "tree" else dumped(tree)
        except RecursionError:  # JSON is YAML as well
            data = dumped(tree)
        path.write_bytes(data)
    say(f"a sweep file with other {how}")
    return fault_of_call(lambda: read_sweep(path))
