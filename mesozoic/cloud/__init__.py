"""What every way of renting shares: requests, money, names, secrets, and the ledger that forgets nothing.

The modules here know no service that rents; `sky/` is the way through SkyPilot.
"""
