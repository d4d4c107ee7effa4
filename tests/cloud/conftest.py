"""SkyPilot's real optimizer for tests: in this process, with test prices, without an account, a server or a network."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.wandb_server import WandbServer

CATALOGS = Path(__file__).parent / "catalogs"
CHECKOUT = Path(__file__).parents[2]
CLOUD_FILES = CHECKOUT / "cloud"
CLOUDS = ("lambda", "gcp", "aws")


@pytest.fixture(scope="session", autouse=True)
def _home_with_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SkyPilot decides where its files lie when it is imported, so that happens here, with the prices in place and
    before any test of this folder imports it somewhere else."""
    home = tmp_path_factory.mktemp("sky-home")
    shutil.copytree(CATALOGS, home / ".sky" / "catalogs" / "v8", ignore=shutil.ignore_patterns("*.md"))
    if find_spec("sky") is not None:
        with pytest.MonkeyPatch.context() as patch:
            _at_home(patch, home)
            importlib.import_module("sky")
    return home


def _at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("HOME", str(home))
    for name in [*os.environ]:
        if name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_", "SKYPILOT_", "WANDB_")):
            patch.delenv(name)
    patch.setenv("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")


class Sky:
    """SkyPilot with a choice of clouds that count as set up.

    Attributes:
        home: the home folder that it sees; write credential files there.
        enabled: names of the clouds that `sky check` would call enabled.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.enabled: Sequence[str] = CLOUDS

    def clouds(self) -> list[Any]:
        from sky.utils.registry import CLOUD_REGISTRY

        return [CLOUD_REGISTRY.from_str(name) for name in self.enabled]

    def task(self, name: str, **envs: str) -> Any:
        """The task of `cloud/<name>.yaml`, with --env values as on the command line."""
        import sky
        from sky.utils import yaml_utils

        config = yaml_utils.read_yaml(str(CLOUD_FILES / f"{name}.yaml"))
        return sky.Task.from_yaml_config(config, env_overrides=list(envs.items()))

    def best(self, task: Any, enabled: Sequence[str] = CLOUDS) -> Any:
        """What the optimizer would rent first: SkyPilot's resources, with `.get_cost(3600)` in dollars per hour."""
        import sky
        from sky import optimizer

        self.enabled = enabled
        with sky.Dag() as dag:
            dag.add(task)
        optimizer.Optimizer.optimize(dag, quiet=True)
        return dag.tasks[0].best_resources


@pytest.fixture
def sky_offline(_home_with_prices: Path, monkeypatch: pytest.MonkeyPatch) -> Sky:
    """SkyPilot in its own home, whose optimizer believes that the clouds in `.enabled` are set up."""
    pytest.importorskip("sky", reason="needs the extra [cloud]")
    from sky import check

    _at_home(monkeypatch, _home_with_prices)
    offline = Sky(_home_with_prices)
    monkeypatch.setattr(check, "get_cached_enabled_clouds_or_refresh", lambda *_, **__: offline.clouds())
    monkeypatch.setattr(check, "check_capability", lambda *_, **__: {})
    return offline


@pytest.fixture
def at_checkout(monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the root of the checkout, where task files are launched from."""
    monkeypatch.chdir(CHECKOUT)
    return CHECKOUT


@pytest.fixture
def server(
    sky_offline: Any, at_checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WandbServer]:
    """W&B, and a user with credentials for it and for Lambda."""
    pytest.importorskip("wandb", reason="needs the extra [sweep]")
    from support.wandb_server import WandbServer

    keys = sky_offline.home / ".lambda_cloud" / "lambda_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text("api_key = test\n")
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path))
    monkeypatch.setattr("mesozoic.cloud.patience.time.sleep", lambda seconds: None)
    monkeypatch.setattr("mesozoic.sweep.wandb_sweep.PATIENCE_SECONDS", 0.1)
    with WandbServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
