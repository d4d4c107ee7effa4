"""Executes the steps of a Dockerfile in overlay mounts, one folder of changes a stage: `docker build` without Docker.

Must run as root in a mount namespace of its own, which scripts/check_image.sh makes: its end is the end of every mount.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dockerfile import DockerfileError, Stage, expand, needed, sent_files

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LENT = "/dev/lent"
"""Where the machine's certificates lie during a build; /dev is mounted, so they do not stay in the image."""


@dataclass
class Image:
    """What a stage leaves behind: its layers, the uppermost first, and its settings."""

    layers: list[Path]
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": SEARCH_PATH})
    user: str = "0:0"
    folder: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


class Root:
    """An image mounted at `at`, with the file systems a container has, to run commands in."""

    def __init__(self, image: Image, changes: Path, at: Path) -> None:
        """`changes`: the folder that takes what is written."""
        self.image, self.at = image, at
        work = changes.parent / f"{changes.name}.work"
        for path in (changes, work, at):
            path.mkdir(parents=True, exist_ok=True)
        lower = ":".join(str(layer) for layer in image.layers)
        _run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={changes},workdir={work}", at])
        _run(["mount", "-t", "proc", "proc", at / "proc"])
        _run(["mount", "-t", "sysfs", "-o", "ro", "sysfs", at / "sys"])
        _run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", at / "dev"])
        for name in DEVICES:
            (at / "dev" / name).touch()
            _run(["mount", "--bind", f"/dev/{name}", at / "dev" / name])
        for name, kind in (("shm", "tmpfs"), ("pts", "devpts")):
            (at / "dev" / name).mkdir()
            _run(["mount", "-t", kind, kind, at / "dev" / name])
        for link, target in (("fd", "/proc/self/fd"), ("ptmx", "pts/ptmx")):
            (at / "dev" / link).symlink_to(target)
        _run(["mount", "--bind", "/etc/resolv.conf", at / "etc/resolv.conf"])
        self.lent = self._lend()

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *error: object) -> None:
        _run(["umount", "--recursive", self.at])

    def run(
        self,
        words: Sequence[str],
        user: str = "",
        extra: Mapping[str, str] | None = None,
        network: bool = True,
        folder: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run `words` as the image's user, or as `user` (uid:gid), with its variables and `extra`; keeps the output.

        Without `network` there is only a loopback interface.
        """
        script = f'cd "{folder or self.image.folder}" && exec "$@"'
        inside = ["chroot", f"--userspec={user or self.image.user}", "--groups=", str(self.at), "/bin/sh", "-c", script]
        alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "alone"]
        environment = {**self.image.environment, **(extra or {})}
        # env starts the program with these variables alone; chroot and unshare themselves are the machine's.
        cleared = ["env", "--ignore-environment", *(f"{key}={value}" for key, value in environment.items())]
        command = [*([] if network else alone), *inside[:4], *cleared, *inside[4:], "sh", *words]
        return subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _lend(self) -> dict[str, str]:
        """The machine's proxy, package index and certificates, which `docker build` is given by its user."""
        names = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
        lent = {name: os.environ[name] for name in names if os.environ.get(name)}
        bundle = Path(os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or "/nowhere")
        if bundle.is_file():
            (self.at / LENT[1:]).mkdir()
            (self.at / LENT[1:] / bundle.name).write_bytes(bundle.read_bytes())
            lent |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), f"{LENT}/{bundle.name}")
        return lent


