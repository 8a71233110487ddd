"""How a chat becomes the tokens a checkpoint continues.

A model with a chat template is asked by it. One without is asked in plain text, turn by turn, and its
answer ends where it begins to write the user's next turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from whatchanged.artifacts import Message
from whatchanged.store import fingerprint

__all__ = ["PLAIN_CHAT_TEMPLATE", "PLAIN_TEMPLATE", "ChatFormat"]

PLAIN_TEMPLATE = "User:\n{prompt}\n\nAssistant:\n"
"""How a prompt is put to a model that has no chat template of its own."""

PLAIN_CHAT_TEMPLATE = (
    "{% for turn in messages %}{{ turn.role | capitalize }}:\n{{ turn.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""The same for a whole chat, as a Jinja template that any server takes: each turn under ``System:``, ``User:`` or
``Assistant:``, a blank line between. For one user message it is `PLAIN_TEMPLATE`. It has no beginning-of-sequence
token, which the tokenizer adds."""

_NEXT_TURN = "\nUser:"
_PROBE = (Message(role="system", content="3f9c71"), Message(role="user", content="8d20be"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFormat:
    """How one tokenizer is given chats.

    Attributes:
        tokenizer: A Hugging Face tokenizer.
        template: ``chat`` (the tokenizer's own), ``plain`` (`PLAIN_CHAT_TEMPLATE`) or ``given``.
        system: Where the text of a system turn goes: ``own`` turn, or ``first user turn`` where the template
            refuses or drops system turns; a blank line stands between the two texts.
        given: Text with ``{prompt}`` in it, which then is all a one-turn chat is put into.
    """

    tokenizer: Any
    template: Literal["chat", "plain", "given"]
    system: Literal["own", "first user turn"] = "own"
    given: str = ""

    @classmethod
    def of(cls, tokenizer: Any, given: str | None = None) -> ChatFormat:
        """The format that suits a tokenizer.

        Raises:
            ValueError: If `given` has no ``{prompt}`` in it.
        """
        if given is not None:
            if "{prompt}" not in given:
                raise ValueError(f"the template must contain {{prompt}}; got {given!r}")
            return cls(tokenizer=tokenizer, template="given", given=given)
        if not getattr(tokenizer, "chat_template", None):
            return cls(tokenizer=tokenizer, template="plain")
        own = cls(tokenizer=tokenizer, template="chat")
        try:
            kept = all(turn.content in own.text(_PROBE) for turn in _PROBE)
        except ValueError:
            kept = False
        return own if kept else cls(tokenizer=tokenizer, template="chat", system="first user turn")

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an answer besides the model's end token."""
        return () if self.template == "chat" else (_NEXT_TURN,)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides how a chat is put, for fingerprints and logs."""
        text = {"chat": self.tokenizer.chat_template, "plain": PLAIN_CHAT_TEMPLATE, "given": self.given}
        return {"template": self.template, "system": self.system, "text": fingerprint(text[self.template])}

    def text(self, chat: Sequence[Message]) -> str:
        """The text the model continues.

        Raises:
            ValueError: If the chat is empty or ends with the assistant's turn, if a system turn has no user turn
                to join, if a given template gets more than one turn, or if the chat template refuses it.
        """
        if not chat or chat[-1].role == "assistant":
            raise ValueError("a chat must end with a turn to be answered; add a user message at its end")
        if self.template == "given":
            if len(chat) > 1:
                raise ValueError(
                    f"a template with {{prompt}} takes one message; got {len(chat)}; leave it out"
                )
            return self.given.replace("{prompt}", chat[0].content)
        from jinja2 import TemplateError

        turns = [
            {"role": turn.role, "content": turn.content}
            for turn in (chat if self.system == "own" else _without_system(chat))
        ]
        template = PLAIN_CHAT_TEMPLATE if self.template == "plain" else None
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns, chat_template=template, add_generation_prompt=True, tokenize=False
                )
            )
        except TemplateError as refusal:
            roles = ", ".join(turn["role"] for turn in turns)
            raise ValueError(
                f"the model's chat template refuses the turns {roles}: {refusal}; change the chat"
            ) from refusal

    def tokens(self, chat: Sequence[Message]) -> list[int]:
        """Token ids of `text`, the beginning-of-sequence token included.

        Raises:
            ValueError: As `text`, and if no token comes out.
        """
        ids = self.tokenizer(self.text(chat), add_special_tokens=self.template != "chat").input_ids
        if not ids:
            raise ValueError("a prompt without any token cannot be answered; remove it or use a template")
        return list(ids)

    def apart(self, prompt: Sequence[int], answer: str) -> tuple[str | None, str]:
        """Reasoning and answer of what a model wrote.

        Only where the chat template knows ``</think>``; elsewhere the mark is text like any other. Reasoning
        without its end was cut off, and then there is no answer.

        Args:
            prompt: What it continued: some templates open the reasoning themselves.
            answer: What it wrote.
        """
        if self.template != "chat" or "</think>" not in str(self.tokenizer.chat_template):
            return None, answer
        opened = self.tokenizer.decode(prompt[-8:]).rstrip().endswith("<think>")
        if not opened and not answer.startswith("<think>"):
            return None, answer
        reasoning, _, text = answer.removeprefix("<think>").partition("</think>")
        return reasoning.strip() or None, text.strip()


def _without_system(chat: Sequence[Message]) -> list[Message]:
    """The chat with its system texts put before the first user turn."""
    system = [turn.content for turn in chat if turn.role == "system"]
    turns = [turn for turn in chat if turn.role != "system"]
    if not system:
        return turns
    first = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None:
        raise ValueError("this model takes system texts only with a user message; add one")
    turns[first] = Message(role="user", content="\n\n".join([*system, turns[first].content]))
    return turns
