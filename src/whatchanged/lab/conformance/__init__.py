"""The sandbox contract as checks that any backend can be held to.

``run_conformance(lambda config: Sandbox(config, backend=MyBackend()))`` runs them all and returns a `Report`. The
checks need git and a temporary folder on the host, and no network.
"""

from collections.abc import Collection

from whatchanged.lab.conformance import commands, escapes, files, life, limits, processes, setup
from whatchanged.lab.conformance.suite import CHECKS, Bench, Check, MakeSandbox, Outcome, Report, Skipped, run

__all__ = ["CHECKS", "Bench", "Check", "MakeSandbox", "Outcome", "Report", "Skipped", "run_conformance"]

_ROOMS = (commands, processes, files, life, setup, limits, escapes)  # importing them fills CHECKS


def run_conformance(make: MakeSandbox, *, only: Collection[str] | None = None) -> Report:
    """Hold a backend to the contract.

    Args:
        make: Makes a sandbox of the backend from a configuration, not started. What it adds to the configuration
            (``dataclasses.replace(config, isolation="none")``) is part of what is tested.
        only: Names of checks to run; all by default.

    Raises:
        ValueError: If there is no check of a name in `only`.
    """
    known = {one.name for one in CHECKS}
    if only is not None and (unknown := sorted(set(only) - known)):
        raise ValueError(f"there is no check {unknown[0]!r}; see whatchanged.lab.conformance.CHECKS")
    return run(make, [one for one in CHECKS if only is None or one.name in only])
