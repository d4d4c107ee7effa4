"""Sweeps all stages of an animal, each from the best trial's policy of the one before, with its network.

After each stage `sweep_state.json` in the sweep's folder says what won, so the same command goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mesozoic.config.override import write_value
from mesozoic.errors import Problems, UserError, sentences_of
from mesozoic.files import cause, read_json, write_json
from mesozoic.learn.kinds import find_kind
from mesozoic.run.problems import resolve
from mesozoic.species.stages import stage_files
from mesozoic.sweep.best import best_seed, best_trial, curriculum_command, policy_of, settings_of
from mesozoic.sweep.plan import SweepPlan, SweepRequest, plan_sweep
from mesozoic.sweep.space import with_point
from mesozoic.sweep.sweep_folder import SweepFolder
from mesozoic.sweep.trial_record import read_trial

FILE = "sweep_state.json"
LARGEST = 1 << 20
"""Bytes; ours has a few hundred a stage."""


@dataclass(frozen=True)
class StageWinner:
    """What won in one stage.

    Attributes:
        policy: relative to the sweep's folder; net_arch: of its network, as an override's text.
        overrides: all that it was trained with, for its stage (see `settings_of`).
        identity: of the sweep that it won, in eight letters.
    """

    stage: int
    trial: str
    state: str
    value: float
    policy: str
    net_arch: str
    overrides: list[str]
    identity: str


def plans_of(requests: Mapping[int, SweepRequest]) -> None:
    """See that every stage could be swept, as far as that can be said before the one before it has a winner.

    Raises:
        UserError: a sentence for everything that is wrong, in any stage.
    """
    wrong: list[str] = []
    for stage, request in requests.items():
        try:
            plan = plan_sweep(replace(request, load=None if stage != min(requests) else request.load))
            wrong += [
                f"stage {stage}: {one.path} is searched, but later stages take the network of the one before; search it"
                f" in stage {min(requests)} only"
                for one in plan.parameters
                if one.path.endswith(".net_arch") and stage != min(requests)
            ]
        except UserError as error:
            wrong += [f"stage {stage}: {sentence}" for sentence in sentences_of(error)]
    if wrong:
        raise Problems(wrong)


def run_chain(
    requests: Mapping[int, SweepRequest],
    folder: SweepFolder,
    sweep: Callable[[SweepPlan], None],
    say: Callable[[str], None],
) -> list[StageWinner]:
    """Sweep stage after stage; the winner of each.

    Args:
        requests: stage -> what was asked for; sweep: runs one, to its end.

    Raises:
        UserError: a stage cannot be swept, or no trial of it ran to its end.
        Interrupted: a signal came; the same command goes on.
    """
    plans_of(requests)
    winners: list[StageWinner] = []
    known = _read(folder.path)
    for stage in sorted(requests):
        request = requests[stage]
        if winners:
            last = winners[-1]
            request = replace(request, load=folder.path / last.policy, overrides=(last.net_arch, *request.overrides))
        plan = plan_sweep(request)
        found = known.get(stage)
        if found is not None and found.identity == plan.digest() and (folder.path / found.policy).is_file():
            say(f"stage {stage} is over: trial {found.trial}, {plan.objective} {found.value:.4f}")
            winners.append(found)
            continue
        folder.begin(stage, plan.identity())
        sweep(plan)
        winners.append(_winner(folder, plan))
        _write(folder.path, winners)
        say(f"stage {stage}: trial {winners[-1].trial} won, {plan.objective} {winners[-1].value:.4f}")
    return winners


def stages_of(species: str) -> list[int]:
    """The stages of an animal, in order.

    Raises:
        UserError: there is no such animal.
    """
    return sorted(stage_files(species))


def _winner(folder: SweepFolder, plan: SweepPlan) -> StageWinner:
    stage, name, record, _ = best_trial(folder, plan.stage)
    assert record.value is not None
    spec = with_point(plan.spec, record.point)
    (resolved,) = resolve(replace(spec, seed=record.results[best_seed(record)]["seed"]))
    kind = find_kind(spec.backend, spec.algorithm)
    arch = f"{kind.section}.net_arch={write_value(list(kind.hidden(resolved.config)))}"
    policy = policy_of(folder, stage, name, record).relative_to(folder.path)
    overrides = settings_of(stage, record)
    return StageWinner(stage, name, record.state, record.value, str(policy), arch, overrides, plan.digest())


def final_command(folder: SweepFolder, winners: list[StageWinner]) -> str:
    """What to type to train a curriculum with all winners.

    Raises:
        UserError: the first winner's record is gone.
    """
    first = folder.trials(winners[0].stage) / winners[0].trial
    record = read_trial(first)
    if record is None:
        raise UserError(f"{first} holds no trial.json any more; give --no-resume to sweep anew")
    found = [text for winner in winners for text in winner.overrides if ".net_arch=" not in text]
    return curriculum_command(record.spec, [winners[0].net_arch, *found])


def _read(path: Path) -> dict[int, StageWinner]:
    try:
        raw: list[dict[str, Any]] = read_json(path / FILE, LARGEST)["stages"]
        winners = [StageWinner(**one) for one in raw]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path / FILE} is damaged ({cause(error)}); remove it, and run again to go on") from None
    return {winner.stage: winner for winner in winners}


def _write(path: Path, winners: list[StageWinner]) -> None:
    write_json(path / FILE, {"stages": [asdict(winner) for winner in winners]})


def set_aside(path: Path) -> Path | None:
    """Move an earlier chain away, for one that begins anew; where to.

    Raises:
        UserError: it cannot be moved.
    """
    if not path.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.old{number}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise UserError(f"cannot move {path} aside ({error.strerror}); give another --output-dir") from None
    return aside
