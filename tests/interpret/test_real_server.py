"""Labeller, judge and writer against a real server whose small model mostly fails to write JSON."""

from __future__ import annotations

import pytest
from asked_world import found, texts, world

from servers.demo_servers import DemoServers
from whatchanged.interpret import Asker, LabelStore, hypothesise, label_findings
from whatchanged.llm import chat_model

pytestmark = pytest.mark.reader


def test_every_question_is_answered_or_counted_and_none_is_paid_twice(
    demo_servers: DemoServers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = LabelStore(tmp_path_factory.mktemp("labels"))

    def asker() -> Asker:
        return Asker(model=chat_model(demo_servers.names[1]), store=store, attempts=2)

    labeller, judge = asker(), asker()
    sheet = label_findings(found(n=12), tokens=world(n=12)[1], labeller=labeller, judge=judge)
    assert len(sheet.texts) + sum(sheet.dropped.values()) == 2
    writer, second = asker(), asker()
    made = hypothesise(found(n=12), held_out=texts(seed=1, n=12), writer=writer, judge=second, pairs=3)
    if not len(made):  # it wrote none, so templates give the judge something to judge
        made = hypothesise(found(n=12), held_out=texts(seed=1, n=12), judge=second, pairs=3)
    assert len(made)
    assert all(h.n + h.missing == 3 for h in made)
    for one in (labeller, judge, writer, second):
        kept = one.calls - one.malformed - sum(one.failures.values())
        assert kept >= 0
        assert one.summary["completion_tokens"] > 0 or not one.calls
    answered = len(list(store.folder.rglob("*.json")))
    total = sum(a.calls - a.malformed - sum(a.failures.values()) for a in (labeller, judge, writer, second))
    assert answered == total
