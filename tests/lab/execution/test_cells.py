"""What cells give back and what the notebook keeps of them."""

from __future__ import annotations

import base64
import threading
import time

import pytest
from lab_world import DOT, notebook

from whatchanged.errors import CellError
from whatchanged.lab.execution import CellResult, NotebookSession
from whatchanged.lab.execution.session import NOTEBOOK_TEXT


def test_variables_live_from_cell_to_cell_and_each_kind_of_output_comes_back(shared: NotebookSession) -> None:
    shared.exec("import sys\nnumber = 20")
    result = shared.exec("print(number + 1); print('bad', file=sys.stderr); number * 2")
    kinds = [
        (o["output_type"], o.get("name"), o.get("text") or o["data"]["text/plain"]) for o in result.outputs
    ]
    assert sorted(kinds) == [
        ("execute_result", None, "40"), ("stream", "stderr", "bad\n"), ("stream", "stdout", "21\n"),
    ]  # fmt: skip
    assert result["outputs"] == result.outputs
    assert result.text.endswith("40\n")
    assert notebook(shared.notebook_path)["cells"][-1]["outputs"] == list(result.outputs)


def test_an_error_raises_with_its_traceback_and_the_next_cell_runs(shared: NotebookSession) -> None:
    with pytest.raises(CellError, match="ZeroDivisionError: division by zero") as caught:
        shared.exec("def f():\n    return 1 / 0\nf()")
    assert isinstance(caught.value.result, CellResult)
    assert "f()" in caught.value.result.text
    result = shared.exec("1 / 0", check=False)
    assert (result.status, result.error) == ("error", "ZeroDivisionError: division by zero")
    assert notebook(shared.notebook_path)["cells"][-1]["metadata"]["tags"] == ["raises-exception"]
    assert shared.exec("'alive'").text == "'alive'\n"


def test_the_result_is_on_disk_before_it_is_given(shared: NotebookSession) -> None:
    for number in range(5):
        shared.exec(f"print('cell number', {number})")
        assert notebook(shared.notebook_path)["cells"][-1]["outputs"][0]["text"] == f"cell number {number}\n"
    shared.add_markdown("# Found\nnothing")
    assert notebook(shared.notebook_path)["cells"][-1]["source"] == "# Found\nnothing"


def test_a_long_cell_gives_a_handle_and_signs_of_life(shared: NotebookSession) -> None:
    first = shared.exec("import time\nprint('begun', flush=True)\ntime.sleep(3)\nprint('ended')", timeout=1.5)
    assert (first.status, first.text, first.execution_count) == ("running", "begun\n", None)
    behind = shared.exec("'behind'", timeout=0)
    assert behind.status == "queued"
    time.sleep(1)
    later = shared.wait(first.handle, timeout=0)
    assert later.seconds >= 1
    assert later.memory is not None
    assert later.memory > 10_000_000
    assert shared.wait(first.handle).text == "begun\nended\n"
    assert shared.wait(behind.handle).text == "'behind'\n"
    with pytest.raises(ValueError, match="no cell has the handle 99999"):
        shared.wait(99999)


def test_an_interrupt_keeps_the_variables(shared: NotebookSession) -> None:
    shared.exec("kept = 'kept'")
    running = shared.exec("import time\ntime.sleep(60)", timeout=1)
    stopped = shared.interrupt()
    assert stopped is not None
    assert (stopped.handle, stopped.status) == (running.handle, "interrupted")
    assert stopped.error is not None
    assert stopped.error.startswith("KeyboardInterrupt")
    assert shared.exec("kept").text == "'kept'\n"
    assert shared.interrupt() is None
    tags = [cell["metadata"].get("tags") for cell in notebook(shared.notebook_path)["cells"]]
    assert ["skip-execution"] in tags


def test_an_edited_cell_stands_where_it_stood(shared: NotebookSession) -> None:
    shared.exec("first = 1\nfirst")
    place = shared.exec("1 / 0", check=False).cell
    assert place is not None
    shared.exec("'after'")
    before = len(notebook(shared.notebook_path)["cells"])
    edited = shared.edit_cell("first / 4", place)
    assert (edited.text, edited.cell) == ("0.25\n", place)
    cells = notebook(shared.notebook_path)["cells"]
    assert len(cells) == before
    assert [cell["source"] for cell in cells[-3:]] == ["first = 1\nfirst", "first / 4", "'after'"]
    assert shared.edit_cell("'last'", -1).text == "'last'\n"
    with pytest.raises(ValueError, match="code cells, from 0; got cell_index=9999"):
        shared.edit_cell("1", 9999)
    running = shared.exec("import time; time.sleep(2)", timeout=0.5)
    with pytest.raises(ValueError, match="still running"):
        shared.edit_cell("1", -1)
    shared.wait(running.handle)


