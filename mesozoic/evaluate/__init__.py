"""Batched evaluation of portable policies, baselines and video. Knows no learner."""
