"""What stands in a local sandbox: the seed's set-up code, packages, repositories, weights, files."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from sandbox_world import marked, repository, traces

from whatchanged.errors import PackageError, SandboxError
from whatchanged.lab.environment import ModelConfig, RepoConfig, Sandbox, SandboxConfig
from whatchanged.lab.environment.files import bring_home, remove_tree
from whatchanged.lab.environment.packages import paths_in
from whatchanged.lab.environment.repos import clone, clone_address, import_paths, without_credentials

pytestmark = pytest.mark.filterwarnings("ignore:without isolation and with an interpreter")

_CANARY = "sk-or-v1-0123456789abcdef"


def _wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module, made by hand, for a pip that sees no index."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{inner},sha256={digest},{len(text)}\n"
        archive.writestr(
            f"{name}-{version}.dist-info/RECORD", f"{record}{name}-{version}.dist-info/RECORD,,\n"
        )
    return path


def test_the_seeds_set_up_code_runs(place: Path, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    package = {"src/interp_embed/__init__.py": "def encode(text):\n    return len(text)\n"}
    commit = repository(place / "mirror" / "nickjiang2378" / "interp_embed.git", package)
    rewrite = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{place}/mirror/.insteadOf"}
    for name, value in {**rewrite, "GIT_CONFIG_VALUE_0": "https://github.com/"}.items():
        monkeypatch.setenv(name, value)
    for name in ("GEMINI_API_KEY", "OPENROUTER_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, f"{_CANARY}-{name}")
    before = traces(place / "tmp")

    from whatchanged.lab.environment import ExecutionMode, RepoConfig, Sandbox, SandboxConfig

    config = SandboxConfig(
        gpu="A100",
        execution_mode=ExecutionMode.NOTEBOOK,
        repos=[RepoConfig(url="nickjiang2378/interp_embed")],
        system_packages=["git"],
        python_packages=["torch", "transformers", "pandas", "numpy", "scipy", "matplotlib", "openai"],
        secrets=["GEMINI_API_KEY", "OPENROUTER_API_KEY", "HF_TOKEN"],
        timeout=7200,
        isolation=isolation,
    )
    with pytest.warns(UserWarning, match="backend='modal' for a GPU"):
        sandbox = Sandbox(config).start()

    code = (
        "import interp_embed, numpy, openai, os; print(interp_embed.encode('four'), os.environ['HF_TOKEN'])"
    )
    done = sandbox.exec_python(code)
    assert done == f"4 {_CANARY}-HF_TOKEN\n", done.stderr
    assert sandbox.redactor(done) == "4 [HF_TOKEN]\n"
    assert sandbox.repo_handles[0].commit == commit
    assert sandbox.repo_handles[0].path == f"{sandbox.workspace}/interp_embed"
    sandbox.write_file("report.md", "# What changed")
    sandbox.terminate()
    assert (sandbox.outputs / "report.md").read_text(encoding="utf-8") == "# What changed"
    assert not marked(sandbox.sandbox_id)
    assert traces(place / "tmp") == before


def test_packages_are_installed_into_the_sandbox_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    wheel = _wheel(place / "wheels", "tiny_test_package", "1.2")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    config = SandboxConfig(isolation=isolation, python_packages=["numpy", "tiny_test_package==1.2"])
    with Sandbox(config) as sandbox:
        done = sandbox.exec_python(
            "import tiny_test_package, numpy; print(tiny_test_package.VERSION, numpy.__file__)"
        )
        version, numpy = done.split()
        seen = sandbox.exec("env")
    import numpy as the_hosts

    assert version == "1.2"
    assert numpy == the_hosts.__file__  # not installed again
    assert "PIP_" not in seen
    with pytest.raises(ModuleNotFoundError):
        __import__("tiny_test_package")
    with pytest.raises(PackageError, match=r"No matching distribution found for tiny_test_package==9"):
        Sandbox(SandboxConfig(isolation=isolation, python_packages=["tiny_test_package==9"])).start()


def test_a_local_index_is_seen_with_the_files_beside_its_pages(place: Path) -> None:
    (place / "index" / "simple").mkdir(parents=True)
    (place / "wheels").mkdir()
    settings = {
        "PIP_EXTRA_INDEX_URL": f"file://{place}/index/simple https://example.org/simple",
        "A": "/no/such/place",
    }
    assert paths_in(settings | {"PIP_FIND_LINKS": str(place / "wheels")}) == [
        place / "index",
        place / "wheels",
    ]


def test_a_newer_version_stands_before_the_hosts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(_wheel(place / "wheels", "iniconfig", "99.0").parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with Sandbox(SandboxConfig(isolation="none", python_packages=["iniconfig>=99"])) as sandbox:
        assert sandbox.exec_python("import iniconfig; print(iniconfig.VERSION)") == "99.0\n"


def test_weights_are_at_hand_and_a_hidden_name_is_not_told(
    place: Path, tiny_model: Path, bubblewrap: None
) -> None:
    secret_name = place / "model-that-flatters"
    secret_name.symlink_to(tiny_model)
    model = ModelConfig(str(secret_name), var_name="subject", hidden=True)
    with Sandbox(SandboxConfig(models=[model])) as sandbox:
        (handle,) = sandbox.model_handles
        assert handle.path == "/models/subject"
        assert "flatters" not in sandbox.exec("mount; env; ls -R /models")
        code = f"import json; print(json.load(open('{handle.path}/config.json'))['num_hidden_layers'])"
        assert sandbox.exec_python(code) == "4\n"
        assert not sandbox.exec(f"rm {handle.path}/config.json").ok


def test_the_embedded_reader_is_at_hand_without_a_copy(
    reader_folder: Path, place: Path, isolation: str
) -> None:
    with Sandbox(SandboxConfig(isolation=isolation, disk=2**26)) as sandbox:
        code = "from whatchanged.models.embedded import reader_path; print((reader_path() / 'config.json').read_text())"
        done = sandbox.exec_python(code)
        assert done.strip() == (reader_folder / "config.json").read_text(encoding="utf-8").strip(), (
            done.stderr
        )


def test_files_outside_the_workspace_need_isolation(place: Path, bubblewrap: None) -> None:
    (place / "data.txt").write_text("data", encoding="utf-8")
    with Sandbox(SandboxConfig(local_files=[("data.txt", "/srv/data.txt")])) as sandbox:
        assert sandbox.read_file("/srv/data.txt") == b"data"
    with pytest.raises(ValueError, match="without isolation, files go below"):
        Sandbox(SandboxConfig(local_files=[("data.txt", "/srv/data.txt")], isolation="none")).start()
    with pytest.raises(ValueError, match="must not go up"):
        Sandbox(SandboxConfig(local_files=[("data.txt", "../data.txt")], isolation="none")).start()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["src/tool/__init__.py", "setup.py"], ("/w/tool/src", "/w/tool")),
        (["tool/__init__.py", "tests/test_a.py"], ("/w/tool",)),
        (["__init__.py", "core.py"], ("/w/tool", "/w")),
        (["src/__init__.py", "main.py"], ("/w/tool",)),  # "src" is itself the package
        ([], ("/w/tool",)),
    ],
)
def test_import_paths_follow_the_layout(files: list[str], expected: tuple[str, ...]) -> None:
    assert import_paths("/w/tool", files) == expected


def test_addresses(place: Path) -> None:
    assert clone_address("owner/name") == "https://github.com/owner/name.git"
    assert clone_address("https://example.org/a/b") == "https://example.org/a/b"
    (place / "owner" / "name").mkdir(parents=True)
    assert clone_address("owner/name") == str(place / "owner" / "name")


def test_credentials_in_an_url_are_neither_told_nor_left_in_the_clone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert without_credentials("from https://me:token@example.org/a") == "from https://example.org/a"
    commit = repository(place / "mirror" / "tool.git", {"a.py": ""})
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{place}/mirror/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://me:token@example.org/")
    assert clone(RepoConfig("https://me:token@example.org/tool.git"), place / "clone", timeout=60) == commit
    assert "token" not in (place / "clone" / ".git" / "config").read_text(encoding="utf-8")
    with pytest.raises(SandboxError) as caught:
        clone(RepoConfig("https://me:token@example.org/absent.git"), place / "other", timeout=60)
    assert "token" not in str(caught.value)


def test_a_clone_shares_no_file_with_the_original(place: Path) -> None:
    repository(place / "original", {"a.py": ""})
    clone(RepoConfig(str(place / "original")), place / "clone", timeout=60)
    shared = [path for path in (place / "clone").rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert shared == []


def test_hooks_of_the_host_do_not_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(place / "original", {"a.py": ""})
    template = place / "template" / "hooks"
    template.mkdir(parents=True)
    (template / "post-checkout").write_text(f"#!/bin/sh\ntouch {place}/ran\n", encoding="utf-8")
    (template / "post-checkout").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    clone(RepoConfig(str(place / "original")), place / "clone", timeout=60)
    assert not (place / "ran").exists()


def test_home_comes_only_what_is_a_plain_file(place: Path) -> None:
    top = place / "top"
    (top / "deep").mkdir(parents=True)
    (top / "deep" / "made.txt").write_text("made", encoding="utf-8")
    (top / "link").symlink_to("/etc/passwd")
    os.mkfifo(top / "pipe")
    home = bring_home(top, {}, place / "home")
    assert home.files == ("deep/made.txt",)
    assert home.left_out == {"link": "a link", "pipe": "a socket, pipe or device"}
    assert home.bytes == 4


def test_a_tree_is_removed_whatever_its_modes(place: Path) -> None:
    (place / "top" / "closed" / "deep").mkdir(parents=True)
    (place / "kept").mkdir()
    (place / "top" / "link").symlink_to(place / "kept")
    (place / "top" / "closed").chmod(0o000)
    remove_tree(place / "top")
    assert not (place / "top").exists()
    assert (place / "kept").exists()


def test_a_hostile_snapshot_harms_nobody(
    place: Path, bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place / "userhome"))
    (place / "victim").mkdir()
    with Sandbox(SandboxConfig()) as sandbox:
        sandbox.exec(["ln", "-s", str(place / "victim"), "out"])
        snapshot = sandbox.snapshot("with a link out")
    # An archive whose entries go through the link, as a process of the sandbox could forge it.
    forged = place / "forged"
    forged.mkdir()
    (forged / "out").mkdir()
    (forged / "out" / "planted.txt").write_text("planted", encoding="utf-8")
    plain = Path(snapshot.reference).with_suffix("")
    subprocess.run(["gunzip", "--keep", snapshot.reference], check=True)
    subprocess.run(["tar", "-rf", plain, "-C", forged, "out/planted.txt"], check=True)
    subprocess.run(["gzip", "--force", plain], check=True)
    with suppress(SandboxError), Sandbox.from_snapshot(snapshot, SandboxConfig()):
        pass
    assert list((place / "victim").iterdir()) == []
