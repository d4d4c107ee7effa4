"""Rented machines: prices, launching, watching, bringing results home, and never forgetting one.

SkyPilot does the renting; `sky_client.py` is the only module that imports it, and only when it is needed.
Read `launch.py` first.
"""
