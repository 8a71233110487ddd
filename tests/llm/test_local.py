"""Local checkpoints behind the chat seam: the laws, on a tiny random model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whatchanged.artifacts import Message
from whatchanged.demo.shipped import adapter_path
from whatchanged.errors import LLMError, ModelError, RequestRejected
from whatchanged.llm.local import LocalModel, _writer, local_model
from whatchanged.llm.protocol import Batching, ChatRequest, Reply
from whatchanged.models.generate import generate
from whatchanged.models.lora import load_checkpoint

# PEFT 0.21 reads an attribute that transformers 5.2 has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def said(text: str, **options: Any) -> ChatRequest:
    given: dict[str, Any] = {"max_tokens": 12, "temperature": 1.0, "seed": 3, **options}
    return ChatRequest(messages=(Message(role="user", content=text),), **given)


REQUESTS = [
    said("one"),
    said("two two", temperature=0.0, max_tokens=5),
    said("three three three", top_p=0.5, seed=9),
    said("one", seed=4),
    said("four", stop=("\x00 never",), extra={"top_k": 3}),
]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LocalModel:
    return local_model(f"hf:{tiny_model}", device="cpu", batch_size=2)


def batch(model: LocalModel, requests: list[ChatRequest]) -> list[Reply | LLMError]:
    return asyncio.run(model.reply_batch(requests))


def texts(answers: list[Reply | LLMError]) -> list[str]:
    assert all(isinstance(answer, Reply) for answer in answers)
    return [answer.text for answer in answers if isinstance(answer, Reply)]


def test_batched_replies_are_those_of_single_requests(model: LocalModel) -> None:
    assert isinstance(model, Batching)
    together = batch(model, REQUESTS)
    assert [asyncio.run(model.reply(request)) for request in REQUESTS] == together
    assert len(set(texts(together))) == len(REQUESTS)


def test_neither_the_order_nor_what_was_answered_before_matters(model: LocalModel) -> None:
    together = batch(model, REQUESTS)
    order = [3, 0, 4, 2, 1]
    assert batch(model, [REQUESTS[i] for i in order]) == [together[i] for i in order]
    # A resumed run asks for the slice that is missing.
    assert batch(model, REQUESTS[2:4]) == batch(model, REQUESTS[2:4]) == together[2:4]
    # No seed is seed 0, so nothing is left to chance.
    unseeded = replace(REQUESTS[0], seed=None)
    assert texts(batch(model, [unseeded])) == texts(batch(model, [replace(unseeded, seed=0)]))


def test_replies_count_and_name(model: LocalModel) -> None:
    reply = asyncio.run(model.reply(said("ab", max_tokens=4, temperature=0.0)))
    assert reply.finish_reason == "length"
    assert reply.served_model == model.name
    # One byte is one token: "User:\nab\n\nAssistant:\n".
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.cost) == (21, 4, 0.0)
    whole = asyncio.run(model.reply(said("ab", max_tokens=30, temperature=0.0))).text
    stop = whole[10:14]
    cut = asyncio.run(model.reply(said("ab", max_tokens=30, temperature=0.0, stop=(stop,))))
    assert (cut.text, cut.finish_reason) == (whole[: whole.index(stop)].strip(), "stop")


def test_a_chat_with_system_text_and_turns_is_generated_as_such(model: LocalModel, tiny_model: Path) -> None:
    chat = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="one"),
        Message(role="assistant", content="two"),
        Message(role="user", content="one"),
    )
    request = ChatRequest(messages=chat, max_tokens=12, temperature=1.0, top_p=0.95, seed=3)
    reply = asyncio.run(model.reply(request))
    asked = {"max_new_tokens": 12, "temperature": 1.0, "seed": 3}
    assert reply.text == generate(tiny_model, None, [chat], **asked)[0].text
    assert reply.usage.prompt_tokens == len(
        "System:\nBe brief.\n\nUser:\none\n\nAssistant:\ntwo\n\nUser:\none\n\nAssistant:\n"
    )
    alone = generate(tiny_model, None, ["one"], **asked)[0].text
    assert alone == asyncio.run(model.reply(said("one", top_p=0.95))).text != reply.text


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (said("a", max_tokens=0), "max_tokens must be at least 1"),
        (said("a", stop=("",)), "no stop text empty"),
        (said("a", temperature=-1.0), "temperature must be >= 0"),
        (said("a", extra={"logit_bias": {}}), r"knows only the extra fields .* got \['logit_bias'\]"),
        (said("a" * 600), r"fills the model's window of 512; shorten it"),
        (ChatRequest(messages=(Message(role="assistant", content="a"),)), "must end with a turn"),
    ],
)
def test_a_request_it_cannot_take_fails_alone(model: LocalModel, request_: ChatRequest, reason: str) -> None:
    rejected, answered = batch(model, [request_, REQUESTS[0]])
    assert isinstance(answered, Reply)
    assert isinstance(rejected, RequestRejected)
    assert rejected.free
    with pytest.raises(RequestRejected, match=reason):
        asyncio.run(model.reply(request_))


def test_an_answer_ends_where_the_window_does(model: LocalModel) -> None:
    around = len("User:\n\n\nAssistant:\n")
    reply = asyncio.run(model.reply(said("a" * (510 - around), temperature=0.0)))
    assert (reply.finish_reason, reply.usage.completion_tokens) == ("length", 2)


def test_a_cancelled_batch_frees_the_thread(model: LocalModel) -> None:
    many = [said(f"prompt {i}", max_tokens=450, temperature=0.0) for i in range(400)]

    async def run() -> None:
        task = asyncio.create_task(model.reply_batch(many))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    # All of it would take minutes.
    _writer().submit(int).result(timeout=20)


def test_a_closed_model_takes_its_weights_up_again(tiny_model: Path) -> None:
    model = local_model(f"hf:{tiny_model}", device="cpu")
    first = asyncio.run(model.reply(REQUESTS[0]))
    asyncio.run(model.close())
    assert asyncio.run(model.reply(REQUESTS[0])) == first


def test_recommended_sampling_is_the_default(tiny_model: Path, tmp_path: Path) -> None:
    own = load_checkpoint(tiny_model)
    own.model.generation_config.update(do_sample=True, temperature=1.5, top_k=7)
    own.model.save_pretrained(tmp_path)
    own.tokenizer.save_pretrained(tmp_path)
    model = local_model(f"hf:{tmp_path}", device="cpu")
    asked = replace(REQUESTS[0], temperature=None)
    assert model.identity["sampling"]["temperature"] == 1.5
    explicit = replace(asked, temperature=1.5, extra={"top_k": 7})
    assert texts(batch(model, [asked])) == texts(batch(model, [explicit]))
    assert texts(batch(model, [asked])) != texts(batch(model, [replace(asked, extra={"top_k": 1})]))


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("with+plus") / "adapter"
    config = LoraConfig(r=2, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    lora = get_peft_model(load_checkpoint(tiny_model).model, config)
    torch.manual_seed(2)
    path.mkdir()
    state = {k: torch.randn_like(v) for k, v in get_peft_model_state_dict(lora).items()}
    save_file(state, path / "adapter_model.safetensors")
    config.save_pretrained(path)
    return path


def test_an_adapter_is_another_checkpoint(model: LocalModel, tiny_model: Path, adapter: Path) -> None:
    after = local_model(f"hf:{tiny_model}+{adapter}", device="cpu", batch_size=2)
    assert texts(batch(after, REQUESTS[:2])) != texts(batch(model, REQUESTS[:2]))
    assert after.identity == {**model.identity, "adapter": after.identity["adapter"]}
    assert model.identity["adapter"] is None
    assert after.identity["adapter"]


def test_a_wrong_checkpoint_says_what_to_give(
    tiny_model: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"there is no folder.*owner/model"):
        local_model(f"hf:{tmp_path}/nowhere")
    with pytest.raises(ModelError, match=r"give the path of a \.gguf file"):
        local_model(f"gguf:{tmp_path}/no.gguf")
    with pytest.raises(ModelError, match=r"no adapter_config\.json"):
        local_model(f"hf:{tiny_model}+{tmp_path}/nowhere")
    with pytest.raises(ModelError, match="an adapter without its base"):
        local_model(f"hf:{adapter}")
    with pytest.raises(ModelError, match="load the base that it was trained on"):
        local_model(f"hf:{tiny_model}+{adapter_path('after')}")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set: unset it.*hf download nobody/nothing"):
        local_model("hf:nobody/nothing")


@pytest.mark.parametrize("name", ["hf:", "tiny", "http://host/v1#m", "hf:+adapter", "hf:base+"])
def test_names_of_another_form_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"hf:ID_OR_PATH|BASE\+ADAPTER"):
        local_model(name)


def test_naming_a_model_does_not_load_torch() -> None:
    code = "import sys, whatchanged.llm.local; print(*{'torch', 'transformers', 'peft'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
