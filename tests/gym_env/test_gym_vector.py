"""`gymnasium.make_vec` gives the batch itself: the episodes of single worlds, under Gymnasium's rules for many."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.utils import env_checker
from gymnasium.utils.performance import benchmark_vector_step
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import mesozoic  # noqa: F401 - registers the ids
from mesozoic.errors import UserError
from mesozoic.gym.vector_env import DinosaurVectorEnv
from mesozoic.sim.native_env import native_env
from mesozoic.species import Species

ID = "mesozoic/Velociraptor-Balance-v0"
N = 4
SHORT = ["env.max_episode_steps=30", "curriculum.min_avg_episode_length=0", "env.push_interval=0.4"]
NEAR_PREY = [*SHORT, "env.prey_distance_range=[0.8, 1]", "env.reach_radius=1", "env.hold_time=0.1"]
TASKS = {"balance": (ID, SHORT), "walk": ("mesozoic/Brachiosaurus-Locomotion-v0", SHORT)}
TASKS["bite"] = ("mesozoic/Trex-Bite-v0", NEAR_PREY)
MODES = [mode.value for mode in AutoresetMode]


def make(mode: str = "NextStep", n: int = N, **more: Any) -> DinosaurVectorEnv:
    envs = gymnasium.make_vec(ID, num_envs=n, autoreset_mode=mode, **{"overrides": SHORT, **more})
    assert isinstance(envs, DinosaurVectorEnv)
    return envs


def moves(envs: Any, steps: int, seed: int = 0, n: int = 0) -> np.ndarray:
    """Random actions [steps, n, nu] for as many worlds as there are, or for `n`."""
    shape = (steps, n or envs.num_envs, *envs.single_action_space.shape)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def play(envs: Any, actions: np.ndarray) -> list[Any]:
    """All that an environment answers; where nothing resets by itself, worlds are reset when they have ended."""
    seen: list[Any] = []
    for action in actions:
        step = envs.step(action)
        seen.append(plain(step))
        ended = step[2] | step[3]
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            seen.append(plain(envs.reset(options={"reset_mask": ended})))
    return seen


def plain(value: Any) -> Any:
    """The same without arrays, so that `==` tells whether all bits are equal."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        wide = value.astype(np.float64) if value.dtype == np.float32 else value  # Gymnasium's loop gives float64
        return wide.shape, wide.tobytes()
    return value


def test_make_vec_gives_the_batch_itself() -> None:
    for more in ({}, {"vectorization_mode": "vector_entry_point"}):
        envs = gymnasium.make_vec(ID, num_envs=3, stage=2, overrides="env.target_froude=0.1", **more)
        assert isinstance(envs, DinosaurVectorEnv)
        assert (envs.num_envs, envs.config.stage.number, envs.config.env.target_froude) == (3, 2, 0.1)
        one = gymnasium.make(ID)
        assert (envs.single_observation_space, envs.single_action_space) == (one.observation_space, one.action_space)
        assert envs.observation_space.shape == (3, *(one.observation_space.shape or ()))
        assert envs.action_space.shape == (3, *(one.action_space.shape or ()))
        assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        assert envs.spec is not None
        again = gymnasium.make_vec(envs.spec)
        assert isinstance(again, DinosaurVectorEnv)
        assert (again.num_envs, again.config) == (3, envs.config)
    assert isinstance(gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync"), SyncVectorEnv)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", TASKS)
def test_every_bit_is_that_of_gymnasiums_own_loop_over_single_worlds(task: str, mode: str) -> None:
    """Observations, rewards, ends, and infos with their masks, final ones included, over the ends of episodes."""
    name, overrides = TASKS[task]
    ours = gymnasium.make_vec(name, num_envs=N, overrides=overrides, autoreset_mode=mode)
    loop = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}}
    theirs = gymnasium.make_vec(name, num_envs=N, overrides=overrides, **loop)
    seeds = [5, 0, 2**65, 5]
    assert plain(ours.reset(seed=seeds)) == plain(theirs.reset(seed=seeds))
    actions = moves(ours, 100)
    actions[:, 0] *= 0.1  # it stands until its time is over
    found, expected = play(ours, actions), play(theirs, actions)
    assert found == expected
    final = [step[4] for step in found if len(step) == 5 and "final_obs" in step[4]]
    assert (len(final) > 2) == (mode == "SameStep")


@pytest.mark.parametrize("n", [3, 7])
def test_world_i_of_a_seed_has_the_episodes_of_world_i_of_the_batch(species: Species, n: int) -> None:
    envs = make("SameStep", n=3)
    batch = native_env(species, envs.config.env, n, seed=7)
    np.testing.assert_array_equal(envs.reset(seed=7)[0], batch.reset()[:3])
    ends = 0
    for action in moves(envs, 80, n=n):
        expected = batch.step(action)
        observation, reward, terminated, truncated, _ = envs.step(action[:3])
        np.testing.assert_array_equal(observation, expected.observation[:3])
        np.testing.assert_array_equal(reward, expected.reward[:3])
        ends += int((terminated | truncated).sum())
    assert ends > 5


