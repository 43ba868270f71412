"""``chat`` as it is used: on a terminal and in a pipe, against the test server and the rules."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.core.errors import ExitCode
from tests.support.cli import command
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.terminal import CTRL_C, Terminal

REPORT = "Small left pleural effusion. No pneumothorax."
ENV = {"K": KEY}


def echo(messages: Sequence[Mapping[str, Any]], _: Mapping[str, Any]) -> str:
    """Say how many messages came, and the last one."""
    content = messages[-1]["content"]
    if not isinstance(content, str):
        kinds = ",".join(part["type"] for part in content)
        content = f"({kinds}) {content[-1]['text']}"
    return f"<{len(messages)}> you said: {content}"


def words(server: ModelServer, *more: str) -> list[str]:
    url = ("--url", f"{server.url}/v1", "--model", DEPLOYMENT, "--key-env", "K")
    return command("chat", *url, *more)


async def terminal(server: ModelServer, drive: Any, *more: str, cwd: Path | None = None) -> str:
    def go() -> str:
        with Terminal(words(server, *more), ENV, cwd) as screen:
            drive(screen)
            return screen.screen

    return await asyncio.to_thread(go)


async def piped(server: ModelServer, text: str, *more: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *words(server, *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **ENV},
    )
    out, err = await process.communicate(text.encode())
    return process.returncode, out.decode(), err.decode()


async def test_a_conversation_streams_and_has_a_history() -> None:
    async with ModelServer(answer=echo) as server:

        def drive(screen: Terminal) -> None:
            screen.wait_for("> ")
            screen.type("first\n")
            screen.wait_for("<1> you said: first\n> ")
            screen.type("second\n")
            screen.wait_for("<3> you said: second")
            screen.type("/clear\n")
            screen.wait_for("forgotten")
            screen.type("/system be brief\n")
            screen.type("third\n")
            screen.wait_for("<2> you said: third")
            screen.type("/retry\n")
            screen.wait_for("<2> you said: third", times=2)
            screen.type("/history off\n")
            screen.type("fourth\n")
            screen.wait_for("<2> you said: fourth")
            screen.type("/nonsense\n//slash\n")
            screen.wait_for("no such command")
            screen.wait_for("you said: /slash")
            screen.type("/quit\n")
            assert screen.wait() == ExitCode.DONE

        await terminal(server, drive)
        assert server.last_body["stream"] is True


async def test_several_lines_in_one_question() -> None:
    async with ModelServer(
        answer=lambda m, _: f"lines: {m[-1]['content'].count(chr(10)) + 1}"
    ) as s:

        def drive(screen: Terminal) -> None:
            screen.wait_for("> ")
            screen.type('"""one\ntwo\nthree"""\n')
            screen.wait_for("lines: 3")
            screen.paste("FINDINGS:\nclear\n\nIMPRESSION: normal")
            screen.type("\n")
            screen.wait_for("lines: 4")
            assert screen.leave() == ExitCode.DONE

        await terminal(s, drive)


async def test_ctrl_c_stops_the_answer_and_not_the_program() -> None:
    async with ModelServer(answer=lambda *_: "word " * 400) as server:
        server.streaming.pause_s = 0.05

        def drive(screen: Terminal) -> None:
            screen.wait_for("> ")
            screen.type("go on\n")
            screen.wait_for("word word")
            screen.press_until(CTRL_C, "stopped; Ctrl-C again leaves]\n> ")
            server.answer = echo
            server.streaming.pause_s = 0.0
            screen.type("still there?\n")
            screen.wait_for("<3> you said: still there?\n> ")
            screen.press_until(CTRL_C, "once more, or Ctrl-D, leaves]\n> ")
            screen.type(CTRL_C)
            assert screen.leave() == ExitCode.DONE

        await terminal(server, drive)


async def test_what_fails_is_said_and_the_conversation_goes_on() -> None:
    async with ModelServer(answer=echo) as server:

        def drive(screen: Terminal) -> None:
            screen.wait_for("> ")
            for name, said in (
                ("stream_error", "no answer came to its end"),
                ("content_filter", "content filter"),
                ("refusal", "I cannot help with that."),
                ("length", "cut at the length limit"),
            ):
                screen.type(f"[[fault:{name}]]\n")
                screen.wait_for(said)
            screen.type("well?\n")
            screen.wait_for("<1> you said: well?")
            assert screen.leave() == ExitCode.DONE

        await terminal(server, drive, "--no-history")


async def test_saved_conversations_are_private(tmp_path: Path) -> None:
    async with ModelServer(answer=echo) as server:

        def drive(screen: Terminal) -> None:
            screen.wait_for("> ")
            screen.type("hello\n")
            screen.wait_for("you said: hello")
            for name in ("talk.md", "talk.json"):
                screen.type(f"/save {tmp_path / name}\n")
                screen.wait_for(f"{name}, readable by you alone")
            screen.type(f"/save {tmp_path / 'talk.md'}\n")
            screen.wait_for("there already")
            screen.leave()

        await terminal(server, drive)
    for name in ("talk.md", "talk.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    saved = json.loads((tmp_path / "talk.json").read_text())
    assert saved["data_class"] == "credentialed"
    assert [m["role"] for m in saved["messages"]] == ["user", "assistant"]
    assert "## assistant\n\n<1> you said: hello" in (tmp_path / "talk.md").read_text()


async def test_images_go_with_the_question(tmp_path: Path) -> None:
    Image.new("L", (40, 50)).save(tmp_path / "film.png")
    async with ModelServer(answer=echo) as server:

        def drive(screen: Terminal) -> None:
            screen.wait_for("with the next question: film.png")
            screen.type("what is seen?\n")
            screen.wait_for("<1> you said: (image_url,text) what is seen?")
            screen.type("and now?\n")
            screen.wait_for("<3> you said: and now?")
            screen.type("/image nothing.png\n")
            screen.wait_for("missing_image")
            screen.leave()

        await terminal(server, drive, "--image", str(tmp_path / "film.png"), cwd=tmp_path)
        url = server.last_body["messages"][0]["content"][0]["image_url"]["url"]
        assert url.startswith("data:image/")


async def test_a_pipe_is_one_question_and_the_answer_alone_comes_out() -> None:
    async with ModelServer(answer=echo) as server:
        code, out, err = await piped(server, "one\ntwo\n", "--system", "brief")
        assert (code, out, err) == (ExitCode.DONE, "<2> you said: one\ntwo\n", "")
        code, out, err = await piped(server, "[[fault:content_filter]]")
        assert (code, out) == (ExitCode.REJECTS, "")
        assert "content filter" in err
        code, out, err = await piped(server, "  \n")
        assert code == ExitCode.USAGE


def test_credentialed_words_go_nowhere_without_attestation() -> None:
    done = subprocess.run(
        command("chat", "--url", "https://models.example.org/v1", "--model", "m", "--key-env", "K"),
        input="hello",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.REFUSED
    assert "credentialed data may not be sent to models.example.org" in done.stderr


def test_rules_answer_without_a_model() -> None:
    done = subprocess.run(
        command("chat"), input=REPORT, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.DONE
    assert "no model was asked" in done.stdout
    assert "pleural effusion (left, small)" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "nobody"), "no backend 'nobody'"),
        (("--url", "http://localhost:1"), "--url needs --model"),
        (("--model", "m"), "belong to --url"),
        (("--data-class", "secret"), "--data-class must be one of"),
        (("--recipe", "nobody"), "no recipe 'nobody'"),
        (("--image", "/nonexistent.png"), "missing_image"),
        (("--system", "@/nonexistent"), "cannot be read"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        command("chat", *options), input="x", capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.USAGE
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
