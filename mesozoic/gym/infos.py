"""What the `info` of a step says, of one world and of many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.task import Transition

Mask = NDArray[np.bool_]


def info_of(transition: Transition) -> dict[str, Any]:
    """Of world 0: the weighted reward terms as `reward/<term>`, and once the episode has ended `reasons`, a list."""
    info: dict[str, Any] = {f"reward/{name}": value.item(0) for name, value in transition.terms.items()}
    if transition.terminated[0] or transition.truncated[0]:
        info["reasons"] = _reasons(transition, 0)
    return info


def infos_of(transition: Transition, mask: Mask) -> dict[str, Any]:
    """Of the worlds of `mask` [n], as Gymnasium wants it: arrays [n], and under `_<key>` where they mean something."""
    infos: dict[str, Any] = {}
    if not mask.any():
        return infos
    for name, value in transition.terms.items():
        infos[f"reward/{name}"], infos[f"_reward/{name}"] = np.where(mask, value, np.float32(0.0)), mask.copy()
    ended = mask & (transition.terminated | transition.truncated)
    if ended.any():
        infos["reasons"], infos["_reasons"] = _objects(ended), ended
        for world in np.flatnonzero(ended).tolist():
            infos["reasons"][world] = _reasons(transition, world)
    return infos


def final_infos_of(transition: Transition, ended: Mask) -> dict[str, Any]:
    """What is said of the last step of episodes after which others have begun already, in the worlds of `ended` [n].

    `final_obs` holds their last observations [nobs], `final_info` what `infos_of` says.
    """
    if not ended.any():
        return {}
    final_obs = _objects(ended)
    for world in np.flatnonzero(ended).tolist():
        final_obs[world] = transition.next_observation[world].copy()
    return {
        "final_obs": final_obs,
        "_final_obs": ended.copy(),
        "final_info": infos_of(transition, ended),
        "_final_info": ended.copy(),
    }


def _objects(mask: Mask) -> NDArray[np.object_]:
    return np.full(len(mask), None, dtype=object)


def _reasons(transition: Transition, world: int) -> list[str]:
    """Why an episode ended."""
    if transition.succeeded[world]:
        return ["succeeded"]
    if transition.terminated[world]:
        return [name for name, ended in transition.reasons.items() if ended[world]]
    return ["timeout"]
