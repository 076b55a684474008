"""The page in a real browser: Debian's chromium, headless, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from accessibility import findings
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
    views = {"clusters": {"mean": 0.5, "weight": 0.3}, "trend": {"mean": 0.7, "weight": 0.7}}
    entries = [entry | {"parts": views if entry["method"] == "cod" else {}} for entry in entries]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(made_forecasts(tasks, entries)))
    return path


class Opened:
    """A page with what it complained of."""

    def __init__(
        self, browser: Any, file: Path, size: tuple[int, int], at: str = "", **how: Any
    ) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, **how)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(file.as_uri() + at)
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
    tab.click(".name a[data-group=gsm8k]")
    assert shown.inner_text() == "gsm8k"
    tab.close()


def test_a_link_opens_its_benchmark(browser: Any, file: Path) -> None:
    tab = Opened(browser, file, DESKTOP, at="#math").tab
    assert tab.locator(".panel:not(.away) h2").inner_text() == "math"
    tab.close()


def test_the_keyboard_reaches_every_tab(browser: Any, file: Path) -> None:
    tab = Opened(browser, file, DESKTOP).tab
    tab.focus("[role=tab][aria-selected=true]")
    shown = tab.locator(".panel:not(.away) h2")
    for key, name in (("End", "drop"), ("ArrowRight", "gsm8k"), ("ArrowLeft", "drop"),
                      ("Home", "gsm8k")):  # fmt: skip
        tab.keyboard.press(key)
        assert shown.inner_text() == name
        assert tab.evaluate("document.activeElement.dataset.group") == name
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, file: Path, tmp_path: Path, scheme: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="pip install 'cod-harness[browser]'")
    backtest = tmp_path / "backtest.html"
    backtest.write_text(page(msgspec.convert(made_backtest(), Backtest)))
    for path, size in ((file, DESKTOP), (file, PHONE), (backtest, DESKTOP)):
        tab = Opened(browser, path, size, color_scheme=scheme).tab
        for fold in tab.locator("details").all():
            fold.evaluate("fold => { fold.open = true; }")
        assert findings(tab) == []
        tab.evaluate("document.querySelector('h1').style.color = 'var(--zero)'")
        assert len(findings(tab)) == 1  # it can find
        tab.close()


def test_the_scale_is_told_on_a_phone(browser: Any, file: Path) -> None:
    tab = Opened(browser, file, PHONE).tab
    scale = tab.locator(".row[data-name=gsm8k] .bar .scale")
    assert scale.is_visible() and scale.inner_text().split() == ["0", "25", "50", "75", "100"]
    bar = tab.locator(".row[data-name=gsm8k] .bar").bounding_box()
    inside = tab.locator(".row[data-name=gsm8k] .bar .dot").bounding_box()
    middle = inside["x"] + inside["width"] / 2
    assert (middle - bar["x"]) / bar["width"] == pytest.approx(0.62, abs=0.01)
    tab.close()


def test_what_lies_outside_its_interval_has_its_colour(browser: Any, tmp_path: Path) -> None:
    entries = [made_entry("gsm8k", observed=0.6), made_entry("math", observed=0.9)]
    path = tmp_path / "outside.html"
    path.write_text(page(made_forecasts(forecasts=entries)))
    opened = Opened(browser, path, DESKTOP)
    inside, outside = (
        opened.colour(f".row[data-name={name}] .bar .seen", "background-color")
        for name in ("gsm8k", "math")
    )
    assert inside != outside
    assert opened.colour(".row[data-name=math] .why b") == outside
    assert opened.colour(".row[data-name=math] .curve .met", "fill") == outside
    opened.tab.close()


def test_many_benchmarks_are_folded_and_searched(browser: Any, tmp_path: Path) -> None:
    parts = [f"mmlu_subject_{number}" for number in range(56)]
    parts.append("mmlu_high_school_government_and_politics_generative")
    tasks = {name: made_task(40, 2) for name in [*parts, "mmlu", "gsm8k"]}
    path = tmp_path / "many.html"
    record = made_forecasts(tasks, groups={"mmlu": parts})
    path.write_text(page(record))
    opened = Opened(browser, path, DESKTOP)
    tab = opened.tab
    shown = ".row[data-name]:visible"
    assert [row.get_attribute("data-name") for row in tab.locator(shown).all()] == [
        "mmlu", "gsm8k",
    ]  # fmt: skip
    assert tab.locator(".panel:not(.away) h2").inner_text() == "mmlu"
    tab.fill("input.search", "subject_5")
    assert tab.locator(shown).count() == 7  # 5 and 50 to 55
    assert tab.locator(".found").inner_text() == "7 found"
    tab.fill("input.search", "")
    assert tab.locator(shown).count() == 2
    tab.get_by_label("Benchmark", exact=True).select_option("mmlu_subject_7")
    assert tab.locator(".panel:not(.away) h2").inner_text() == "mmlu_subject_7"
    assert tab.locator("[role=tab]").count() == 0
    assert opened.complaints == []
    tab.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
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
