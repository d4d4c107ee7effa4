"""The Stable-Baselines3 learners: PPO and SAC on the batched environment. Needs the extra `[sb3]`."""