class Builder:
    """Builds targets of parsed `stages` from the checkout `context`, with all files under `work`."""

    def __init__(self, stages: Mapping[str, Stage], context: Path, work: Path, base: Path) -> None:
        """`base`: the folder that stands in for the image every stage without a parent starts from."""
        self.stages, self.context, self.work, self.base = stages, context, work, base
        self.built: dict[str, Image] = {}
        self.sent = sent_files(context, (context / ".dockerignore").read_text(encoding="utf-8"))

    def build(self, target: str) -> Image:
        """Execute every stage that `target` needs.

        Raises:
            DockerfileError: a step failed, with the end of what it printed.
        """
        for stage in needed(self.stages, target):
            if stage.name not in self.built:
                self.built[stage.name] = self._stage(stage)
        return self.built[target]

    def _stage(self, stage: Stage) -> Image:
        parent = self.built.get(stage.base) or Image([self.base])
        image = Image(list(parent.layers), dict(parent.environment), parent.user, parent.folder)
        image.entrypoint, image.command = list(parent.entrypoint), list(parent.command)
        changes = self.work / "layers" / stage.name
        arguments: dict[str, str] = {}
        print(f"-- stage {stage.name}, from {stage.base}", flush=True)
        with Root(image, changes, self.work / "mounts" / stage.name) as root:
            for step in stage.steps:
                began = time.monotonic()
                known = {**arguments, **image.environment}
                value = step.value if step.name == "RUN" else expand(step.value, known)
                step = type(step)(step.line, step.name, value, step.flags)
                if step.name == "RUN":
                    self._execute(root, step.value, {**arguments, **root.lent}, str(step))
                elif step.name == "COPY":
                    self._copy(root, step.words(), step.flags, str(step))
                elif step.name == "ENV":
                    image.environment |= step.pairs()
                elif step.name == "ARG":
                    arguments |= step.pairs()
                elif step.name == "WORKDIR":
                    image.folder = os.path.join(image.folder, step.value)
                    _inside(root.at, image.folder).mkdir(parents=True, exist_ok=True)
                elif step.name == "USER":
                    image.user = step.value
                elif step.name == "ENTRYPOINT":
                    image.entrypoint = step.words()
                elif step.name == "CMD":
                    image.command = step.words()
                print(f"   {time.monotonic() - began:6.1f} s  {str(step)[:110]}", flush=True)
        image.layers.insert(0, changes)
        return image

    def _execute(self, root: Root, script: str, extra: Mapping[str, str], what: str) -> None:
        done = root.run(["/bin/sh", "-c", script], extra=extra)
        if done.returncode:
            raise DockerfileError(f"{what}\nexited with {done.returncode}:\n{done.stdout[-3000:]}")

    def _copy(self, root: Root, words: Sequence[str], flags: Mapping[str, str], what: str) -> None:
        *sources, target = words
        into = _inside(root.at, os.path.join(root.image.folder, target))
        if "from" in flags:
            image = self.built[flags["from"]]
            scratch = self.work / "scratch" / flags["from"]
            with Root(image, scratch, self.work / "mounts" / f"{flags['from']}-copied") as other:
                for source in sources:
                    _copy_tree(_inside(other.at, source), into, flags.get("chown", ""))
            return
        for source in sources:
            files = [path for path in self.sent if path == Path(source) or Path(source) in path.parents]
            if not files:
                raise DockerfileError(f"{what}: the context has no {source}, or .dockerignore keeps it back")
            for path in files:
                # A folder's contents are copied, a file is copied into a folder whose name ends with a slash.
                beneath = path.relative_to(source) if path != Path(source) else Path(path.name)
                destination = into / beneath if target.endswith(("/", ".")) or path != Path(source) else into
                destination.parent.mkdir(parents=True, exist_ok=True)
                _run(["install", "-m", oct((self.context / path).stat().st_mode & 0o777)[2:],
                      self.context / path, destination])  # fmt: skip


def size(folder: Path) -> int:
    """Bytes of all files under `folder`; hard links count once."""
    return int(_run(["du", "--summarize", "--bytes", folder]).split()[0])


def _copy_tree(source: Path, into: Path, owner: str) -> None:
    """Copy the contents of the folder `source` over those of `into`; links are replaced, never followed."""
    into.mkdir(parents=True, exist_ok=True)
    uid, _, gid = owner.partition(":")
    change = [f"--owner={uid}", f"--group={gid or uid}"] if owner else ["--numeric-owner"]
    with subprocess.Popen(["tar", "-C", source, *change, "-cf", "-", "."], stdout=subprocess.PIPE) as packed:
        subprocess.run(["tar", "-C", into, "--numeric-owner", "-xpf", "-"], stdin=packed.stdout, check=True)
    if packed.returncode:
        raise DockerfileError(f"reading {source} failed")


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _run(words: Sequence[str | Path]) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DockerfileError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout
