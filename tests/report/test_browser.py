"""The report in a real browser: it loads nothing, fits its width, and follows light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.report.write import write_report
from pipeline.run.folder import RunFolder
from tests.report.test_report import make

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = make(tmp_path_factory.mktemp("browser") / "run", "medical-cxr-vqa")
    return write_report(RunFolder(run)).report.as_uri()


@pytest.fixture(scope="module")
def browser() -> Any:
    sync_api = pytest.importorskip("playwright.sync_api")
    found = [
        path for path in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(path).exists()
    ]
    if not found:
        pytest.skip("no browser")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 29)")]
)
def test_it_shows_itself_alone(browser: Any, address: str, scheme: str, paper: str) -> None:
    page = browser.new_page(color_scheme=scheme, java_script_enabled=True)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    assert asked == [address] and not said
    style = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(style) == paper
    bars = page.locator("rect.s0")
    assert bars.count() > 10 and bars.first.bounding_box()["width"] > 1
    page.close()


@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_is_as_wide_as_the_window(browser: Any, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = """() => [...document.querySelectorAll('svg text')].filter(text => {
        const box = text.getBBox(), svg = text.ownerSVGElement.viewBox.baseVal;
        return box.x < -1 || box.x + box.width > svg.width + 1;
    }).map(text => text.textContent)"""
    assert page.evaluate(cut) == []
    page.close()
