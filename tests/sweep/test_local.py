"""`mesozoic sweep launch` on this machine: real trials in processes, interrupted, killed and failing."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra [sweep]")

from mesozoic.cli.app import main
from mesozoic.policies import shipped_policy
from mesozoic.sweep.plan import SweepRequest, plan_sweep
from mesozoic.sweep.sweep_folder import SweepFolder
from mesozoic.sweep.trial_record import TrialRecord

SPACE = {
    "trials": 4,
    "timesteps": 1024,
    "n_envs": 8,
    "ppo_learning_rate": {"type": "double", "min": 1e-5, "max": 1e-3, "scale": "log"},
    "ppo_n_epochs": {"type": "discrete", "values": [1, 2]},
    "env_alive_bonus": {"type": "double", "min": 1.0, "max": 3.0},
}
TINY = (
    "env.max_episode_steps=20",
    "ppo.n_steps=8",
    "ppo.batch_size=32",
    "ppo.net_arch=[16, 16]",
    "curriculum.save_freq=128",
    "curriculum.eval_episodes=8",
    "curriculum.min_success_low=0",
    "curriculum.min_avg_episode_length=0",
)


def words(folder: Path, *more: str) -> list[str]:
    fixed = [f"--override={text}" for text in TINY]
    options = ["--engine", "local", "--species", "velociraptor", "--stage", "1", "--eval-freq", "128"]
    space = ["--search-space", json.dumps(SPACE)]
    return ["sweep", "launch", *options, *space, *fixed, "--output-dir", str(folder), *more]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mesozoic", *words(folder, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(launcher: subprocess.Popen[str]) -> tuple[int, str]:
    out, said = launcher.communicate(timeout=900)
    return launcher.returncode, out + said


def records(folder: Path) -> dict[str, TrialRecord]:
    return SweepFolder(folder).records(1)


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def wait_for(what: Any, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def trained(folder: Path) -> bool:
    """Whether a trial has evaluated and saved something."""
    return any(record.reports for record in records(folder).values())


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_sweep_that_was_cut_off_goes_on_with_the_same_command(tmp_path: Path, how: signal.Signals) -> None:
    """No process is left behind, no trial is lost or done twice, and values and policies are those of one go."""
    whole = start(tmp_path / "whole", "--parallel", "1", "--pruner", "none", "--sampler", "random")
    code, said = finish(whole)
    assert code == 0 and "4 budget" in said, said

    folder = tmp_path / "cut"
    command = ("--parallel", "2", "--pruner", "none", "--sampler", "random", "--timesteps", "1024")
    launcher = start(folder, *command)
    wait_for(lambda: trained(folder))
    launcher.send_signal(how)
    code, said = finish(launcher)
    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 128 + signal.SIGINT), said
    wait_for(lambda: not processes_in(folder), 120)
    assert any(record.state == "pre-empted" for record in records(folder).values())
    code, said = finish(start(folder, *command))
    assert code == 0 and "4 budget" in said, said
    first, second = records(tmp_path / "whole"), records(folder)
    assert list(second) == ["1", "2", "3", "4"]
    for name, record in second.items():
        assert (record.state, record.point, record.value) == ("budget", first[name].point, first[name].value)
        assert record.reports == first[name].reports
    assert any("going on from the checkpoint" in (folder / "stage1" / one / "log.txt").read_text() for one in second)
    code, said = finish(start(folder, *command))
    assert code == 0 and "trial 1 on worker" not in said


@pytest.mark.e2e
def test_failures_in_a_row_take_the_worker_out_and_are_written_down(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / "stage1" / name).mkdir(parents=True)
        (tmp_path / "stage1" / name / "seed0").write_text("in the way")
    launcher = start(tmp_path, "--parallel", "1", "--pruner", "none", "--max-failures", "2")
    code, said = finish(launcher)
    assert code == 2, said
    assert "trial 1 failed (" in said and "worker 0 is taken out after 2 failures in a row" in said
    assert "2 of 4 trials are left, but no worker is" in said
    assert records(tmp_path)["1"].state == "failed" and "seed0" in records(tmp_path)["1"].why
    code, said = finish(start(tmp_path, "--parallel", "1", "--pruner", "none"))
    assert code == 0 and "2 budget, 2 failed" in said, said


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_trial_that_is_killed_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    """The others go on, and the sweep comes to its end."""
    launcher = start(tmp_path, "--parallel", "1", "--pruner", "none", "--trials", "2", "--timesteps", "65536")

    def trial() -> list[int]:
        found = [place for place in Path("/proc").glob("[0-9]*") if place.name != str(launcher.pid)]
        return [int(one.name) for one in found if is_trial(one, tmp_path)]

    wait_for(lambda: trained(tmp_path))
    os.kill(trial()[0], signal.SIGKILL)
    code, said = finish(launcher)
    assert code == 0 and "1 budget, 1 failed" in said, said
    assert "its process ended with exit code 137" in records(tmp_path)["1"].why
    assert records(tmp_path)["1"].state == "failed" and records(tmp_path)["2"].state == "budget"


def is_trial(place: Path, folder: Path) -> bool:
    try:
        line = (place / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return False
    return " sweep trial " in line and str(folder) in line


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """A command in this process."""
    monkeypatch.setattr("sys.argv", ["mesozoic", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out + captured.err


@pytest.mark.parametrize(
    ("more", "sentences"),
    [
        (["--sampler=tpee", "--pruner=ashaa"], ["unknown sampler 'tpee'", "unknown pruner 'ashaa'"]),
        (["ppo.gamma=7", "ppo.vf_coef=-1"], ["ppo.gamma should be less", "ppo.vf_coef should be greater"]),
        (["--n-envs=9"], ["a rollout of stage.n_envs * ppo.n_steps = 9 * 8 = 72 steps does not divide"]),
        (["--override=ppo.n_epochs=3"], ["ppo.n_epochs is searched, and set by an option or --override as well"]),
        (["--stage=9"], ["has no stage 9"]),
        (["--engine=ray"], ["unknown engine 'ray'"]),
        (["--parallel=many"], ["--parallel 'many' is no number"]),
        (["--objective=scores"], ["did you mean 'score'"]),
        (["--search-space-file=x.json"], ["are both given"]),
        (["trex"], ["two species, 'trex' and --species 'velociraptor'"]),
        (["--trials=0"], ["--trials"]),
        (["--parallel=100000", "ppo.gamma=7"], ["--parallel 100000 is out of range", "ppo.gamma should be less"]),
        (["--parallel=0"], ["--parallel 0 is out of range; give auto, or a number from 1 to 1024"]),
    ],
)
def test_bad_input_is_said_at_once_and_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    more: list[str],
    sentences: list[str],
) -> None:
    folder = tmp_path / "sweep"
    code, said = run(monkeypatch, capsys, *words(folder, *more))
    assert code == 2 and all(one in said for one in sentences), said
    assert not folder.exists()


def test_a_plan_is_shown_with_its_warnings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = words(tmp_path / "sweep", "--dry-run", "--objective=best_mean_reward")
    code, said = run(monkeypatch, capsys, *arguments)
    assert code == 0 and "velociraptor stage 1: 4 trials of 1,024 steps (bayes, pruner asha)" in said
    assert "warning: best_mean_reward depends on env.alive_bonus" in said
    code, said = run(monkeypatch, capsys, *words(tmp_path / "sweep", "--dry-run"))
    assert "curriculum.min_avg_reward is left out of every trial's gate" in said and "warning" not in said
    assert not (tmp_path / "sweep").exists()


def test_the_commands_of_the_docs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Launches as they stand there can start."""
    checkout = Path(__file__).parents[2]
    text = (checkout / "docs" / "sweeps.md").read_text()
    lines = re.findall(r"^mesozoic (sweep launch(?:-all)? .*)$", text, flags=re.MULTILINE)
    assert len(lines) >= 3
    monkeypatch.chdir(checkout)
    for line in lines:
        code, said = run(monkeypatch, capsys, *shlex.split(line), "--dry-run")
        nothing = "submitted" if "--engine vertex" in line else "started"
        assert code == 0 and f"dry run: nothing was {nothing}" in said, said


