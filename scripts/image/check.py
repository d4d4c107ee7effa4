"""Builds an image with scripts/image/build.py and uses it as its user would. Started by scripts/check_image.sh."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from build import Builder, Image, Root, size
from dockerfile import DockerfileError, lineage, needed, parse

CHECKOUT = Path(__file__).parent.parent.parent
TINY = (
    "--timesteps 512 --n-envs 8 --override ppo.n_steps=32 --override ppo.batch_size=128"
    " --override env.max_episode_steps=50 --override curriculum.eval_episodes=8"
    " --override curriculum.min_success_low=0.1 --override curriculum.min_avg_episode_length=0"
)
OTHER_USER = "12345:12345"
"""Somebody whom the image does not know, as with `docker run --user`."""

VERTEX = {
    "CLOUD_ML_JOB_ID": "1",
    "CLOUD_ML_TRIAL_ID": "1",
    "CLOUD_ML_HP_METRIC_FILE": "/var/hypertune/output.metrics",
    "AIP_MODEL_DIR": "gs://bucket/sweeps/trex/stage1/1/model/",
}
"""What a trial of a tuning job on Vertex AI finds in its environment."""
VERTEX_TINY = f"--ppo_batch_size 128.0 --ppo_learning_rate 1e-4 {TINY.replace(' --override ppo.batch_size=128', '')}"

FORBIDDEN = (
    "bin/gcc",
    "bin/cc",
    "bin/make",
    "root/.cache",
    "home/mesozoic/.cache",
    "src",
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssh/ssh_host_ed25519_key",
)
"""Compilers, caches, sources and host keys: nothing of this may be in the image."""

# What SkyPilot 0.14 does with an image: as root but with the image's variables, it installs packages, hands its own
# variables on to every login, and starts sshd; then it logs in as the image's user and wants sudo.
SKYPILOT_ROOT = """
set -e
apt-get -yq update >/dev/null
apt-get -o DPkg::Options::=--force-confnew install -y rsync curl wget patch openssh-server python3-pip fuse >/dev/null
[ -f ~/.bashrc ] && source ~/.bashrc
export -p > ~/container_env_var.sh && mv ~/container_env_var.sh /etc/profile.d/container_env_var.sh
mkdir -p ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/key && cat /root/key.pub >> ~/.ssh/authorized_keys
chown -R mesozoic ~/.ssh
! command -v gcc
"""
SKYPILOT_LOGIN = """
set -e
sed -i '/^Port .*/d' /etc/ssh/sshd_config && echo 'Port 10022' >> /etc/ssh/sshd_config
service ssh start >/dev/null
trap 'service ssh stop >/dev/null' EXIT
for second in 1 2 3 4 5 6 7 8 9 10; do (exec 3<>/dev/tcp/127.0.0.1/10022) 2>/dev/null && break; sleep 1; done
ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR -i /root/key -p 10022 mesozoic@127.0.0.1 \
  'bash --login -i ~/job.sh' 2>&1
