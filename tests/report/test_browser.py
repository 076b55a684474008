"""The page in a real browser: Debian's chromium, headless, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_documents import abstained, made_backtest, made_entry, made_forecasts, made_task

from cod_harness.evaluation.records.backtest import Backtest
from cod_harness.report.page.page import page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser tests need pip install 'cod-harness[browser]'"
)
CHROMIUM = os.environ.get("COD_CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; on Debian: apt-get install chromium"
)
TABS = 3
CHARTS = 5
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--headless"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tasks = {"gsm8k": made_task(), "math": made_task(12_000, 40), "drop": made_task(300, 3)}
    entries = [made_entry("gsm8k", observed=0.6), made_entry("math", verdict="weak", reasons=["x"])]
    entries += [abstained("drop"), made_entry("gsm8k", "exp", mean=0.4)]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(made_forecasts(tasks, entries)))
    return path


class Opened:
    """A page with what it complained of."""

    def __init__(self, browser: Any, file: Path, size: tuple[int, int], **how: Any) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, **how)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(file.as_uri())
        self.tab.wait_for_selector("body[data-ready=all]", timeout=60_000)

    def colour(self, selector: str, what: str = "color") -> str:
        script = f"node => getComputedStyle(node).getPropertyValue('{what}')"
        return str(self.tab.locator(selector).first.evaluate(script))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_charts_are_drawn_without_complaint(
    browser: Any, file: Path, size: tuple[int, int], scheme: str
) -> None:
    opened = Opened(browser, file, size, color_scheme=scheme)
    tab = opened.tab
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith("file:")] == []
    assert tab.locator(".chart svg").count() == TABS * CHARTS
    for svg in tab.locator(".panel:not(.away) .chart svg").all():
        box = svg.bounding_box()
        assert box["width"] > 200 and box["height"] > 150
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0]
    assert tab.locator(".panel:not(.away) .mark-symbol path").count() > 30
    # Nothing is wider than the screen.
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    tab.close()


def test_tabs_and_links(browser: Any, file: Path) -> None:
    tab = Opened(browser, file, DESKTOP).tab
    shown = tab.locator(".panel:not(.away) h2")
    assert shown.inner_text() == "gsm8k"
    tab.click("[role=tab][data-group=math]")
    assert shown.inner_text() == "math"
    tab.keyboard.press("ArrowRight")
    assert shown.inner_text() == "drop"
    assert tab.locator("[aria-selected=true]").inner_text() == "drop"
    tab.click("a.name[data-group=gsm8k]")
    assert shown.inner_text() == "gsm8k"
    tab.close()


def test_hovering_tells_and_clicking_follows_a_cluster(browser: Any, file: Path) -> None:
    opened = Opened(browser, file, DESKTOP)
    tab = opened.tab
    place = ".panel:not(.away) [data-chart=clusters] .mark-symbol path"
    tab.locator(place).nth(2).hover(force=True)
    tab.wait_for_selector("#vg-tooltip-element.visible")
    told = tab.locator("#vg-tooltip-element").inner_text()
    assert all(word in told for word in ("cluster", "questions", "law", "a = 4", "examples"))
    faint = "[...document.querySelectorAll('.panel:not(.away) [data-chart=questions] .mark-symbol path')].filter(p => p.getAttribute('opacity') < 0.1).length"  # noqa: E501
    assert tab.evaluate(faint) == 0
    tab.click(".panel:not(.away) .picks button[data-cluster='1']")
    tab.wait_for_function(f"{faint} > 5")
    assert tab.locator(".picks [aria-pressed=true]").first.inner_text().startswith("1")
    tab.click(".panel:not(.away) .picks button[data-cluster='null']")
    tab.wait_for_function(f"{faint} === 0")
    fills = "new Set([...document.querySelectorAll('.panel:not(.away) [data-chart=questions] .mark-symbol path')].map(p => p.getAttribute('fill'))).size"  # noqa: E501
    before = tab.evaluate(fills)
    tab.click(".panel:not(.away) [data-tint=cluster]")
    tab.wait_for_function(f"{fills} > {before}")
    assert opened.complaints == []
    tab.close()


def test_the_theme_can_be_changed(browser: Any, file: Path) -> None:
    opened = Opened(browser, file, DESKTOP, color_scheme="light")
    place = ".chart .mark-line path"
    before = opened.colour("body", "background-color"), opened.colour(place, "stroke")
    opened.tab.click("#theme")
    after = opened.colour("body", "background-color"), opened.colour(place, "stroke")
    assert before[0] != after[0] and before[1] != after[1]
    opened.tab.click("#theme")
    assert opened.colour("body", "background-color") == before[0]
    opened.tab.close()


def test_paper_is_light_and_whole(browser: Any, file: Path) -> None:
    opened = Opened(browser, file, DESKTOP, color_scheme="dark")
    ink = opened.colour("h1")
    opened.tab.emulate_media(media="print")
    assert opened.colour("h1") != ink == "rgb(232, 235, 240)"
    heights = [panel.bounding_box()["height"] for panel in opened.tab.locator(".panel").all()]
    assert len(heights) == TABS and min(heights) > 600
    assert len(opened.tab.pdf(format="A4")) > 20_000
    opened.tab.close()


def test_the_page_of_a_backtest(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "backtest.html"
    path.write_text(page(msgspec.convert(made_backtest(), Backtest)))
    for size in (DESKTOP, PHONE):
        opened = Opened(browser, path, size)
        assert opened.complaints == []
        assert opened.tab.locator(".chart svg").count() == 4
        assert opened.tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        opened.tab.close()
