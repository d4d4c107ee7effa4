"""Statistics of the episodes that end during training."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesozoic.task import Transition


class EpisodeTracker:
    """Sums up rewards and lengths per world and averages over the episodes that ended since `pop`."""

    def __init__(self, n: int) -> None:
        self._return = np.zeros(n)
        self._length = np.zeros(n, dtype=np.int64)
        self._clear()

    def _clear(self) -> None:
        self._ended: dict[str, float] = {}
        self._terms: dict[str, float] = {}
        self._steps = 0

    def add(self, transition: Transition) -> None:
        """Count one control step of every world."""
        self._return += transition.reward
        self._length += 1
        self._steps += len(self._length)
        for name, value in transition.terms.items():
            self._terms[name] = self._terms.get(name, 0.0) + float(value.sum())
        done = transition.terminated | transition.truncated
        if not done.any():
            return
        ended = {
            "episodes": float(done.sum()),
            "reward": float(self._return[done].sum()),
            "length": float(self._length[done].sum()),
            "timeout": float(transition.truncated.sum()),
            **{f"end/{name}": float(mask.sum()) for name, mask in transition.reasons.items()},
        }
        for name, number in ended.items():
            self._ended[name] = self._ended.get(name, 0.0) + number
        self._return[done] = 0.0
        self._length[done] = 0

    def pop(self) -> dict[str, float]:
        """Metrics since the last call: episode means, shares of endings, reward terms per step."""
        metrics = {f"reward/{name}": total / self._steps for name, total in self._terms.items()}
        episodes = self._ended.pop("episodes", 0.0)
        if episodes:
            metrics["rollout/episodes"] = episodes
            metrics["rollout/episode_reward"] = self._ended.pop("reward") / episodes
            metrics["rollout/episode_length"] = self._ended.pop("length") / episodes
            metrics["end/timeout"] = self._ended.pop("timeout") / episodes
            metrics |= {name: count / episodes for name, count in self._ended.items()}
        self._clear()
        return metrics

    def state(self) -> dict[str, Any]:
        """The running episodes; sums since the last `pop` are not part of it, so pop first."""
        return {"return": self._return.copy(), "length": self._length.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        self._return, self._length = state["return"].copy(), state["length"].copy()
        self._clear()
