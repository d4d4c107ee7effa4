"""A W&B server on loopback, a user who has nothing else, a database, and a sweep that is over."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.tiny_trial import SMALL

if TYPE_CHECKING:
    from support.wandb_server import WandbServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    from support.wandb_server import WandbServer

    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    with WandbServer() as running:
        for name, value in running.environment(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield running


TINY = (*SMALL, "curriculum.timesteps=128")


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with six trials, copies of a real one with other values; the fourth is the best."""
    from mesozoic.run.spec import RunSpec
    from mesozoic.sweep.line import NoLine
    from mesozoic.sweep.run_trial import Trial, run_trial
    from mesozoic.sweep.space import overrides_of

    folder = tmp_path_factory.mktemp("sweep")
    trials = folder / "stage1"
    point: dict[str, Any] = {"ppo.learning_rate": 4e-4, "ppo.gamma": 0.91, "env.alive_bonus": 1.5}
    spec = RunSpec("velociraptor", 1, overrides=(*TINY, *overrides_of(point)))
    record = run_trial(Trial(spec, point), trials / "4", NoLine())
    for number in (1, 2, 3, 5, 6, 4):
        if number != 4:
            shutil.copytree(trials / "4", trials / str(number))
        record.point = {**point, "ppo.learning_rate": number * 1e-4, "ppo.gamma": 0.9 + number % 3 / 100}
        record.value = record.results[0]["value"] = 0.9 if number == 4 else 0.1 * number
        record.save(trials / str(number))
    return folder


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A real PostgreSQL on loopback, of its own, as a user that it accepts; its URL."""
    programs = [Path(one).parent for one in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    found = shutil.which("initdb")
    if found is None and not programs:
        pytest.skip("PostgreSQL is not installed")
    bin_folder = Path(found).resolve().parent if found and not programs else programs[-1]
    pytest.importorskip("psycopg2", reason="needs the driver of PostgreSQL")
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chown(folder, user, -1)
        data = f"{folder}/data"
        more = {"user": user, "cwd": folder, "env": {**os.environ, "HOME": folder}}
        begin = [str(bin_folder / "initdb"), "-D", data, "-U", "mesozoic", "-A", "trust", "--no-sync"]
        subprocess.run(begin, check=True, capture_output=True, timeout=120, **more)  # type: ignore[call-overload]
        options = [f"-p{port}", "-k", folder, "-h", "127.0.0.1", "-F"]
        server = subprocess.Popen(  # type: ignore[call-overload]
            [str(bin_folder / "postgres"), "-D", data, *options], stderr=subprocess.DEVNULL, **more
        )
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"postgresql://mesozoic@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