def test_long_text_is_cut_in_its_middle_with_counts_that_add_up(shared: NotebookSession) -> None:
    written = sum(len(f"{n} {'-' * 60}\n") for n in range(30_000))
    result = shared.exec("for n in range(30_000): print(n, '-' * 60)")
    text = result.text
    assert len(text) < NOTEBOOK_TEXT + 200
    assert text.startswith(f"0 {'-' * 60}\n1 ")
    assert text.endswith(f"\n29999 {'-' * 60}\n")
    note = next(o["text"] for o in result.outputs if "left out here" in o.get("text", ""))
    characters, lines = (int(word.replace(",", "")) for word in note.split() if word[:1].isdigit())
    shown = "".join(o["text"] for o in result.outputs if o["text"] != note)
    assert len(shown) + characters == written
    assert shown.count("\n") + lines == 30_000


def test_images_are_kept_and_capped(shared: NotebookSession) -> None:
    show = "from IPython.display import Image, display\nimport base64\n"
    result = shared.exec(f"{show}display(Image(base64.b64decode({DOT!r})))")
    image = result.outputs[0]["data"]["image/png"]
    assert base64.b64decode(image) == base64.b64decode(DOT)
    many = shared.exec(f"for n in range(90): display(Image(base64.b64decode({DOT!r})))")
    kept = [o for o in many.outputs if "image/png" in o.get("data", {})]
    assert len(kept) == 24
    assert "30 rich outputs left out" in many.text
    assert many.text.count("image/png left out: one of more than 24 images") == 36
    large = shared.exec("display(Image(b'\\x89PNG\\r\\n\\x1a\\n' + bytes(range(256)) * 15_000))")
    assert "image/png" not in large.outputs[0]["data"]
    assert "[image/png left out: 3,840,008 bytes]" in large.text
    notebook(shared.notebook_path)


def test_progress_lines_displays_and_clearing_look_as_in_jupyter(shared: NotebookSession) -> None:
    assert shared.exec("for n in range(100): print(f'\\r{n} %', end='')\nprint()").text == "99 %\n"
    shared.exec(
        "from IPython.display import display, clear_output, update_display\nh = display('old', display_id='d')"
    )
    shared.exec("update_display('new', display_id='d')")
    cells = notebook(shared.notebook_path)["cells"]
    shown = next(c for c in cells if "display_id='d')" in c["source"] and "h =" in c["source"])
    assert shown["outputs"][0]["data"]["text/plain"] == "'new'"
    assert shared.exec("print('a'); clear_output(wait=True); print('b')").text == "b\n"
    assert shared.exec("print('a'); clear_output()").text == ""


def test_calls_from_many_threads_run_in_one_order_and_get_their_own_outputs(shared: NotebookSession) -> None:
    told: dict[int, str] = {}

    def call(number: int) -> None:
        told[number] = shared.exec(f"print('mine is', {number})").text

    threads = [threading.Thread(target=call, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == {number: f"mine is {number}\n" for number in range(12)}
    counts = [
        c["execution_count"] for c in notebook(shared.notebook_path)["cells"] if c["cell_type"] == "code"
    ]
    assert counts[-12:] == sorted(counts[-12:])


def test_what_cannot_be_written_is_replaced_and_nothing_breaks(shared: NotebookSession) -> None:
    assert shared.exec("'\ud800'").text == "'?'\n"
    assert shared.exec("float('nan')").text == "nan\n"
    html = shared.exec(
        "from IPython.display import display\n"
        "display({'application/json': {'x': float('nan')}, 'text/plain': 'p'}, raw=True)"
    )
    assert html.text.startswith("p\n")
    assert shared.exec("input()", check=False).status == "error"
    assert shared.exec("%%bash\necho from bash").text == "from bash\n"
    notebook(shared.notebook_path)
