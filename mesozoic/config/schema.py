"""The typed stage configuration: every key, its range and its meaning, in one place.

A stage file has the sections `[stage] [env] [ppo] [sac] [jax] [curriculum]`. Unknown keys are errors.
All models are immutable; `StageConfig` is what the rest of the package receives.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from mesozoic.errors import UserError

MOST_LAYERS = 16
"""Hidden layers of a network."""
MOST_SAMPLES = 2**26
"""Of a rollout, which takes about half a kilobyte for each."""
NET_PRESETS = ("small", "medium", "large", "deep", "tapered", "deep_tapered")


def _integral(value: object) -> object:
    """Take `1024.0` for 1024: sweep services send every discrete value as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _net_arch(value: object) -> object:
    if isinstance(value, str) and value in NET_PRESETS:
        return value
    widths = value if isinstance(value, list | tuple) and len(value) <= MOST_LAYERS else ()
    if widths and all(type(width) is int and 1 <= width <= 4096 for width in widths):
        return tuple(widths)
    presets = ", ".join(NET_PRESETS)
    message = f"should be one of {presets} or a list of 1 to {MOST_LAYERS} widths like [64, 64]"
    raise PydanticCustomError("net_arch", message)


Int = Annotated[int, Strict(), BeforeValidator(_integral)]
Float = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Weight = Annotated[Float, Field(ge=0.0, le=1000.0)]
"""Of a reward term; reward terms are of order 1."""
Offset = Annotated[Float, Field(ge=-1.0, le=1.0)]
"""Share of a stride."""
NetArch = Annotated[str | tuple[int, ...], BeforeValidator(_net_arch)]


