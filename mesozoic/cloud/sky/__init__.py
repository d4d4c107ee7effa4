"""Renting through SkyPilot: launching, watching, bringing results home, and giving back.

`sky_client.py` is what talks to SkyPilot; nothing here imports it before it is needed. Read `launch.py` first.
"""
