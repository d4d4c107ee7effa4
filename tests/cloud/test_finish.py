"""After the launch: follow, bring home, give back; and running again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fake_sky import A10, FakeSky

from mesozoic.cloud.ledger import write_ledger
from mesozoic.cloud.sky import finish as finishing
from mesozoic.cloud.sky.bucket import pull_from_bucket
from mesozoic.cloud.sky.client import Job, Unreachable
from mesozoic.cloud.sky.finish import GONE, finish, follow
from mesozoic.cloud.sky.launch import Submitted
from mesozoic.cloud.sky.pull import pull
from mesozoic.cloud.sky.stop import stop
from mesozoic.errors import UserError

NAME = "mesozoic-a"


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSky:
    monkeypatch.setenv("MESOZOIC_CLOUD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)
    sky = FakeSky()
    sky.cluster(NAME)
    sky.queue[NAME] = [Job(1, "mesozoic-train", "RUNNING", 1000, 1010, None)]
    write_ledger("launch", NAME, run_name="a")
    return sky


def test_all_in_one_go(sky: FakeSky) -> None:
    said: list[str] = []
    assert finish(sky, Submitted(NAME, 1, A10), "a", said.append, pull_it=True, down=True) == "SUCCEEDED"
    assert Path("runs/a/stage1/models/stage1_final.zip").read_bytes() == b"policy"
    assert sky.there == {}
    order = [call.split()[0] for call in sky.calls if call.split()[0] in ("tail", "download", "down")]
    assert order == ["tail", "download", "down"]
    assert "results are in runs/a; now: mesozoic eval runs/a" in said
    assert "no cluster, managed job or pool of this project is left" in said[-1]


def test_a_failed_run_comes_home_too_and_the_machine_goes(sky: FakeSky) -> None:
    sky.job_states = ["FAILED"]
    assert finish(sky, Submitted(NAME, 1, A10), "a", lambda line: None, pull_it=True, down=True) == "FAILED"
    assert Path("runs/a").is_dir()
    assert sky.there == {}


def test_a_run_that_failed_before_it_wrote_anything(sky: FakeSky) -> None:
    sky.job_states, sky.files = ["FAILED_SETUP"], None
    assert finish(sky, Submitted(NAME, 1, A10), "a", lambda line: None, pull_it=True, down=True) == "FAILED_SETUP"
    assert not Path("runs/a").exists()
    assert sky.there == {}


def test_results_that_cannot_be_had_keep_the_machine(sky: FakeSky) -> None:
    sky.files = None
    with pytest.raises(UserError, match="could not copy"):
        finish(sky, Submitted(NAME, 1, A10), "a", lambda line: None, pull_it=True, down=True)
    assert NAME in sky.there


def test_a_machine_that_vanishes(sky: FakeSky) -> None:
    sky.job_states = ["GONE"]
    assert follow(sky, NAME, 1, lambda line: None) == GONE


def test_the_network_may_break_while_following(sky: FakeSky, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks = iter([True, True, False])
    tail = sky.tail

    def shaky(name: str, job: int | None, follow: bool, lines: int) -> int:
        if next(breaks):
            raise Unreachable("no route to host")
        return tail(name, job, follow, lines)

    monkeypatch.setattr(sky, "tail", shaky)
    assert follow(sky, NAME, 1, lambda line: None) == "SUCCEEDED"


def test_silence_has_an_end(sky: FakeSky, monkeypatch: pytest.MonkeyPatch) -> None:
    sky.network = False
    clock = iter(range(0, 100000, 100))
    monkeypatch.setattr(finishing.time, "monotonic", lambda: next(clock))
    with pytest.raises(Unreachable, match=f"ends itself when idle.*mesozoic cloud pull {NAME}"):
        follow(sky, NAME, 1, lambda line: None)


def test_pull_again_but_never_over_another_run(sky: FakeSky) -> None:
    for _ in range(2):  # a training that goes on is pulled again and again
        assert pull(sky, sky.there[NAME], None, None, print) == Path("runs/a")
    other = sky.cluster("mesozoic-b")
    with pytest.raises(UserError, match="runs/a holds another run already; give another folder with --output"):
        pull(sky, other, "a", None, print)
    assert pull(sky, other, "a", Path("elsewhere"), print) == Path("elsewhere")
    Path("runs/mine").mkdir()
    Path("runs/mine/keep").touch()
    with pytest.raises(UserError, match="holds another run"):
        pull(sky, other, "mine", None, print)


def test_pull_of_a_cluster_that_was_not_launched_from_here(sky: FakeSky) -> None:
    other = sky.cluster("mesozoic-b")
    with pytest.raises(UserError, match=r"its run is not known.*--run"):
        pull(sky, other, None, None, print)
    with pytest.raises(UserError, match=r"--run '\.\./x' is not usable"):
        pull(sky, other, "../x", None, print)


def test_a_managed_run_comes_from_its_bucket(sky: FakeSky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "aws"
    tool.parent.mkdir()
    tool.write_text(
        '#!/bin/sh\necho "$@" > asked\nmkdir -p "$5/stage1/models"\ntouch "$5/stage1/models/best_model.zip"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    write_ledger("launch", "mesozoic-m", managed=True, run_name="m", envs={"BUCKET": "my-runs"})
    with pytest.raises(UserError, match="knows no bucket 'my-runs'"):
        pull_from_bucket(sky, "mesozoic-m", None, None, print)
    sky.buckets["my-runs"] = ["S3"]
    assert pull_from_bucket(sky, "mesozoic-m", None, None, print) == Path("runs/m")
    target = str(tmp_path / "runs" / "m")  # a whole path: no name is taken for an option
    assert Path("asked").read_text().split() == ["s3", "sync", "--no-progress", "s3://my-runs/m", target]
    assert Path("runs/m/stage1/models/best_model.zip").is_file()
    tool.write_text("#!/bin/sh\necho 'AccessDenied' >&2; exit 1\n")
    with pytest.raises(UserError, match=r"could not copy s3://my-runs/other .AccessDenied"):
        pull_from_bucket(sky, "mesozoic-m", "other", None, print)
    assert not Path("runs/other").exists()


def test_stop_says_where_it_cannot(sky: FakeSky) -> None:
    with pytest.raises(UserError, match=f"Lambda cannot stop an instance.*mesozoic cloud pull {NAME}.*down {NAME}"):
        stop(sky, sky.there[NAME])
    spot = sky.cluster("mesozoic-b", placement=A10.__class__("aws", "r", "g6", "L4:1", True, 1, 0.4))
    with pytest.raises(UserError, match="aws cannot stop spot machines"):
        stop(sky, spot)
    assert not any(call.startswith("stop") for call in sky.calls)
    stop(sky, sky.cluster("mesozoic-c", placement=A10.__class__("gcp", "r", "g2", "L4:1", False, 1, 0.4)))
    assert sky.calls[-1] == "stop mesozoic-c"
