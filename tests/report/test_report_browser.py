"""The page in a real browser: quiet, alone, and usable by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from report_sample import EVIL, evil, realistic
from series_sample import checked, checkpoints, hostile, scored, trend_of

from whatchanged.report import report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed; apt-get install chromium runs these tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the saved pages."""
    folder: Path = tmp_path_factory.mktemp("pages")
    plain, series, bad = scored(realistic()), checkpoints(9), checkpoints(9, texts=EVIL)
    made = {
        "realistic": report(plain, hypotheses=checked(plain)),
        "evil": report(evil(), hypotheses=hostile(evil())),
        "series": report(series, trend=trend_of(series)),
        "evil-series": report(bad, hypotheses=hostile(bad), trend=trend_of(bad)),
    }
    for name, shown in made.items():
        shown.save(folder / f"{name}.html")
        frame = f"<!doctype html><title>cell</title>{shown._repr_html_()}"
        (folder / f"{name}-cell.html").write_text(frame, encoding="utf-8")
    return {p.stem: p.as_uri() for p in folder.glob("*.html")}


class Watch:
    """A page together with everything it said and asked for."""

    def __init__(self, browser: Browser, address: str, **settings: Any) -> None:
        self.page: Page = browser.new_context(**settings).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)


@pytest.mark.parametrize("name", ["realistic", "evil", "series", "evil-series"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_quiet_alone_and_never_wider_than_the_screen(
    browser: Browser, pages: dict[str, str], name: str, width: int, scheme: str
) -> None:
    watch = Watch(browser, pages[name], viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert watch.said == []
    assert watch.asked == [pages[name]]
    assert watch.page.evaluate("document.documentElement.scrollWidth") <= width
    watch.page.context.close()


def test_hostile_text_is_text(browser: Browser, pages: dict[str, str]) -> None:
    for name in ("evil", "evil-cell"):
        watch = Watch(browser, pages[name])
        frame = watch.page.frames[-1]
        frame.wait_for_selector("#finding-1", state="attached")
        assert frame.evaluate("window.evil") is None
        assert frame.locator("script").count() == 1
        assert frame.locator("img").count() == 0
        assert frame.locator("#finding-1 h3 .text").inner_text() == EVIL[0]
        watch.page.wait_for_timeout(50)
        assert watch.said == []
        assert [a for a in watch.asked if not a.startswith(("file:", "about:"))] == []
        watch.page.context.close()


def test_hostile_hypotheses_and_checkpoints_are_text(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["evil-series"])
    page = watch.page
    assert page.evaluate("window.evil") is None
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator("#hypotheses .claim .text").first.inner_text() == EVIL[0]
    assert EVIL[2] in page.locator("#checkpoints").inner_text()
    page.wait_for_timeout(50)
    assert watch.said == []
    assert watch.asked == [pages["evil-series"]]
    page.context.close()


def test_a_hypothesis_leads_to_the_card_it_was_made_from(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"])
    page = watch.page
    page.fill("#filter", "no such behaviour")
    link = page.locator("#hypotheses tr.is-verified a").first
    link.focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#finding-1")
    assert page.locator("#finding-1").is_visible(), "a card that is filtered away is shown again"
    page.context.close()


def test_what_is_not_verified_looks_it(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"])
    look = """rows => rows.map(row => {
        const badge = getComputedStyle(row.querySelector(".judged"));
        const text = getComputedStyle(row.querySelector(".claim .text"));
        return [row.querySelector(".judged").innerText.slice(2), badge.backgroundColor === "rgba(0, 0, 0, 0)",
                Number(text.fontWeight) >= 600, text.fontStyle];
    })"""
    found = watch.page.locator("#hypotheses tbody tr").evaluate_all(look)
    assert found == [
        ["verified", False, True, "normal"],
        ["verified", False, True, "normal"],
        ["contradicted", True, False, "italic"],
        ["unconfirmed", True, False, "italic"],
        ["not judged", True, False, "italic"],
    ]
    watch.page.context.close()


def test_an_injected_script_would_not_run(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"])
    watch.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.evil = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", '<img src="https://evil.invalid/x.png">');
        }"""
    )
    assert watch.page.evaluate("window.evil") is None
    assert any("Content Security Policy" in line for line in watch.said)
    watch.page.context.close()


def test_filters_narrow_the_table_and_the_cards(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"])
    page = watch.page
    rows, cards = page.locator("#table tbody tr:visible"), page.locator("article.card:visible")
    assert (rows.count(), cards.count()) == (30, 30)
    page.fill("#filter", "WONDERFUL praise")
    assert rows.count() == cards.count() == 2
    assert page.locator("#shown").inner_text() == "2 of 30"
    page.fill("#filter", "no such behaviour")
    assert page.locator("#nothing").is_visible()
    page.fill("#filter", "")
    page.uncheck("input[value=feature]")
    assert rows.count() == cards.count() == 15
    page.uncheck("input[value=more]")
    assert rows.count() == page.locator("#table tbody tr[data-sign=less]:not([data-kind=feature])").count()
    page.locator("#summary .top a").first.click()
    assert page.locator("#finding-1").is_visible(), "a link shows its card again"
    assert rows.count() == 30
    assert watch.said == []
    page.context.close()


def test_columns_sort_both_ways_by_keyboard(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"])
    page = watch.page
    head = page.locator("#table th", has_text="Δ")
    head.locator("button").focus()
    values = "rows => rows.map(r => Number(r.querySelector('[data-label=\"Δ\"]').dataset.value))"
    for direction in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        found = page.locator("#table tbody tr").evaluate_all(values)
        assert found == sorted(found, reverse=direction == "descending")
    page.locator("#table th button", has_text="#").click()
    ranks = page.locator("#table td.rank").all_inner_texts()
    assert ranks == [str(i) for i in range(1, 31)]
    page.context.close()


def test_links_inside_a_notebook_stay_inside(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic-cell"])
    frame = watch.page.frames[-1]
    frame.wait_for_selector("#finding-1", state="attached")
    frame.locator("#summary .top a").nth(2).click()
    assert frame.evaluate("document.activeElement.id") == "finding-3"
    assert frame.url == "about:srcdoc"
    assert watch.said == []
    watch.page.context.close()


def test_it_reads_without_script(browser: Browser, pages: dict[str, str]) -> None:
    watch = Watch(browser, pages["realistic"], java_script_enabled=False)
    assert watch.page.locator(".controls").is_hidden()
    assert watch.page.locator("#table tbody tr").count() == 30
    assert watch.page.locator("#finding-1 mark").first.is_visible()
    assert watch.page.locator("#hypotheses tbody tr").count() == 5
    watch.page.context.close()
