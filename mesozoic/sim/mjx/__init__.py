"""Physics on a device: MuJoCo MJX, written in JAX or in NVIDIA Warp."""
