"""The sandbox contract over Modal: the real client, the loopback control plane, every check that ships."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from plane import Plane

from whatchanged.lab.conformance import CHECKS, Bench, Check, Skipped
from whatchanged.lab.environment.modal import ModalBackend
from whatchanged.lab.environment.sandbox import Sandbox

DIFFERS = {
    "network_comes_when_asked_for": "the sandbox is on another machine",
}
"""What Modal is not asked for, and why."""

NEEDS_MEMORY = {"memory_of_one_process_is_limited", "memory_of_all_processes_is_limited"}
"""Checks of a promise that Modal makes only where a limit of memory is configured."""


@pytest.fixture(scope="module")
def bench(plane: Plane) -> Iterator[Bench]:
    with Bench(lambda config: Sandbox(config, backend=ModalBackend())) as bench:
        yield bench


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
def test_contract(check: Check, bench: Bench) -> None:
    if check.name in NEEDS_MEMORY:
        pytest.skip("memory is contained where it is configured; see test_modal_backend")
    reason = ""
    try:
        check.run(bench)
    except Skipped as skipped:
        reason = str(skipped)
    assert reason == DIFFERS.get(check.name, "")


def test_no_sandbox_is_left(bench: Bench, plane: Plane) -> None:
    with bench:
        pass
    assert plane.running() == []
