"""Trains one stage in a run folder: begins it, or goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mesozoic.curricula.gate import Gate
from mesozoic.curricula.loop import StageLoop
from mesozoic.errors import Problems, UserError, shown
from mesozoic.evaluation.episodes import Summary, baselines, run_episodes
from mesozoic.files import write_json
from mesozoic.learn.learner import State
from mesozoic.learn.policy import Policy, load_policy
from mesozoic.run import existing
from mesozoic.run.checkpoint import Checkpoints, Saved
from mesozoic.run.devices import devices_of
from mesozoic.run.display import Display, Reporter
from mesozoic.run.folder import StageFolder, save_policy
from mesozoic.run.interrupt import Interrupts
from mesozoic.run.machines.leader import Leader
from mesozoic.run.machines.line import MachineLost
from mesozoic.run.problems import stage_problems
from mesozoic.run.recorder import RunRecorder
from mesozoic.run.result import result_of
from mesozoic.run.sinks import OpenSink, Outcome, Place
from mesozoic.run.sinks.guard import Guard, close_all
from mesozoic.run.sinks.table import FILES
from mesozoic.run.stage_spec import BUDGET, StageSpec
from mesozoic.run.stop import Stops, TimeLimit, Watch, error_of, nobody
from mesozoic.run.versions import cores, versions
from mesozoic.sim.physics import PHYSICS
from mesozoic.sim.samples import Stream
from mesozoic.species import Species, get_species

SEED_BITS = 32
"""Seeds of trainings are smaller than 2 to this power."""


def train_stage(
    spec: StageSpec,
    run: Path,
    resume: bool = True,
    sinks: Mapping[str, OpenSink] = FILES,
    reporter: Reporter | None = None,
    limit: TimeLimit | None = None,
    watch: Watch | None = None,
    leader: Leader | None = None,
) -> dict[str, Any]:
    """Train the stage of `spec` in `run`, and return what `metrics.json` says of it.

    A run folder that holds a checkpoint of the same configuration is continued, bit for bit; one
    that is finished is only reported.

    Args:
        resume: else an earlier run in the folder is set aside.
        sinks: where metrics go, by the name that warnings call them.
        reporter: tells how it goes; default: a display on standard error.
        limit: of the time that it may take.
        watch: is told of each evaluation, and may stop the training.
        leader: of the other machines that train with this one.

    Raises:
        UserError: bad input, or files of another run; nothing was written. Or the folder was removed meanwhile.
        Diverged: a number became none; a checkpoint of the last finite state was written.
        Stopped: a signal came, or the time is over; a checkpoint was written.
        MachineLost: another machine is gone; the last checkpoint is there.
    """
    if wrong := stage_problems(spec):
        raise Problems(wrong)
    reporter = reporter or Display()
    folder = StageFolder(run, spec.config.stage.number)
    with Interrupts() as interrupts, folder.locked():
        warm_start = None if spec.load is None else load_policy(spec.load)
        record = {"identity": spec.to_json(), "versions": versions(), "cores": cores()}
        if PHYSICS[spec.physics].impl:
            record["devices"] = devices_of(spec.physics, spec.gpu_ids)
        saved = None
        if resume:
            result = existing.finished(folder, spec)
            if result is not None:
                return result
            saved = existing.begun(folder, spec)
        elif (aside := folder.set_aside()) is not None:
            reporter.say(f"the earlier run is kept as {aside}")
        folder.begin({**record, "config": spec.config.model_dump(mode="json")})
        stops = Stops(interrupts, limit, watch, nobody if leader is None else leader.signalled)
        return _train(spec, folder, record, warm_start, saved, sinks, reporter, stops, leader)


def _train(
    spec: StageSpec,
    folder: StageFolder,
    record: dict[str, Any],
    warm_start: Policy | None,
    saved: Saved | None,
    sinks: Mapping[str, OpenSink],
    reporter: Reporter,
    stops: Stops,
    leader: Leader | None,
) -> dict[str, Any]:
    config, seed, plan = spec.config, spec.seed, spec.config.curriculum
    species = get_species(spec.species)
    if leader is not None:
        leader.begin(spec)
    learner = spec.kind.make(species, config, seed, warm_start, spec.physics, spec.gpu_ids)
    if leader is not None:
        learner = leader.lead(learner)
    checkpoints = Checkpoints(folder.checkpoints, record, saved)
    recorder = RunRecorder(folder, reporter, stops, checkpoints)
    checkpoints.add("learner", learner)
    checkpoints.add("recorder", recorder)

    def evaluate(policy: Policy) -> Summary:
        return run_episodes(policy.act, species, config, seed, Stream.GATE).summary()

    def certify(policy: Policy, number: int) -> Summary:
        fresh = seed + (number << SEED_BITS)  # a seed of training is below that, so each number has its own episodes
        return run_episodes(policy.act, species, config, fresh, Stream.CERTIFY).summary()

    title = f"{spec.species} stage {config.stage.number} {config.stage.name}"
    begin = learner.step
    outcome: Outcome = "failed"
    reporter.begin(title, plan.timesteps, begin)
    try:
        reporter.say(f"{title}: {plan.timesteps:,} steps at most, {config.stage.n_envs} worlds, seed {seed}")
        reporter.say(f"files: {folder.path}")
        if saved is not None:
            _say_resumed(reporter, saved, record, begin, plan.timesteps)
        measured = _Baselines()
        checkpoints.add("baselines", measured)
        measured.measure(species, spec)
        for name, summary in measured.figures.items():
            reporter.say(f"{name}: success {summary['success']:.2f}  reward {summary['avg_reward']:.1f}")
        loop = StageLoop(learner, evaluate, certify, Gate(plan, measured.figures), plan, recorder)
        checkpoints.add("loop", loop)
        place = Place(
            stage=folder.stage,
            folder=folder.path,
            title=title,
            config=record["identity"],
            step=begin,
            warn=lambda line: reporter.say(f"warning: {line}"),
            stop=stops.ask,
        )
        recorder.sinks = [Guard(name, opens, place) for name, opens in sinks.items()]
        stop = loop.run()
        if stop is not None:
            outcome = "finished" if stop.reason == "pruned" else "preempted"
            reporter.say(f"checkpoint at {learner.step:,} steps in {folder.checkpoints}; run again to go on")
            raise error_of(stop)
        save_policy(folder.final_policy, learner.policy())
        recorder.phase("finished")
        result = result_of(spec, folder, record, learner.step, loop.progress, recorder, measured.figures)
        write_json(folder.metrics, result)
        outcome = "finished"
        return result
    except MachineLost:
        outcome = "preempted"
        raise
    except FileNotFoundError:
        if folder.stands():
            raise
        raise UserError(
            f"{folder.path} was removed or renamed while the training wrote to it, so nothing more can be saved there;"
            " put it back and run again to go on, or run again to begin anew"
        ) from None
    finally:
        close_all(recorder.sinks, outcome, hurry=lambda: stops.now() is not None)
        reporter.end()


class _Baselines:
    """Figures of the statue and of random actions, measured once and kept in the checkpoint."""

    def __init__(self) -> None:
        self.figures: dict[str, Summary] = {}

    def state(self) -> State:
        return dict(self.figures)

    def set_state(self, state: State) -> None:
        self.figures = {str(name): dict(figures) for name, figures in state.items()}

    def measure(self, species: Species, spec: StageSpec) -> None:
        if not self.figures:
            self.figures = baselines(species, spec.config, spec.seed, Stream.GATE)


def _say_resumed(reporter: Reporter, saved: Saved, record: dict[str, Any], step: int, budget: int) -> None:
    for damaged in saved.damaged:
        reporter.say(f"warning: {damaged}; the one before is whole and is used")
    reporter.say(f"going on from the checkpoint at {step:,} steps")
    ended = saved.manifest["identity"].get(BUDGET, budget)
    if ended != budget:
        reporter.say(
            f"note: begun with a budget of {ended:,} steps, now {budget:,}: what falls with it goes on from there"
        )
    before, now = saved.manifest.get("cores"), cores()
    if before != now:
        reporter.say(f"note: begun on {before} cores, now {now}: the result may differ in the last bits")
    device, here = saved.manifest.get("devices"), record.get("devices")
    if device is not None and device != here:
        reporter.say(
            f"note: begun on {shown(device)}, now {here}: the result differs in the last bits, which grow as it goes on"
        )
    old, new = saved.manifest.get("versions", {}), versions()
    changed = [f"{name} {old.get(name)} -> {new[name]}" for name in new if old.get(name) != new[name]]
    if changed:
        reporter.say(f"note: versions changed ({', '.join(changed)}): the result may differ in the last bits")