def _largest_divisor(number: int, limit: int) -> int:
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return max(d for d in [*small, *(number // d for d in small)] if d <= limit)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageSection(Section):
    """`[stage]`: which stage this is and how many worlds run side by side."""

    number: Int = Field(ge=1, le=99, description="1 balance, 2 locomotion, 3 behaviour, or as many as the animal has")
    name: str = Field(min_length=1, description="what is learned, for example 'balance'")
    n_envs: Int = Field(64, ge=1, le=65536, description="worlds simulated side by side")


class EnvSection(Section):
    """`[env]`: the task. Speeds are in units of sqrt(g*h) of the animal, h its hip height."""

    max_episode_steps: Int = Field(
        500, ge=2, le=10**6, description="control steps (50 a second) before an episode is cut off"
    )
    reset_noise_scale: Float = Field(0.05, ge=0.0, le=0.5, description="joint noise at reset, radians and speed units")
    fall_height: Float = Field(0.6, gt=0.0, lt=1.0, description="fallen below this torso height, fraction of standing")
    fall_tilt: Float = Field(60.0, gt=0.0, lt=180.0, description="fallen beyond this torso tilt, degrees")
    push_interval: Float = Field(
        2.0, gt=0.0, le=1000.0, description="seconds; one push at a random time in each interval"
    )
    push_duration: Float = Field(0.1, gt=0.0, le=100.0, description="seconds that a push lasts")
    push_velocity_min: Float = Field(0.0, ge=0.0, le=2.0, description="weakest push: velocity change, speed units")
    push_velocity_max: Float = Field(0.0, ge=0.0, le=2.0, description="strongest push; 0 means no pushes")
    friction_range: tuple[Float, Float] | None = Field(
        None, description="if set, each episode draws the friction of floor and feet from it; the model has 1"
    )
    alive_bonus: Weight = Field(1.0, description="upright, at height and with loaded feet")
    posture_weight: Weight = Field(0.0, description="torso level as at home")
    pose_weight: Weight = Field(0.0, description="joints as at home")
    nosedive_weight: Weight = Field(0.0, description="pitching forward beyond home")
    heading_weight: Weight = Field(0.0, description="facing the target")
    drift_penalty_weight: Weight = Field(0.0, description="distance from the start, in hip heights")
    speed_penalty_weight: Weight = Field(0.0, description="horizontal speed squared, speed units")
    spin_penalty_weight: Weight = Field(0.0, description="yaw rate squared, per sqrt(h/g)")
    smoothness_weight: Weight = Field(0.0, description="mean squared change of the action")
    energy_penalty_weight: Weight = Field(0.0, description="mechanical power, per weight times sqrt(g*h)")
    target_froude: Float = Field(0.0, ge=0.0, le=2.0, description="walking speed asked for: v^2/(g*h); 0 means stand")
    gait_frequency: Float = Field(0.0, ge=0.0, le=1.0, description="strides per sqrt(h/g); 0 turns the gait clock off")
    gait_duty: Float = Field(0.6, gt=0.1, lt=0.95, description="share of its stride in which a foot should stand")
    gait_offsets: tuple[Offset, ...] = Field((0.0, 0.5), description="by how much of a stride each foot is ahead")
    clearance_height: Float = Field(0.1, gt=0.0, le=1.0, description="how high a swinging foot is lifted, hip heights")
    forward_vel_weight: Weight = Field(0.0, description="speed towards the target, saturating at target_froude")
    lateral_penalty_weight: Weight = Field(0.0, description="sideways speed, speed units")
    gait_weight: Weight = Field(0.0, description="feet on the floor when the gait clock says so")
    clearance_weight: Weight = Field(0.0, description="swinging feet lifted to clearance_height")
    slip_penalty_weight: Weight = Field(0.0, description="speed of the loaded feet over the floor, speed units")
    flight_penalty_weight: Weight = Field(0.0, description="no foot on the floor")
    target_bearing: Float = Field(0.0, ge=0.0, le=180.0, description="the target appears up to so far aside, degrees")
    prey_distance_range: tuple[Float, Float] | None = Field(None, description="distance of the prey, hip heights")
    prey_height_range: tuple[Float, Float] = Field((0.5, 0.5), description="height of the prey, hip heights")
    reach_radius: Float = Field(0.2, gt=0.0, le=10.0, description="reached within this distance, hip heights")
    reach_tilt: Float = Field(35.0, gt=0.0, lt=90.0, description="only with the torso tilted by less, degrees")
    hold_time: Float = Field(0.5, ge=0.0, le=100.0, description="and still standing so many seconds later")
    approach_weight: Weight = Field(0.0, description="distance to the prey that was closed, speed units")
    proximity_weight: Weight = Field(0.0, description="being near the prey")
    task_bonus: Float = Field(
        0.0, ge=0.0, le=10_000.0, description="reaching the prey: half then, half when still standing after it"
    )

    @property
    def task(self) -> Literal["balance", "locomotion", "behaviour"]:
        """What the animal is asked to do: stand, walk or reach the prey."""
        if self.has_target:
            return "behaviour"
        return "locomotion" if self.target_froude > 0.0 else "balance"

    @property
    def has_target(self) -> bool:
        """Whether there is something to reach."""
        return self.prey_distance_range is not None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.push_velocity_min > self.push_velocity_max:
            raise ValueError(
                f"push_velocity_min = {self.push_velocity_min} exceeds push_velocity_max = {self.push_velocity_max};"
                " lower the first or raise the second"
            )
        for key, least in (("prey_distance_range", 0.1), ("prey_height_range", 0.0), ("friction_range", 0.0)):
            limits = getattr(self, key)
            if limits is not None and not least <= limits[0] <= limits[1] <= 100.0:
                raise ValueError(
                    f"{key} = {list(limits)} should be [smallest, largest] with the smallest at least {least:g} and"
                    " the largest at most 100; correct it"
                )
        if self.push_duration >= self.push_interval:
            raise ValueError(
                f"push_duration = {self.push_duration} must be shorter than push_interval = {self.push_interval};"
                " lower push_duration"
            )
        return self


class PPOSection(Section):
    """`[ppo]`: PPO, for every backend that has it."""

    learning_rate: Float = Field(3e-4, gt=0.0, le=1.0, description="Adam step size")
    learning_rate_end: Annotated[Float, Field(ge=0.0, le=1.0)] | None = Field(
        None, description="if set, the step size falls linearly to this value"
    )
    n_steps: Int = Field(64, ge=2, le=65536, description="steps per world in one rollout")
    batch_size: Int = Field(1024, ge=1, le=2**31, description="samples in one gradient step")
    n_epochs: Int = Field(5, ge=1, le=100, description="passes over one rollout")
    gamma: Float = Field(0.99, gt=0.0, lt=1.0, description="discount factor")
    gae_lambda: Float = Field(0.95, ge=0.0, le=1.0, description="lambda of generalised advantage estimation")
    clip_range: Float = Field(0.2, gt=0.0, lt=1.0, description="clip range of the probability ratio")
    ent_coef: Float = Field(0.005, ge=0.0, le=1.0, description="entropy bonus at the start")
    ent_anneal_fraction: Float = Field(0.6, gt=0.0, le=1.0, description="share of the budget in which it falls to 0")
    vf_coef: Float = Field(0.5, ge=0.0, le=1000.0, description="weight of the value loss")
    max_grad_norm: Float = Field(0.5, gt=0.0, le=1000.0, description="gradients are scaled down to this norm")
    target_kl: Annotated[Float, Field(gt=0.0, le=1000.0)] | None = Field(
        None, description="if set, an update stops once the policy has moved this far"
    )
    log_std_init: Float = Field(-1.0, ge=-5.0, le=1.0, description="log standard deviation of the first policy")
    log_std_end: Annotated[Float, Field(ge=-5.0, le=1.0)] | None = Field(
        None, description="if set, it falls linearly to this in log_std_fraction of the budget instead of being learned"
    )
    average_updates: Int = Field(
        1,
        ge=1,
        le=10**6,
        description="the policy evaluated and saved has the mean weights of about so many last updates",
    )
    log_std_fraction: Float = Field(0.5, gt=0.0, le=1.0, description="share of the budget in which log_std falls")
    net_arch: NetArch = Field("small", description="a preset or a list of hidden layer widths")


class SACSection(Section):
    """`[sac]`: soft actor-critic (backend `sb3`)."""

    learning_rate: Float = Field(3e-4, gt=0.0, le=1.0, description="Adam step size")
    learning_rate_end: Annotated[Float, Field(ge=0.0, le=1.0)] | None = Field(None, description="linear decay to this")
    batch_size: Int = Field(512, ge=1, le=2**31, description="samples in one gradient step")
    gamma: Float = Field(0.99, gt=0.0, lt=1.0, description="discount factor")
    tau: Float = Field(0.005, gt=0.0, le=1.0, description="soft update of the target networks")
    ent_coef: Literal["auto"] | Annotated[Float, Field(ge=0.0, le=1000.0)] = Field(
        "auto", description="entropy coefficient"
    )
    buffer_size: Int = Field(300_000, ge=1, le=10**7, description="transitions kept for replay")
    learning_starts: Int = Field(10_000, ge=0, le=10**9, description="transitions collected before the first update")
    train_freq: Int = Field(1, ge=1, le=10**6, description="steps per world between updates")
    gradient_steps: Int = Field(4, ge=1, le=10**6, description="gradient steps in one update")
    net_arch: NetArch = Field("medium", description="a preset or a list of hidden layer widths")


class SB3Section(Section):
    """`[sb3]`: what only the Stable-Baselines3 learners have."""

    torch_threads: Int = Field(1, ge=1, le=256, description="threads of PyTorch; small networks are fastest with 1")


class JaxSection(Section):
    """`[jax]`: what only the JAX learner has. The names of an earlier trainer are in `override.py` and `counted.py`."""

    normalize_value: bool = Field(True, strict=True, description="the critic predicts standardised returns")
    normalize_advantage: bool = Field(True, strict=True, description="advantages are standardised in each minibatch")
    mirror: bool = Field(True, strict=True, description="learn from the mirror image of half of the samples as well")
    quiet_share: Float = Field(
        0.0, ge=0.0, le=0.9, description="share of the worlds that act without noise for a while"
    )
    quiet_from: Float = Field(0.0, ge=0.0, le=1.0, description="share of the budget after which there are quiet worlds")
    matmul_precision: Literal["default", "high", "highest"] = Field(
        "highest", description="'default' allows TF32 on GPUs, which hurts locomotion policies"
    )


class CurriculumSection(Section):
    """`[curriculum]`: the budget, the evaluations and the gate that says when the stage is solved."""

    timesteps: Int = Field(4_000_000, ge=1, le=10**12, description="budget in environment steps")
    warmup_timesteps: Int = Field(
        0, ge=0, le=10**12, description="steps in which the policy stays close to the one it began as"
    )
    warmup_clip_range: Float = Field(0.02, gt=0.0, lt=1.0, description="clip range during the warm-up")
    warmup_ent_coef: Annotated[Float, Field(ge=0.0, le=1.0)] | None = Field(
        None, description="if set, entropy bonus during the warm-up"
    )
    ramp_timesteps: Int = Field(
        0, ge=0, le=10**12, description="steps in which the stage's walking and reaching terms grow in"
    )
    ramp_start_value: Float = Field(0.1, ge=0.0, le=1.0, description="share of their weights at the start")
    eval_freq: Int = Field(200_000, ge=1, le=10**12, description="environment steps between evaluations")
    save_freq: Int = Field(200_000, ge=1, le=10**12, description="environment steps between checkpoints")
    eval_episodes: Int = Field(64, ge=1, le=4096, description="episodes of one evaluation, all at once")
    required_consecutive: Int = Field(3, ge=1, le=1000, description="evaluations in a row that must pass the gate")
    min_avg_reward: Float = Field(0.0, ge=-1e9, le=1e9, description="gate: the mean episode return must exceed this")
    min_avg_episode_length: Float = Field(
        0.0, ge=0.0, le=1e6, description="gate: the mean length must exceed this (steps)"
    )
    min_survival: Float = Field(0.0, ge=0.0, lt=1.0, description="gate: lower bound of the share of episodes survived")
    min_success: Float = Field(0.0, ge=0.0, le=1.0, description="gate: share of episodes in which the task was done")
    min_success_low: Float = Field(0.0, ge=0.0, lt=1.0, description="gate: lower bound of that share")
    speed_tolerance: Float = Field(
        0.2, gt=0.0, le=100.0, description="a walk is on speed within this share of the target"
    )
    max_flight: Float = Field(0.05, ge=0.0, le=1.0, description="a walk has no foot on the floor for less than this")
    min_alternation: Float = Field(
        0.9, gt=0.0, le=1.0, description="share of strides in which left and right alternate"
    )
    min_stride_length: Float = Field(
        0.8, ge=0.0, le=100.0, description="mean stride of a walk that does not shuffle, hip heights"
    )
    max_slip: Float = Field(
        0.4,
        gt=0.0,
        le=100.0,
        description="speed at which the loaded feet of a walk slide, as a share of the target speed",
    )
    max_drift: Float = Field(
        0.15, gt=0.0, le=100.0, description="sideways over forward displacement of a straight walk"
    )


class StageConfig(Section):
    """One stage, complete and checked."""

    stage: StageSection
    env: EnvSection = EnvSection()
    ppo: PPOSection = PPOSection()
    sac: SACSection = SACSection()
    jax: JaxSection = JaxSection()
    sb3: SB3Section = SB3Section()
    curriculum: CurriculumSection = CurriculumSection()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.curriculum.min_avg_episode_length >= self.env.max_episode_steps:
            raise ValueError(
                f"curriculum.min_avg_episode_length = {self.curriculum.min_avg_episode_length:g} can never be exceeded"
                f" by episodes of env.max_episode_steps = {self.env.max_episode_steps};"
                f" lower it below {self.env.max_episode_steps}"
            )
        return self

    def check_ppo_batches(self) -> None:
        """Refuse a rollout of PPO that does not divide into whole batches.

        Raises:
            UserError: naming a batch size that fits.
        """
        rollout = self.stage.n_envs * self.ppo.n_steps
        if rollout > MOST_SAMPLES:
            raise UserError(
                f"a rollout of stage.n_envs * ppo.n_steps = {self.stage.n_envs} * {self.ppo.n_steps} = {rollout} steps"
                f" does not fit into memory; lower one of them, to at most {MOST_SAMPLES} together"
            )
        if rollout % self.ppo.batch_size:
            fits = _largest_divisor(rollout, self.ppo.batch_size)
            raise UserError(
                f"a rollout of stage.n_envs * ppo.n_steps = {self.stage.n_envs} * {self.ppo.n_steps} = {rollout} steps"
                f" does not divide into batches of ppo.batch_size = {self.ppo.batch_size};"
                f" set ppo.batch_size={fits} or change n_envs"
            )
