"""A canary secret, printed in every way we know, is found nowhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from lab_world import CANARY, living, notebook

from whatchanged.errors import CellError
from whatchanged.lab.execution import NotebookSession, create_local_session
from whatchanged.lab.execution.render import render

FORMS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "inside base64": base64.b64encode(f"Bearer {CANARY}".encode()).decode()[12:-4],
    "hex": CANARY.encode().hex(),
    "url": quote(CANARY, safe=""),
    "reversed": CANARY[::-1],
    "half": CANARY[: len(CANARY) // 2],
    "other half": CANARY[len(CANARY) // 2 :],
}

CELLS = {
    "plain": "print(KEY)",
    "value": "KEY",
    "repr in a list": "[KEY, {'a': KEY}]",
    "base64": "import base64; print(base64.b64encode(KEY.encode()).decode())",
    "inside base64": "print(base64.b64encode(f'Bearer {KEY}'.encode()).decode())",
    "hex": "print(KEY.encode().hex())",
    "url": "import urllib.parse; print(urllib.parse.quote(KEY, safe=''))",
    "reversed": "print(KEY[::-1])",
    "two writes": "import sys, time\nprint(KEY[:21], end='', flush=True); time.sleep(0.6); print(KEY[21:])",
    "two streams": "print(KEY[:21], flush=True); time.sleep(0.4); print(KEY[21:], file=sys.stderr)",
    "two displays": "display(KEY[:21]); display(KEY[21:])",
    "print and value": "print(KEY[:21])\nKEY[21:]",
    "two lines with words": "print('first', KEY[:21]); print('second', KEY[21:])",
    "letters": "print(list(KEY)); print('\\n'.join(KEY))",
    "long output": "print('x' * 49_990 + KEY + 'y' * 99_000)",
    "flood": "print('x' * 399_990 + KEY + 'y' * 2_000_000)",
    "html": "from IPython.display import HTML, Image\nHTML(f'<b>{KEY[:21]}</b><i>{KEY[21:]}</i>')",
    "json": "display({'application/json': {'k': KEY, KEY: [KEY]}}, raw=True)",
    "metadata": "display('x', metadata={'note': KEY})",
    "error": "raise ValueError(f'bad key {KEY}')",
    "its own name": "raise type(KEY, (Exception,), {})(KEY[:30])",
    "source in a traceback": f"def f(key={CANARY!r}):\n    1 / 0\nf({CANARY!r})",
    "crash": "import os; os.write(2, KEY.encode()); os.kill(os.getpid(), 6)",
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookSession]:
    folder = tmp_path_factory.mktemp("keyed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANARY_API_KEY", CANARY)
        session = create_local_session(workspace_dir=folder / "work", notebook_dir=folder / "out")
    with session:
        yield session
    assert living(folder) == []


@pytest.mark.parametrize("name", CELLS)
def test_no_form_of_the_canary_is_told_or_written(keyed: NotebookSession, name: str) -> None:
    keyed.exec("import base64, os, sys, time, urllib.parse\nKEY = os.environ['CANARY_API_KEY']")
    result = keyed.exec(CELLS[name], check=False)
    told = json.dumps(list(result.outputs), ensure_ascii=False) + str(render(result)) + str(result.error)
    assert "[CANARY_API_KEY]" in told or name in {"flood", "long output"}
    written = keyed.notebook_path.read_text(encoding="utf-8")
    for form, value in FORMS.items():
        assert value not in told, form
        assert json.dumps(value, ensure_ascii=False)[1:-1] not in written, form
    notebook(keyed.notebook_path)


def test_an_image_that_carries_the_canary_is_left_out(keyed: NotebookSession) -> None:
    keyed.exec(
        "import io\nfrom PIL import Image as I\nfrom PIL.PngImagePlugin import PngInfo\n"
        "from IPython.display import Image\nimport os\nnote = PngInfo()\n"
        "note.add_text('k', os.environ['CANARY_API_KEY'])\n"
        "f = io.BytesIO(); I.new('RGB', (4, 4)).save(f, 'PNG', pnginfo=note)"
    )
    result = keyed.exec("Image(f.getvalue())")
    assert "image/png" not in result.outputs[0]["data"]
    assert "it carries a secret" in result.text


def test_errors_partial_results_markdown_and_files_are_clean(keyed: NotebookSession, tmp_path: Path) -> None:
    with pytest.raises(CellError, match=r"no key \[CANARY_API_KEY\]"):
        keyed.exec("import os; raise LookupError('no key ' + os.environ['CANARY_API_KEY'])")
    running = keyed.exec(
        "import os, time; k = os.environ['CANARY_API_KEY']; print(k[:21], flush=True); time.sleep(2); print(k[21:])",
        timeout=1,
    )
    assert CANARY[:21] not in running.text
    assert CANARY[21:] not in keyed.wait(running.handle).text
    keyed.add_markdown(f"The key is {CANARY}.")
    assert notebook(keyed.notebook_path)["cells"][-1]["source"] == "The key is [CANARY_API_KEY]."
