"""``chat --web`` in a real browser: upload, ask, read the streamed answer; nothing leaves."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.core.errors import ExitCode
from tests.support.cli import command
from tests.support.images import grey, save
from tests.support.model_runs import model_server, stats
from tests.support.model_server import KEY

pytestmark = pytest.mark.heavy
pytest.importorskip("gradio")

BROWSERS = ("/usr/bin/chromium", "/usr/bin/google-chrome")
SPEAK = ("--answer", "tests.support.chat_answers:speak", "--deployment", "m")
SLOW_MS = 90_000
PAIRS = "image-pairs"


WATCH = """
import sys
from pathlib import Path

LOG = Path(__file__).with_name("far.log")

def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.connect"):
        host = args[0] if event == "socket.getaddrinfo" else args[1]
        host = host[0] if isinstance(host, tuple) else host
        if host not in ("127.0.0.1", "localhost", None, b"127.0.0.1"):
            with LOG.open("a") as file:
                file.write(f"{event} {host}\\n")

sys.addaudithook(watch)
"""
"""Writes down which hosts the process of the page looks for or connects to."""


@pytest.fixture(scope="module")
def browser() -> Any:
    sync_api = pytest.importorskip("playwright.sync_api")
    found = [path for path in BROWSERS if Path(path).exists()]
    if not found:
        pytest.skip("no browser")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found[0], args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def page_of(url: str, *more: str | Path, folder: Path) -> Iterator[tuple[str, Any]]:
    """The command with its page; gives the address and the process, and ends it as a user does."""
    words = command("chat", "--web", "--url", f"{url}/v1", "--model", "m", "--key-env", "K", *more)
    (folder / "sitecustomize.py").write_text(WATCH)
    python_path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environ = {**os.environ, "K": KEY, "TMPDIR": str(folder), "PYTHONPATH": python_path}
    process = subprocess.Popen(
        words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        said = ""
        while "?token=" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        address = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)
        assert address is not None
        yield address[0], process
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == ExitCode.DONE
    finally:
        process.kill()
        process.wait()


def test_an_image_is_asked_about_and_nothing_leaves_the_machine(
    browser: Any, tmp_path: Path
) -> None:
    film = save(tmp_path / "film.png", grey(480, 600))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with model_server(*SPEAK) as url, page_of(url, folder=scratch) as (address, _):
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_selector("#question textarea", timeout=SLOW_MS)
        assert "token" not in page.url
        assert "m (openai: 127.0.0.1" in page.inner_text("#facts")
        assert "credentialed" in page.inner_text("#facts")

        page.set_input_files("#image input[type=file]", str(film))
        page.wait_for_selector("#image img", timeout=SLOW_MS)
        uploads = [path for path in scratch.glob("cxr-chat-*/**/*") if path.is_file()]
        assert uploads
        assert all(
            stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in scratch.glob("cxr-chat-*")
        )

        page.fill("#question textarea", "Is there an effusion?")
        page.click("#ask")
        said = page.locator("#conversation")
        said.get_by_text("This is question 1, with 1 image(s)").wait_for(timeout=SLOW_MS)
        page.locator("#status").get_by_text("tokens").wait_for(timeout=SLOW_MS)
        if picture := os.environ.get("CHAT_SCREENSHOT"):
            page.screenshot(path=picture)

        page.fill("#question textarea", "And on the right?")
        page.press("#question textarea", "Enter")
        said.get_by_text("This is question 2, with 0 image(s)").wait_for(timeout=SLOW_MS)
        page.click("#clear")
        page.locator("#status").get_by_text("cleared").wait_for(timeout=SLOW_MS)
        page.fill("#question textarea", "Once more?")
        page.click("#ask")
        said.get_by_text("This is question 1, with 0 image(s)").wait_for(timeout=SLOW_MS)

        page.locator("#status").get_by_text("tokens").wait_for(timeout=SLOW_MS)
        assert stats(url)["requests"] == 3
        page.click("#again")
        for _ in range(100):
            if stats(url)["requests"] == 4:
                break
            page.wait_for_timeout(200)
        said.get_by_text("This is question 1, with 0 image(s)").wait_for(timeout=SLOW_MS)
        assert said.get_by_text("You asked").count() == 1

        own = urlsplit(address).netloc
        far = [u for u in asked if urlsplit(u).netloc not in (own, "")]
        assert len(asked) > 10
        assert far == []
        assert not (scratch / "far.log").exists(), (scratch / "far.log").read_text()
        stranger = browser.new_page()
        assert stranger.goto(f"http://{own}/").status == 403
        page.close()
        stranger.close()
    assert list(scratch.glob("cxr-chat-*")) == []


def test_an_answer_is_seen_as_it_grows_and_can_be_stopped(browser: Any, tmp_path: Path) -> None:
    with (
        model_server(*SPEAK, "--pause", "0.25") as url,
        page_of(url, "--no-history", "--data-class", "synthetic", folder=tmp_path) as (address, _),
    ):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#question textarea", timeout=SLOW_MS)
        page.fill("#question textarea", "Slowly, please")
        page.click("#ask")
        said = page.locator("#conversation")
        said.get_by_text("You asked").wait_for(timeout=SLOW_MS)
        assert "test server has no model" not in said.inner_text()
        page.click("#stop")
        page.locator("#status").get_by_text("stopped").wait_for(timeout=SLOW_MS)
        page.wait_for_timeout(1500)
        assert "what is to be seen" not in said.inner_text()
        page.close()


def test_images_of_a_run_can_be_picked(browser: Any, tmp_path: Path) -> None:
    reports, images = tmp_path / "reports.csv", tmp_path / "images"
    save(images / "one.png", grey())
    reports.write_text(
        'study_id,image_path,findings\n1,one.png,"Small left pleural effusion. No pneumothorax."\n'
    )
    (tmp_path / "DATA_CLASS").write_text("synthetic\n")
    (images / "DATA_CLASS").write_text("synthetic\n")
    made = subprocess.run(
        command(
            "run", "xrayglm", "--input", reports, "--run-dir", tmp_path / "run",
            "--set", f"stages.{PAIRS}.images_root={images}", "--until", PAIRS,
        ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode in (ExitCode.DONE, ExitCode.REJECTS), made.stderr
    with (
        model_server(*SPEAK) as url,
        page_of(url, "--run-dir", tmp_path / "run", folder=tmp_path) as (address, _),
    ):
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector("#run-image input", timeout=SLOW_MS)
        page.click("#run-image input")
        page.get_by_role("option").first.click()
        page.wait_for_selector("#image img", timeout=SLOW_MS)
        page.fill("#question textarea", "What is it?")
        page.click("#ask")
        said = page.locator("#conversation")
        said.get_by_text("with 1 image(s)").wait_for(timeout=SLOW_MS)
        page.close()