def test_a_folder_of_another_sweep_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps({"stage1": {"spec": {"seed": 1}}}))
    code, said = run(monkeypatch, capsys, *words(tmp_path))
    assert code == 2 and "holds another sweep of stage 1 (" in said
    assert os.listdir(tmp_path) == ["sweep.json"]


def test_a_sweep_that_never_prunes_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Trials that are over before the first judgement; several seeds are one trial."""
    arguments = words(tmp_path / "sweep", "--dry-run", "--eval-freq=1024")
    code, said = run(monkeypatch, capsys, *arguments)
    assert code == 0 and "warning: no trial will be pruned: asha judges for the first time at 1,024 steps" in said
    for more in ("--pruner=none", "--seeds-per-trial=2"):
        code, said = run(monkeypatch, capsys, *arguments, more)
        assert code == 0 and "will be pruned" not in said


def test_a_policy_to_begin_from_is_the_same_however_it_is_spelled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So the same command goes on from another folder, and a folder that is named in another way is no other sweep."""
    source = shipped_policy("velociraptor", 1)
    (tmp_path / "deep").mkdir()
    (tmp_path / "policy.zip").write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path / "deep")
    space = json.dumps({"ppo_learning_rate": {"type": "discrete", "values": [1e-4, 2e-4]}})
    one, other = (
        plan_sweep(SweepRequest("velociraptor", 1, text=space, load=load))
        for load in (Path("../policy.zip"), tmp_path / "policy.zip")
    )
    assert one.digest() == other.digest()
    assert one.trial_words({})[-1] == f"--load={tmp_path / 'policy.zip'}"
