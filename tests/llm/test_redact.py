"""Secrets, in every form they may travel in."""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from whatchanged.llm.redact import Redactor

KEY = "sk-or-v1/9f+3a\"b=&c'7e~Zq<d>"
REDACT = Redactor({"KEY": KEY, "EMPTY": "", "SHORT": "abc"})

CODERS: list[Callable[[str], str]] = [
    str,
    lambda k: quote(k, safe=""),
    quote_plus,
    lambda k: re.sub("%..", lambda m: m[0].lower(), quote(k, safe="")),
    lambda k: "".join(f"%{b:02x}" for b in k.encode()),
    lambda k: k.encode().hex(),
    lambda k: k.encode().hex().upper(),
    lambda k: json.dumps({"key": k}),
    repr,
    html.escape,
    lambda k: base64.b64encode(k.encode()).decode(),
    lambda k: base64.urlsafe_b64encode(k.encode()).decode(),
    lambda k: base64.b64encode(f"Bearer {k}".encode()).decode(),
    lambda k: base64.b64encode(f"user:{k}\n".encode()).decode(),
    lambda k: base64.b64encode(f"xx{k}yy".encode()).decode(),
]


@pytest.mark.parametrize("code", CODERS)
def test_every_form_is_taken_out_of_the_middle_of_a_text(code: Callable[[str], str]) -> None:
    text = f"before {code(KEY)} after"
    found = REDACT(text)
    assert "[KEY]" in found
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert REDACT.inside(text)
    assert not REDACT.inside(found)
    shown = sum(a == b for a, b in zip(code(KEY), found[7:], strict=False))
    assert shown <= 10, "at most an opening of a longer encoded text is left"


def test_ordinary_text_is_left_alone() -> None:
    text = "abc and [KEY] and words " * 10
    assert REDACT(text) == text
    assert Redactor({})(text) == text


def test_chains_notes_groups_and_attributes_are_scrubbed() -> None:
    def fail() -> None:
        try:
            KEY.replace("s", "ü").encode("ascii")
        except UnicodeEncodeError:
            try:
                raise OSError(2, f"no {KEY}", f"/tmp/{KEY}")
            except OSError as error:
                wrong = ValueError(f"header {KEY!r}", {"authorization": [f"Bearer {KEY}"]}, KEY.encode())
                wrong.add_note(f"sent {KEY.encode().hex()}")
                wrong.request = f"GET {KEY}"  # type: ignore[attr-defined]
                raise ExceptionGroup("several", [wrong]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    redact = Redactor({"KEY": KEY, "OTHER": KEY.replace("s", "ü")})
    redact.scrub(caught.value)
    said = "".join(traceback.format_exception(caught.value))
    assert "[KEY]" in said
    assert not redact.inside(said.replace("KEY.", ""))
    assert caught.value.exceptions[0].request == "GET [KEY]"  # type: ignore[attr-defined]
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__context__.object == "[OTHER]"  # type: ignore[union-attr]


def test_it_is_there_without_the_client_library() -> None:
    code = "import sys, whatchanged.llm.redact; assert not {'openai', 'httpx2', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
