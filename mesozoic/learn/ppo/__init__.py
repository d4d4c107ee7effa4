"""PPO in JAX: one learner for environments on the host and on a device."""
