"""The contract's checks over the local backend, with bubblewrap and without; and over broken ones, which they catch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from sandbox_world import ISOLATIONS, isolation_works

from whatchanged.errors import SandboxError
from whatchanged.lab.conformance import CHECKS, Report, run_conformance
from whatchanged.lab.environment import Completed, Sandbox, SandboxConfig
from whatchanged.lab.environment.contract import FILE_LIMIT, GUARANTEES, OUTPUT_LIMIT
from whatchanged.lab.environment.local import UNISOLATED, LocalBackend

pytestmark = pytest.mark.filterwarnings("ignore:without isolation and with an interpreter")


def _make(isolation: str, config: SandboxConfig) -> Sandbox:
    return Sandbox(replace(config, isolation=isolation, backend="local"))


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """Both runs at once: most of a check's time is waiting."""
    kinds = [kind for kind in ISOLATIONS if kind == "none" or isolation_works()]
    with ThreadPoolExecutor() as pool:
        return dict(
            zip(kinds, pool.map(lambda kind: run_conformance(partial(_make, kind)), kinds), strict=True)
        )


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_every_check_holds(isolation: str, reports: dict[str, Report]) -> None:
    if isolation not in reports:
        pytest.skip("bubblewrap is missing or forbidden here")
    report = reports[isolation]
    assert not report.of("fail"), str(report)
    assert len(report.outcomes) == len(CHECKS) >= 40


def test_with_bubblewrap_nothing_is_skipped(reports: dict[str, Report]) -> None:
    if "bubblewrap" not in reports:
        pytest.skip("bubblewrap is missing or forbidden here")
    assert not reports["bubblewrap"].of("skip"), str(reports["bubblewrap"])


def test_without_it_only_what_is_not_promised_is_skipped(reports: dict[str, Report]) -> None:
    reasons = {outcome.reason.split()[0] for outcome in reports["none"].of("skip")}
    assert reasons - {"/dev/shm"} <= set(GUARANTEES) - UNISOLATED


class _Mute(LocalBackend):
    """Loses what commands write to standard error."""

    def exec(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        output_limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        done = super().exec(
            command, timeout=timeout, cwd=cwd, env=env, stdin=stdin, output_limit=output_limit
        )
        return Completed(done.stdout, "", done.returncode, timed_out=done.timed_out)


class _Careless(LocalBackend):
    """Calls a missing file empty and never says why it is over."""

    def read_file(self, path: str, *, limit: int = FILE_LIMIT) -> bytes:
        try:
            return super().read_file(path, limit=limit)
        except SandboxError:
            return b""

    def ended(self) -> SandboxError | None:
        return None


@pytest.mark.parametrize(
    ("backend", "caught", "kept"),
    [
        (_Mute, {"streams_are_separate", "missing_folder_is_told"}, {"return_code_is_told"}),
        (_Careless, {"missing_file_is_told", "large_file_is_refused"}, {"file_comes_back_as_written"}),
    ],
)
def test_the_checks_catch_a_broken_backend(
    backend: type[LocalBackend], caught: set[str], kept: set[str]
) -> None:
    make = lambda config: Sandbox(replace(config, isolation="none"), backend=backend())  # noqa: E731
    report = run_conformance(make, only=caught | kept)
    assert {outcome.check.name for outcome in report.of("fail")} == caught, str(report)
    assert {outcome.check.name for outcome in report.of("pass")} == kept


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no check 'nonsense'"):
        run_conformance(partial(_make, "none"), only={"nonsense"})
