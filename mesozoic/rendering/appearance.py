"""What an animal looks like, as plain values that a web page draws: read from its compiled model, without OpenGL."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesozoic.errors import UserError, shown
from mesozoic.rendering import scene
from mesozoic.species import Species

VISIBLE_GROUPS = 3
"""MuJoCo draws geoms of the groups below this one."""
UNPAINTED = (0.5, 0.5, 0.5, 1.0)
"""The colour of a geom that says nothing of it: that of its material counts."""
SKY_ROWS = 8
"""Steps in which the colours of the sky are read, from the top to the horizon."""
PLANE, MESH, HEIGHT_FIELD, SDF = "plane", "mesh", "hfield", "sdf"


def appearance_of(species: Species, model: Any = None) -> dict[str, Any]:
    """Bodies, shapes, floor, lights, sky and camera of an animal, JSON.

    Lengths are metres, quaternions `w x y z`, colours of [0, 1] as MuJoCo computes with them, without gamma.
    A page needs nothing else to draw poses: `qpos` through the tree of `bodies`, or the frames of all bodies.

    Args:
        model: of the animal, compiled with everything that can be seen; default: it is compiled here.

    Raises:
        UserError: a part of it has a shape that cannot be drawn there.
    """
    if model is None:
        model = species.load_model()
    look, head = model.vis.global_, model.vis.headlight
    return {
        "hip_height": species.hip_height,
        "bodies": [_body(model, body) for body in range(model.nbody)],
        "geoms": [shape for geom in range(model.ngeom) if (shape := _shape(species, model, geom)) is not None],
        "floor": _floor(model),
        "sun": _sun(model),
        "headlight": {kind: _plain(getattr(head, kind)) for kind in ("ambient", "diffuse", "specular")},
        "sky": _sky(model),
        "haze": _plain(model.vis.rgba.haze[:3]),
        "camera": {"azimuth": look.azimuth, "elevation": look.elevation, "fovy": look.fovy},
        "marks": _marks(species.hip_height, -float(model.opt.gravity[2])),
    }


def _marks(hip_height: float, gravity: float) -> dict[str, Any]:
    """Colours and sizes, in hip heights, of what is drawn beside the animal: what it should reach, and pushes.

    `arrow_scale`: metres of the arrow for a push of 1 m/s.
    """
    return {
        "open": scene.OPEN,
        "struck": scene.STRUCK,
        "bark": scene.BARK,
        "shade": scene.SHADE,
        "red": scene.RED,
        "opacity": scene.TARGET_OPACITY,
        "core": scene.TARGET_CORE,
        "trunk": scene.TARGET_TRUNK,
        "post": scene.TARGET_POST,
        "arrow_width": scene.ARROW_WIDTH,
        "arrow_scale": scene.ARROW_REACH * math.sqrt(hip_height / gravity),
        "arrow_gap": scene.ARROW_GAP,
        "arrow_fade": scene.ARROW_FADE,
    }


def _body(model: Any, body: int) -> dict[str, Any]:
    first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
    return {
        "name": model.body(body).name,
        "parent": int(model.body_parentid[body]),
        "pos": _plain(model.body_pos[body]),
        "quat": _plain(model.body_quat[body]),
        "joints": [_joint(model, joint) for joint in range(first, first + count)],
    }


def _joint(model: Any, joint: int) -> dict[str, Any]:
    from mesozoic.species.simulator import mujoco

    at = int(model.jnt_qposadr[joint])
    kind = mujoco.mjtJoint(int(model.jnt_type[joint])).name.removeprefix("mjJNT_").lower()
    return {
        "kind": kind,
        "qpos": at,
        "axis": _plain(model.jnt_axis[joint]),
        "pos": _plain(model.jnt_pos[joint]),
        "ref": float(model.qpos0[at]),
    }


def _shape(species: Species, model: Any, geom: int) -> dict[str, Any] | None:
    """A geom as it is drawn; None for the floor and for what is not seen."""
    kind, rgba = _kind(model, geom), _colour(model, geom)
    if kind == PLANE or model.geom_group[geom] >= VISIBLE_GROUPS or rgba[3] == 0.0:
        return None
    if kind in (HEIGHT_FIELD, SDF):
        name = shown(model.geom(geom).name or str(geom), 40)
        raise UserError(
            f"{species.name}: geom '{name}' is of type {kind}, which the page cannot draw; use a mesh or a plain shape"
        )
    material = int(model.geom_matid[geom])
    shine = {
        name: round(float(getattr(model, f"mat_{name}")[material]), 7) if material >= 0 else default
        for name, default in (("specular", 0.5), ("shininess", 0.5), ("emission", 0.0))
    }
    return {
        "kind": kind,
        "body": int(model.geom_bodyid[geom]),
        "pos": _plain(model.geom_pos[geom]),
        "quat": _plain(model.geom_quat[geom]),
        "size": _plain(model.geom_size[geom]),
        "box": _plain(model.geom_aabb[geom]),
        "rgba": rgba,
        **shine,
        **(_mesh(model, geom) if kind == MESH else {}),
    }


def _kind(model: Any, geom: int) -> str:
    from mesozoic.species.simulator import mujoco

    name: str = mujoco.mjtGeom(int(model.geom_type[geom])).name
    return name.removeprefix("mjGEOM_").lower()


def _colour(model: Any, geom: int) -> list[float]:
    material, own = int(model.geom_matid[geom]), _plain(model.geom_rgba[geom])
    return _plain(model.mat_rgba[material]) if material >= 0 and tuple(own) == UNPAINTED else own


def _mesh(model: Any, geom: int) -> dict[str, str]:
    """Corners [k, 3] float32 and faces [m, 3] int32 of a mesh, base64."""
    mesh = int(model.geom_dataid[geom])
    corners = slice(int(model.mesh_vertadr[mesh]), int(model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh]))
    faces = slice(int(model.mesh_faceadr[mesh]), int(model.mesh_faceadr[mesh] + model.mesh_facenum[mesh]))
    return {
        "corners": packed(model.mesh_vert[corners].astype("<f4")),
        "faces": packed(model.mesh_face[faces].astype("<i4")),
    }


def _floor(model: Any) -> dict[str, Any] | None:
    """Pixels of the floor's pattern, and how often a metre repeats them; None without a textured plane."""
    from mesozoic.species.simulator import mujoco

    for geom in range(model.ngeom):
        material = int(model.geom_matid[geom])
        if _kind(model, geom) != PLANE or material < 0:
            continue
        texture = int(model.mat_texid[material, int(mujoco.mjtTextureRole.mjTEXROLE_RGB)])
        if texture < 0:
            continue
        width, height = int(model.tex_width[texture]), int(model.tex_height[texture])
        first, channels = int(model.tex_adr[texture]), int(model.tex_nchannel[texture])
        pixels = model.tex_data[first : first + width * height * channels].reshape(height, width, channels)
        repeat = _plain(0.5 * model.mat_texrepeat[material])  # texuniform: of two metres
        return {"repeat": repeat, "width": width, "height": height, "pixels": packed(pixels[:, :, :3])}
    return None