def test_without_a_seed_worlds_go_on_with_their_next_episode() -> None:
    envs, other = make(), make()
    first = envs.reset(seed=3)[0]
    second = envs.reset()[0]
    assert not (first == second).all(axis=1).any()
    np.testing.assert_array_equal(envs.reset(seed=3)[0], first)
    np.testing.assert_array_equal(envs.reset()[0], second)
    assert not (envs.reset(seed=4)[0] == first).all(axis=1).any()
    chances = [one.reset()[0] for one in (make(), other)]
    assert not (chances[0] == chances[1]).all(axis=1).any()


def test_where_a_seed_of_the_list_is_none_the_world_goes_on() -> None:
    envs, other = make(), make()
    envs.reset(seed=3)
    second = envs.reset()[0]
    envs.reset(seed=3)
    mixed = envs.reset(seed=[9, None, 9, None])[0]
    np.testing.assert_array_equal(mixed[[1, 3]], second[[1, 3]])
    np.testing.assert_array_equal(mixed[0], mixed[2])
    np.testing.assert_array_equal(mixed[0], gymnasium.make(ID, overrides=SHORT).reset(seed=9)[0])
    assert len({row.tobytes() for row in other.reset(seed=[None] * N)[0]}) == N


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_resets_some_worlds_and_leaves_the_others_as_they_are(mode: str) -> None:
    envs, undisturbed = make(mode), make(mode)
    mask = np.array([True, False, True, False])
    before, _ = envs.reset(seed=3), undisturbed.reset(seed=3)
    second = make(mode).reset(seed=8)[0]
    actions = moves(envs, 20)
    for action in actions[:10]:
        now, _ = envs.step(0.1 * action)[0], undisturbed.step(0.1 * action)
    options = {"reset_mask": mask}
    mixed = envs.reset(seed=8, options=options)[0]
    np.testing.assert_array_equal(mixed[mask], second[mask])
    np.testing.assert_array_equal(mixed[~mask], now[~mask])
    assert options["reset_mask"] is mask, "wrappers look at it too"
    for action in actions[10:]:
        ours, theirs = envs.step(0.1 * action), undisturbed.step(0.1 * action)
        for one, other in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(one[~mask], other[~mask])
            assert not np.array_equal(ours[0][mask], theirs[0][mask])
    assert before is not None


def test_a_world_that_has_ended_waits_where_nothing_resets_by_itself() -> None:
    envs = make("Disabled")
    envs.reset(seed=0)
    still = np.zeros(envs.action_space.shape or (), dtype=np.float32)
    for _ in range(30):
        _, _, terminated, truncated, _ = envs.step(still)
    assert truncated.all() and not terminated.any()
    with pytest.raises(gymnasium.error.ResetNeeded, match="world 0 has ended; call reset"):
        envs.step(still)
    envs.reset(options={"reset_mask": np.array([True, False, True, True])})
    with pytest.raises(gymnasium.error.ResetNeeded, match="world 1 has ended; call reset"):
        envs.step(still)
    envs.reset(options={"reset_mask": truncated})
    assert not envs.step(still)[3].any()


def test_worlds_that_end_all_at_once_begin_again_all_at_once() -> None:
    envs = make()
    first = envs.reset(seed=0)[0]
    still = np.zeros(envs.action_space.shape or (), dtype=np.float32)
    truncated = np.zeros(N, dtype=bool)
    while not truncated.any():
        truncated = envs.step(still)[3]
    assert truncated.all()
    observation, reward, terminated, truncated, infos = envs.step(still)
    assert not reward.any() and not terminated.any() and not truncated.any() and infos == {}
    np.testing.assert_array_equal(observation, two_resets(0))
    assert not (observation == first).all(axis=1).any()


def two_resets(seed: int) -> np.ndarray:
    envs = make()
    envs.reset(seed=seed)
    return envs.reset()[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e)), None])
@pytest.mark.parametrize("mode", MODES)
def test_a_copy_goes_on_with_the_same_bits(mode: str, copied: Callable[[Any], Any] | None) -> None:
    envs = make(mode)
    envs.reset(seed=[1, 2, 3, 4])
    play(envs, moves(envs, 40))
    other = (copied or (lambda e: pickle.loads(cloudpickle.dumps(e))))(envs)
    later = moves(envs, 60, seed=1)
    assert play(other, later) == play(envs, later)
    assert plain(other.reset()) == plain(envs.reset())


