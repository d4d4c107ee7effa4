"""A sweep on a managed pool: the pool is taken down after its last agent, and whenever anything fails."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest
from fake_sky import FakeSky
from rented_sweep import request
from support.wandb_server import WandbServer

from mesozoic.cloud.ledger import open_launches
from mesozoic.cloud.sky.client import Job
from mesozoic.cloud.sky.sweep_plan import RentedSweep, plan_rented_sweep
from mesozoic.cloud.sky.sweep_pool import launch_pool
from mesozoic.errors import UserError

pytestmark = pytest.mark.skipif(find_spec("sky") is None, reason="needs the extra [cloud]")  # conftest imports it


def pool_plan() -> RentedSweep:
    return plan_rented_sweep(request(gpus="A100:8", nodes=2, pool=True))


class Pools(FakeSky):
    """Managed pools whose agents end when somebody looks."""

    def managed_jobs(self) -> list[Job]:
        self.managed = [replace(one, state="SUCCEEDED") for one in self.managed]
        return super().managed_jobs()


def test_a_pool_is_taken_down_after_its_last_agent(server: WandbServer) -> None:
    sky = Pools()
    result = launch_pool(sky, pool_plan(), lambda line: None, 1.0)
    assert (len(result.jobs), result.failed) == (16, ())
    told = [call for call in sky.calls if call.split()[0] in ("apply_pool", "submit", "down_pool", "cancel_managed")]
    assert told == [
        "apply_pool mesozoic-sweep-1 2",
        "submit 16 mesozoic-sweep-1-agent to mesozoic-sweep-1",
        "down_pool mesozoic-sweep-1",
    ]
    assert open_launches() == {}


def test_a_pool_is_taken_down_when_its_time_is_over(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its agents hang; its workers would wait, and cost, for ever."""
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_plan.SETUP_MINUTES", 0)
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_pool.IDLE_MINUTES", 0)
    monkeypatch.setattr("mesozoic.cloud.sky.sweep_agents.PAUSE", 0.0)
    sky, said = FakeSky(), list[str]()
    plan = plan_rented_sweep(request(gpus="A100:1", pool=True, max_hours=1e-6))
    result = launch_pool(sky, plan, said.append, 1.0)
    assert len(result.failed) == 1 and sky.pooled == {} and open_launches() == {}
    assert any(line.startswith("the time is over") for line in said)


@pytest.mark.parametrize("error", [UserError("sold out"), KeyboardInterrupt()])
def test_a_pool_that_fails_is_taken_down(server: WandbServer, error: BaseException) -> None:
    sky = FakeSky()

    def fail(name: str) -> None:
        raise error

    sky.launching = fail
    with pytest.raises(UserError, match="nothing of it is left running; the sweep is cancelled"):
        launch_pool(sky, pool_plan(), lambda line: None, 1.0)
    assert sky.pooled == {} and open_launches() == {}
    assert [sweep.state for sweep in server.sweeps.values()] == ["CANCELED"]