def _sun(model: Any) -> dict[str, Any] | None:
    """The first light; None if the model has none."""
    if model.nlight == 0:
        return None
    return {name: _plain(getattr(model, f"light_{name}")[0]) for name in ("dir", "ambient", "diffuse", "specular")}


def _sky(model: Any) -> list[list[float]]:
    """Colours of the sky from the top down to the horizon; none without a texture of the sky."""
    from mesozoic.species.simulator import mujoco

    for texture in range(model.ntex):
        if model.tex_type[texture] != int(mujoco.mjtTexture.mjTEXTURE_SKYBOX):
            continue
        width, channels = int(model.tex_width[texture]), int(model.tex_nchannel[texture])
        first, side = int(model.tex_adr[texture]), width * width * channels  # six square faces, one below the other
        face = model.tex_data[first + 4 * side : first + 5 * side].reshape(width, width, channels)
        rows = np.linspace(0, width // 2, SKY_ROWS + 1).astype(int)
        return [_plain(face[row, width // 2, :3] / 255.0) for row in rows]
    return []


def packed(array: NDArray[Any]) -> str:
    """The bytes of an array, row by row, base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _plain(values: Any) -> list[float]:
    """Numbers as lists, without the digits that float32 does not have."""
    return [round(float(value), 7) for value in np.asarray(values).ravel()]