"""
SKYPILOT_JOB = f"""
set -e
[ "$(id -un) $HOME" = 'mesozoic /home/mesozoic' ]
[ "$(sudo -n id -u)" = 0 ]
mesozoic --version
cd ~/sky_workdir
bash cloud/node-setup.sh
export SPECIES=trex STAGE=1 RUN_NAME=tiny TIMESTEPS=512 N_ENVS=8
OVERRIDES="{" ".join(word for word in TINY.split() if "." in word and "=" in word)}" bash cloud/node-train.sh
ls ~/mesozoic-runs/tiny
"""
SENT_TO_NODES = ("cloud", "configs", "mesozoic", "pyproject.toml", "constraints.txt")
"""What a job of cloud/train-docker.yaml uses of the checkout that is copied to the machine."""


class Checks:
    """Runs commands in the image, prints what they took, and counts failures."""

    def __init__(self) -> None:
        self.failed = 0

    def note(self, title: str, passed: bool, detail: str = "") -> None:
        self.failed += not passed
        print(f"{'ok    ' if passed else 'FAILED'} {title}{': ' + detail if detail else ''}", flush=True)

    def command(self, root: Root, command: str, wanted: Callable[[str], bool], user: str = "", **env: str) -> str:
        """Run what `docker run IMAGE command` would; `wanted` judges what it printed."""
        began = time.monotonic()
        words = [*root.image.entrypoint, *(shlex.split(command) or root.image.command)]
        done = root.run(words, user=user, extra=env, network=False)
        passed = done.returncode == 0 and wanted(done.stdout)
        title = " ".join([*(f"{key}={value}" for key, value in env.items()), *words])
        self.note(f"{title}{f' as user {user}' if user else ''}", passed, f"{time.monotonic() - began:.1f} s")
        if not passed:
            print(f"exit code {done.returncode}\n{done.stdout[-3000:]}")
        return done.stdout

    def shell(self, root: Root, title: str, script: str, user: str = "", network: bool = False) -> str:
        began = time.monotonic()
        words = ["/bin/bash", "--login", "-i", "-c", script] if user == "0:0" else ["/bin/sh", "-c", script]
        done = root.run(words, user=user, extra=root.lent if network else {}, network=network)
        self.note(title, done.returncode == 0, f"{time.monotonic() - began:.1f} s")
        if done.returncode:
            print(f"exit code {done.returncode}\n{done.stdout[-3000:]}")
        return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="root that stands in for the base image")
    parser.add_argument("--work", type=Path, required=True, help="folder for layers and mounts")
    parser.add_argument("--target", default="cpu", choices=("cpu", "cuda"), help="which image of the Dockerfile")
    options = parser.parse_args()
    stages = parse((CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))
    try:
        image = Builder(stages, CHECKOUT, options.work, options.base).build(options.target)
        checks = Checks()
        as_a_user(checks, image, options.work)
        if options.target == "cuda":
            gpu_packages(checks, image, options.work)
        as_vertex(checks, image, options.work)
        contents(checks, image, options.base)
        as_skypilot(checks, image, options.work)
    except DockerfileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    other = [stage.name for stage in stages.values() if stage not in needed(stages, options.target)]
    base = lineage(stages, options.target)[0].base
    print(f"not run: stages {', '.join(other)}; docker itself; {base} (Debian's own Python stood in for it)")
    print(f"{checks.failed} checks failed" if checks.failed else "all checks passed")
    return 1 if checks.failed else 0


def as_a_user(checks: Checks, image: Image, work: Path) -> None:
    """What the README shows, in a container without network."""
    version = _version()
    with Root(image, work / "scratch" / "user", work / "mounts" / "user") as root:
        checks.command(root, "", lambda out: "Usage" in out)
        checks.command(root, "--version", lambda out: out.strip() == f"mesozoic {version}")
        checks.command(root, "eval trex --stage 3 --episodes 16", lambda out: "success" in out.lower())
        for backend in ("egl", "osmesa", ""):
            films = root.at / "home/mesozoic/runs"
            arguments = f"--output runs/{backend or 'auto'}.mp4 --override env.max_episode_steps=10"
            variables = {"MUJOCO_GL": backend} if backend else {}
            checks.command(root, f"render trex --stage 3 {arguments}", lambda out: True, **variables)
            film = films / f"{backend or 'auto'}.mp4"
            checks.note(f"{film.name} is a film", film.is_file() and film.stat().st_size > 1000)
        checks.command(root, f"train trex --output-dir runs/tiny {TINY}", lambda out: True)
        saved = list((root.at / "home/mesozoic/runs/tiny").rglob("*.zip"))
        checks.note("the training left a policy, owned by the user", bool(saved) and saved[0].stat().st_uid == 1000)
        checks.command(root, "--version", lambda out: version in out, user=OTHER_USER)
        checks.shell(root, "sudo works without a password", "[ $(id -u) = 1000 ] && [ $(sudo -n id -u) = 0 ]")


def gpu_packages(checks: Checks, image: Image, work: Path) -> None:
    """What simulates on a GPU can be imported, and says in words that there is none."""
    with Root(image, work / "scratch" / "gpu", work / "mounts" / "gpu") as root:
        imports = (
            "import warp, jax_plugins.xla_cuda12; from mujoco import mjx; from mesozoic.sim.physics import PHYSICS"
        )
        code = f"{imports}; assert not PHYSICS['mjx-warp'].missing()"
        checks.shell(root, "CUDA, Warp and MJX can be imported", f'/opt/mesozoic/venv/bin/python -c "{code}"')
        refused = "SPECIES=velociraptor STAGE=1 PHYSICS=mjx-warp /opt/mesozoic/venv/bin/python -m mesozoic.job"
        title = "a job that asks for Warp is refused here, where there is no GPU"
        checks.shell(root, title, f"cd /tmp && {refused}; [ $? = 2 ]")


def as_vertex(checks: Checks, image: Image, work: Path) -> None:
    """What Vertex AI does with the same image built with RUN_AS=0:0: root, a bucket at /gcs, its metrics file."""
    with Root(image, work / "scratch" / "vertex", work / "mounts" / "vertex") as root:
        (root.at / "gcs/bucket").mkdir(parents=True)
        (root.at / "var/hypertune").mkdir(parents=True)
        reported = root.at / VERTEX["CLOUD_ML_HP_METRIC_FILE"].lstrip("/")
        trial = f"sweep trial --species trex --stage 1 --output-dir /gcs/bucket/sweeps/trex/stage1 {VERTEX_TINY}"
        checks.command(root, trial, lambda out: True, "0:0", **VERTEX)
        ended = root.at / "gcs/bucket/sweeps/trex/stage1/1/trial.json"
        checks.note("the trial left its record in the bucket", ended.is_file())
        checks.note("the trial reported its metric", reported.is_file() and '"score"' in reported.read_text())
        training = f"train trex --output-dir /gcs/bucket/training/trex {TINY}"
        checks.command(root, training, lambda out: True, "0:0", AIP_MODEL_DIR="gs://bucket/training/trex/model/")
        saved = list((root.at / "gcs/bucket/training").rglob("*.zip"))
        checks.note("the training left a policy in the bucket", bool(saved))


def contents(checks: Checks, image: Image, base: Path) -> None:
    """The layers hold nothing they need not."""
    layers = [layer for layer in image.layers if layer != base]
    for path in FORBIDDEN:
        places = [place for layer in layers for place in (layer / path, layer / "usr" / path)]
        # What a layer deletes of a lower one is a character device in it.
        found = [str(place) for place in places if place.is_file() or place.is_dir()]
        checks.note(f"no /{path}", not found, ", ".join(found))
    lists = [path for layer in layers for path in (layer / "var/lib/apt/lists").glob("*_Packages*") if path.is_file()]
    checks.note("no package lists", not lists)
    for layer in layers:
        print(f"size   layers of stage {layer.name}: {size(layer) / 1e6:.0f} MB")
    total = sum(map(size, layers))
    print(f"size   over the base image {total / 1e6:.0f} MB (the base's stand-in here has {size(base) / 1e6:.0f} MB)")


def as_skypilot(checks: Checks, image: Image, work: Path) -> None:
    """SkyPilot's preparation of a container, and the login after it."""
    with Root(image, work / "scratch" / "sky", work / "mounts" / "sky") as root:
        checks.shell(root, "SkyPilot's packages install, without compilers", SKYPILOT_ROOT, "0:0", network=True)
        added = size(work / "scratch" / "sky") / 1e6
        print(f"size   SkyPilot adds {added:.0f} MB when the machine comes up, before its own environment")
        home = root.at / "home/mesozoic"
        (home / "job.sh").write_text(SKYPILOT_JOB, encoding="utf-8")
        (home / "sky_workdir").mkdir()
        for name in SENT_TO_NODES:
            subprocess.run(["cp", "-r", CHECKOUT / name, home / "sky_workdir" / name], check=True)
        subprocess.run(["chown", "-R", "1000:1000", home / "sky_workdir"], check=True)
        title = "over ssh: sudo, cloud/node-setup.sh and cloud/node-train.sh, as cloud/train-docker.yaml runs them"
        out = checks.shell(root, title, SKYPILOT_LOGIN, "0:0")
        checks.note("that login ran the image's mesozoic", f"mesozoic {_version()}" in out)
        checks.note("nothing had to be installed", "using the packages of this container image" in out)


def _version() -> str:
    text = (CHECKOUT / "mesozoic" / "version.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].split('"')[0]


if __name__ == "__main__":
    sys.exit(main())
