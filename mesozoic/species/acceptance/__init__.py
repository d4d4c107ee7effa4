"""What every animal must satisfy before anything learns on it, measured on its compiled model alone.

Each check is a function from a `Body` to a `Verdict`; `CHECKS` has them all. Elements of the two sides are paired by
name: `left` becomes `right`.
"""

from mesozoic.species.acceptance import contact_checks, mirror_checks, servo_checks, size_checks, standing_checks
from mesozoic.species.acceptance.body import Body, Check, Verdict

CHECKS: tuple[Check, ...] = (
    *contact_checks.CHECKS,
    *mirror_checks.CHECKS,
    *servo_checks.CHECKS,
    *standing_checks.CHECKS,
    *size_checks.CHECKS,
)

__all__ = ["CHECKS", "Body", "Check", "Verdict"]