def test_what_was_handed_out_is_never_overwritten_nor_looked_at_again() -> None:
    for mode in MODES:
        envs, other = make(mode), make(mode)
        kept = [envs.reset(seed=0)]
        other.reset(seed=0)
        rows = moves(envs, 40)
        if mode != "Disabled":
            kept += [envs.step(action) for action in rows]
            before = plain(kept)
            play(envs, rows)
            assert plain(kept) == before
            for action in rows:
                for part in other.step(action)[:4]:
                    part[...] = 1
            assert plain(other.step(rows[0])) != plain(kept[-1])
            for one in (envs, other):
                one.reset(seed=5)
            mask = np.arange(N) == 0
            other.reset(seed=5)[0][:] = 7
            assert plain(envs.reset(options={"reset_mask": mask})) == plain(other.reset(options={"reset_mask": mask}))


@pytest.mark.filterwarnings("ignore:.*infinity:UserWarning")
def test_gymnasiums_own_checks_pass() -> None:
    for mode in MODES:
        envs = make(mode, n=3)
        env_checker.check_reset_seed_determinism(envs)  # type: ignore[arg-type]
        env_checker.check_reset_options(envs)  # type: ignore[arg-type]
        env_checker.check_reset_return_type(envs)  # type: ignore[arg-type]
        env_checker.check_returned_data_not_reused(make(mode, n=1))  # type: ignore[arg-type]
        assert benchmark_vector_step(envs, target_duration=0, seed=0) > 0


def test_gymnasiums_statistics_are_those_of_the_episodes() -> None:
    for mode in MODES:
        envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(make(mode))
        envs.reset(seed=0)
        total, length, seen = np.zeros(N), np.zeros(N, dtype=int), 0
        began = np.zeros(N, dtype=bool)
        for action in moves(envs, 90):
            _, reward, terminated, truncated, infos = envs.step(action)
            total, length = total + reward, length + 1
            if mode == "NextStep":
                total[began], length[began] = 0.0, 0
            ended = began = terminated | truncated
            assert ("episode" in infos) == ended.any()
            if ended.any():
                np.testing.assert_array_equal(infos["_episode"], ended)
                np.testing.assert_allclose(infos["episode"]["r"][ended], total[ended], rtol=1e-5)
                np.testing.assert_array_equal(infos["episode"]["l"][ended], length[ended])
                seen += int(ended.sum())
                if mode != "NextStep":
                    total[ended], length[ended] = 0.0, 0
                if mode == "Disabled":
                    envs.reset(options={"reset_mask": ended})
        assert seen >= 2 * N


WRAPPERS = gymnasium.wrappers.vector
ANY_MODE: list[Callable[[Any], Any]] = [
    WRAPPERS.ClipAction,
    lambda envs: WRAPPERS.RescaleAction(envs, np.float32(-2.0), np.float32(2.0)),
    lambda envs: WRAPPERS.ClipReward(envs, -1.0, 1.0),
    WRAPPERS.NormalizeReward,
    WRAPPERS.DictInfoToList,
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrap", ANY_MODE)
def test_gymnasiums_wrappers_work(wrap: Callable[[Any], Any], mode: str) -> None:
    envs = wrap(make(mode))
    envs.reset(seed=0)
    for action in moves(envs, 70):
        observation, reward, terminated, truncated, _ = envs.step(action)
        assert observation.shape == envs.observation_space.shape
        assert np.isfinite(reward).all() and np.isfinite(observation).all()
        ended = terminated | truncated
        if mode == "Disabled" and ended.any():
            envs.reset(options={"reset_mask": ended})


def test_observations_are_normalised_by_gymnasiums_wrapper() -> None:
    """Gymnasium allows it with `NextStep` alone, which therefore is what `make_vec` gives unless asked."""
    envs = WRAPPERS.TransformObservation(WRAPPERS.NormalizeObservation(make()), lambda row: np.clip(row, -9, 9))
    rows = [envs.reset(seed=0)[0], *(envs.step(action)[0] for action in moves(envs, 200))]
    late = np.concatenate(rows[100:])
    assert np.abs(late.mean(axis=0)).max() < 0.7 and 0.3 < np.median(late.std(axis=0)) < 2.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"num_envs": 0}, "num_envs 0 is out of range; give 1 to 65536"),
        ({"num_envs": 2.5}, "num_envs must be an integer, not 2.5"),
        ({"autoreset_mode": "sometimes"}, "'sometimes' is not known; use one of 'NextStep', 'SameStep', 'Disabled'"),
        ({"render_mode": "human"}, "'human' is not supported; use 'rgb_array' or None, or wrap it in .*HumanRendering"),
        ({"max_episode_steps": 9}, r"takes no 'max_episode_steps', .*use overrides=\['env.max_episode_steps=9'\]"),
        ({"colour": "red"}, "takes no 'colour', but stage, overrides, render_mode and autoreset_mode"),
        ({"stage": 9}, "stage 9"),
        ({"overrides": "env.push_intervall=1"}, "push_interval"),
    ],
)
def test_what_make_vec_cannot_give_is_refused_in_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        gymnasium.make_vec(ID, **arguments)


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        ([1, 2], "2 seeds do not fit 4 worlds; give one for each, or a single one for all"),
        ([1, 2, 3, -4], "a seed -4 is out of range; give 0 or more"),
        (-1, "seed -1 is out of range; give 0 or more"),
        (1.5, "seed must be an integer, not 1.5"),
        ("1", "seed must be an integer, not '1'"),
        ([1, 2, 3, "4"], "a seed must be an integer, not '4'"),
    ],
)
def test_a_seed_that_is_none_is_refused_and_nothing_begins(seed: Any, sentence: str) -> None:
    envs, other = make(), make()
    for one in (envs, other):
        one.reset(seed=0)
    with pytest.raises(UserError, match=sentence):
        envs.reset(seed=seed)
    assert plain(envs.reset()) == plain(other.reset())


