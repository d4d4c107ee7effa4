"""Physics on a device: MuJoCo MJX, written in JAX or in NVIDIA Warp."""

from mesozoic.species.simulator import mujoco as mujoco  # before its MJX, which does not cope without OpenGL
