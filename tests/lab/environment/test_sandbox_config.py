"""The configuration: what scripts for Seer write, what is refused, and what is found before anything starts."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from whatchanged.errors import IsolationUnavailable, PackageError, SecretMissing
from whatchanged.lab.environment import ExecutionMode, ModelConfig, RepoConfig, Sandbox, SandboxConfig
from whatchanged.lab.environment.sandbox import open_backend

pytestmark = pytest.mark.filterwarnings("ignore:without isolation and with an interpreter")


def test_names_order_and_defaults_are_those_of_scripts_for_seer() -> None:
    parameters = list(inspect.signature(SandboxConfig).parameters.values())
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert positional == [
        "gpu", "gpu_count", "execution_mode", "models", "python_packages", "system_packages", "secrets", "repos",
        "env", "timeout", "local_files", "local_dirs", "debug",
    ]  # fmt: skip
    plain = SandboxConfig()
    assert (plain.gpu, plain.gpu_count, plain.timeout, plain.debug) == (None, 1, 3600, False)
    assert plain.execution_mode is ExecutionMode.NOTEBOOK
    assert (ModelConfig("m").var_name, ModelConfig("m").hidden, ModelConfig("m").is_peft) == (
        "model",
        False,
        False,
    )
    assert (RepoConfig("a/b").dockerfile, RepoConfig("a/b").install, RepoConfig("a/b").ref) == (
        None,
        False,
        None,
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("nickjiang2378/interp_embed", "interp_embed"),
        ("https://example.org/team/tool.git", "tool"),
        ("git@example.org:team/tool.git", "tool"),
        ("file:///srv/repos/tool/", "tool"),
        ("/srv/repos/tool", "tool"),
    ],
)
def test_a_clone_is_named_after_its_url(url: str, name: str) -> None:
    assert RepoConfig(url=url).name == name


@pytest.mark.parametrize("url", ["", "  ", "--upload-pack=/bin/sh", "owner/.."])
def test_an_url_that_names_no_folder_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="got"):
        RepoConfig(url=url)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"secrets": "OPENROUTER_API_KEY"}, "list of texts"),
        ({"secrets": ["sk-live-abcdef"]}, "14 characters"),  # a value where a name belongs: not shown
        ({"secrets": ["KEY"], "env": {"KEY": "x"}}, "both for KEY"),
        ({"python_packages": ["--index-url=http://elsewhere"]}, "not an option"),
        ({"repos": [RepoConfig("a/tool"), RepoConfig("b/tool")]}, "share the folder 'tool'"),
        ({"timeout": 0}, "positive number of seconds"),
        ({"isolation": "docker"}, "'bubblewrap', 'none' or None"),
        ({"memory": 1}, "memory must be at least"),
        ({"processes": 1}, "processes must be at least"),
    ],
)
def test_mistakes_are_refused(fields: dict[str, object], error: str) -> None:
    with pytest.raises((ValueError, TypeError), match=error) as caught:
        SandboxConfig(**fields)  # type: ignore[arg-type]
    assert "sk-live" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "secrets", "wanted"),
    [
        (None, [], False),
        (None, ["OPENROUTER_API_KEY"], True),
        (None, ["DATABASE_PASSWORD"], False),
        (False, ["OPENROUTER_API_KEY"], False),
        (True, [], True),
    ],
)
def test_the_network_follows_the_secrets_unless_told(
    network: bool | None, secrets: list[str], wanted: bool
) -> None:
    assert SandboxConfig(network=network, secrets=secrets).wants_network is wanted


def test_the_backend_is_chosen_by_configuration_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHATCHANGED_BACKEND", raising=False)
    assert open_backend(None).name == "local"
    monkeypatch.setenv("WHATCHANGED_BACKEND", "nonsense")
    assert open_backend("local").name == "local"
    with pytest.raises(ValueError, match="there is no backend 'nonsense'; use one of local, modal"):
        open_backend(None)


def test_secrets_are_found_in_a_file_and_missing_ones_are_all_named(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRST_SECRET", raising=False)
    (place / ".env").write_text("FIRST_SECRET='from the file'\n", encoding="utf-8")
    with Sandbox(SandboxConfig(secrets=["FIRST_SECRET"], isolation="none")) as sandbox:
        assert sandbox.exec('printf %s "$FIRST_SECRET"') == "from the file"
    with pytest.raises(SecretMissing, match="SECOND_SECRET, THIRD_SECRET") as caught:
        Sandbox(SandboxConfig(secrets=["FIRST_SECRET", "SECOND_SECRET", "THIRD_SECRET"])).start()
    assert "from the file" not in str(caught.value)


def test_without_bubblewrap_the_start_is_refused_with_a_remedy(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(IsolationUnavailable, match=re.escape("apt-get install bubblewrap")) as caught:
        Sandbox(SandboxConfig()).start()
    assert "isolation='none'" in str(caught.value)


def test_where_namespaces_are_forbidden_its_own_words_are_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "bin").mkdir()
    forbidden = place / "bin" / "bwrap"
    forbidden.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    forbidden.chmod(0o755)
    monkeypatch.setenv("PATH", str(place / "bin"))
    with pytest.raises(IsolationUnavailable, match="No permissions to create new namespace"):
        Sandbox(SandboxConfig()).start()


def test_the_network_cannot_be_switched_off_without_isolation() -> None:
    with pytest.raises(ValueError, match="network cannot be switched off"):
        Sandbox(SandboxConfig(isolation="none", network=False)).start()


def test_a_missing_system_package_names_the_command(place: Path) -> None:
    with pytest.raises(PackageError, match="apt-get install no-such-package-here"):
        Sandbox(SandboxConfig(isolation="none", system_packages=["git", "no-such-package-here"])).start()


def test_what_this_machine_does_not_give_is_told(place: Path) -> None:
    repo = RepoConfig("repo", dockerfile="Dockerfile")
    config = SandboxConfig(gpu="A100", isolation="none", repos=[repo], debug=True)
    with (
        pytest.warns(UserWarning, match="use backend='modal' for a GPU"),
        pytest.warns(UserWarning, match="dockerfile= is not built"),
        pytest.warns(UserWarning, match="serves no editor"),
        pytest.raises(Exception, match="git could not clone"),
    ):
        Sandbox(config).start()


def test_a_sandbox_is_started_once(place: Path) -> None:
    sandbox = Sandbox(SandboxConfig(isolation="none"))
    with sandbox, pytest.raises(ValueError, match="was started before"):
        sandbox.start()
    with pytest.raises(ValueError, match="name names a folder"):
        Sandbox(SandboxConfig()).start(name="../elsewhere")
