"""What ``import whatchanged`` costs and offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import whatchanged as wc


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for name in wc.__all__:
        assert getattr(wc, name) is not None
        assert name == "DIFF_COLUMNS" or getattr(wc, name).__doc__, name
    assert sorted(wc.__all__) == sorted(wc._MODULE)


def test_verbs_stay_verbs_after_their_folders_are_imported() -> None:
    import whatchanged.encode.plan
    import whatchanged.interpret
    import whatchanged.report  # noqa: F401

    assert callable(wc.encode)
    assert callable(wc.interpret)
    assert callable(wc.report)


def test_import_is_light_silent_and_makes_no_folder(tmp_path: Path) -> None:
    code = (
        "import sys, whatchanged, whatchanged.errors; "
        "heavy = {'torch', 'transformers', 'pandas', 'scipy', 'sae_lens', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    environment = {"HOME": str(tmp_path), "PATH": "", "WHATCHANGED_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