@pytest.mark.parametrize(
    "mask", [[True] * N, np.ones(3, bool), np.ones(N, int), np.zeros(N, bool), np.ones((N, 1), bool)]
)
def test_a_mask_that_is_none_is_refused(mask: Any) -> None:
    envs = make()
    envs.reset(seed=0)
    with pytest.raises(UserError, match=r"must be a NumPy array \(4,\) of bool, at least one True; it is "):
        envs.reset(options={"reset_mask": mask})


def test_everything_needs_a_reset_of_all_worlds_first() -> None:
    envs = make(render_mode="rgb_array")
    for call in (lambda: envs.step(envs.action_space.sample()), envs.render):
        with pytest.raises(gymnasium.error.ResetNeeded):
            call()
    with pytest.raises(gymnasium.error.ResetNeeded, match="without 'reset_mask' once"):
        envs.reset(options={"reset_mask": np.arange(N) == 1})


@pytest.mark.parametrize("shape", [(14,), (1, 14), (N, 1), (N, 14, 1), ()])
def test_actions_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    envs, env = make(), gymnasium.make(ID).unwrapped
    envs.reset(seed=0)
    env.reset(seed=0)
    with pytest.raises(UserError, match=r"the action has the shape .* it must be \(4, 14\)"):
        envs.step(np.zeros(shape, dtype=np.float32))
    if shape != (14,):
        with pytest.raises(UserError, match=r"the action has the shape .* it must be \(14,\)"):
            env.step(np.zeros(shape, dtype=np.float32))


class TestPictures:
    pytestmark = pytest.mark.usefixtures("opengl")

    def test_are_one_of_each_world_or_of_some(self) -> None:
        envs = make("SameStep", render_mode="rgb_array")
        envs.reset(seed=0)
        for action in moves(envs, 5):
            envs.step(action)
        every = envs.render()
        assert every is not None and len(every) == N
        assert {(one.shape, one.dtype) for one in every} == {((540, 960, 3), np.dtype(np.uint8))}
        assert len({one.tobytes() for one in every}) == N, "each its own"
        some = envs.render([2, 0])
        assert some is not None
        for one, other in zip(some, (every[2], every[0]), strict=True):
            assert np.abs(one.astype(int) - other).max() <= 2
        with pytest.raises(UserError, match="a world 4 is out of range; give 0 to 3"):
            envs.render([4])
        envs.close()
        envs.close()
        assert make().render() is None

    def test_are_those_of_the_single_world(self) -> None:
        """Over the end of an episode, where the camera begins anew."""
        envs = make(n=2, stage=3, render_mode="rgb_array", overrides=NEAR_PREY)
        one = gymnasium.make(ID, stage=3, render_mode="rgb_array", overrides=NEAR_PREY)
        envs.reset(seed=[4, 6])
        one.reset(seed=6)
        ended = False
        for t, action in enumerate(moves(envs, 45)):
            _, _, terminated, truncated, _ = envs.step(action)
            if ended:
                one.reset()
            else:
                one.step(action[1])
            ended = bool(terminated[1] or truncated[1])
            if t % 11 == 0 or t > 42:
                drawn, expected = envs.render([1]), one.render()
                assert drawn is not None
                np.testing.assert_array_equal(drawn[0], expected)
        envs.close()

    @pytest.mark.filterwarnings("ignore:.*same-step.*:UserWarning", "ignore:.*Overwriting.*:UserWarning")
    def test_are_recorded_by_gymnasium(self, tmp_path: Any) -> None:
        pytest.importorskip("moviepy", reason="Gymnasium records with it")
        envs = WRAPPERS.RecordVideo(make(n=2, render_mode="rgb_array"), str(tmp_path), disable_logger=True)
        envs.reset(seed=0)
        for action in moves(envs, 5):
            envs.step(action)
        envs.close()
        assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]
