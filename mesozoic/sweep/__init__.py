"""Sweeps: reading a sweep file, the sweep on its server, the agent on a machine, one run of it. Rents nothing."""
