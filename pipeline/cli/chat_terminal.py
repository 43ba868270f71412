"""The terminal side of ``chat``: lines in, pieces of answers out, commands in between.

One event loop serves the whole conversation. Ctrl-C cancels the answer under way and nothing else;
at the prompt the second one, or Ctrl-D, leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pipeline.cli import shared
from pipeline.core.errors import DataError, ExitCode, PipelineError
from pipeline.llm.talk import Answered, Talk
from pipeline.llm.types import Outcome
from pipeline.run.chatting import ChatSetup, save_conversation
from pipeline.sources.decode import decode_text

FENCE = '"""'
HELP = """\
/image FILE     show an image with the next question
/retry          ask the last question again
/clear          forget what was said
/system [TEXT]  show or set the system prompt; @FILE reads it
/history on|off send earlier turns along, or ask each question on its own
/save FILE      write the conversation to a private file (.json, else Markdown)
/quit           leave; so does Ctrl-D
\"\"\"             begins and ends a text of several lines; pasted text may have several lines
//...           a line that begins with /
Ctrl-C stops an answer."""

_CONTROL = {code: None for code in (*range(9), *range(11, 32), *range(127, 160))}
"""What a terminal would obey instead of showing it; tab and newline stay."""

_ENDINGS = {
    Outcome.LENGTH: "cut at the length limit; raise --max-tokens",
    Outcome.CONTENT_FILTER: "the service's content filter stopped this",
    Outcome.REFUSAL: "the model refused",
    Outcome.MALFORMED: "the answer is empty or has no end",
    Outcome.FAILED: "no answer came to its end",
}


class Printer:
    """Writes pieces of an answer as they come; never raises, as a listener must not."""

    def __init__(self) -> None:
        self.broken = False
        self._open_line = False

    def hear(self, piece: str) -> None:
        """Show a piece."""
        text = piece.translate(_CONTROL) if sys.stdout.isatty() else piece
        if text and not self.broken:
            try:
                sys.stdout.write(text)
                sys.stdout.flush()
            except OSError:
                self.broken = True  # the reader left
            self._open_line = not text.endswith("\n")

    def end(self) -> None:
        """End the line, if it is not ended."""
        if self._open_line:
            self.hear("\n")


def chat_piped(setup: ChatSetup, images: list[dict[str, Any]], data: bytes) -> int:
    """One question, one answer, and nothing else on standard output."""
    question = decode_text(data)[0].strip()
    if not question:
        _note("standard input holds no question")
        return ExitCode.USAGE

    async def talk() -> Answered:
        async with setup.open(note=_note) as conversation:
            printer = Printer()
            answered = await conversation.ask(question, images, listen=printer.hear)
            if answered.reply.outcome is Outcome.REFUSAL:
                printer.hear(answered.reply.text)
            printer.end()
            if printer.broken:
                raise BrokenPipeError
            return answered

    answered = asyncio.run(talk())
    if ending := _ending(answered):
        _note(ending)
    return ExitCode.DONE if answered.reply.outcome is Outcome.OK else ExitCode.REJECTS


def chat_here(setup: ChatSetup, images: list[dict[str, Any]]) -> int:
    """Talk until the user leaves."""
    with contextlib.suppress(ImportError):
        import readline  # line editing and a history of this session alone

        readline.parse_and_bind("set enable-bracketed-paste on")
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        talk = runner.run(stack.enter_async_context(setup.open(note=_say)))
        try:
            with contextlib.suppress(KeyboardInterrupt):  # one that came between two lines: leave
                Terminal(setup, talk, runner, images).run()
        finally:
            runner.run(stack.aclose())
    return ExitCode.DONE


class Terminal:
    """The loop of questions and commands."""

    def __init__(
        self, setup: ChatSetup, talk: Talk, runner: asyncio.Runner, images: list[dict[str, Any]]
    ) -> None:
        self._setup = setup
        self._talk = talk
        self._runner = runner
        self._images = images
        self._leaving = False
        self._commands: dict[str, Callable[[str], None]] = {
            "help": lambda _: print(HELP),
            "image": self._image,
            "retry": lambda _: self._answer(self._talk.again),
            "clear": self._clear,
            "system": self._system,
            "history": self._history,
            "save": self._save,
        }

    def run(self) -> None:
        """Read and answer until ``/quit``, Ctrl-D, or Ctrl-C twice."""
        config = self._talk.conversation.config
        history = "with history" if config.history else "each question on its own"
        print(f"{self._setup.label}, {history}, data class {self._setup.gate.data_class}")
        print("/help lists the commands, Ctrl-D leaves")
        self._say_images()
        while True:
            try:
                text = self._read()
                if text.strip() in ("/quit", "/exit"):
                    return
                self._leaving = False
                if text.strip():
                    self._take(text)
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                print()
                if self._leaving:
                    return
                self._leaving = True
                _say("once more, or Ctrl-D, leaves")
            except PipelineError as error:
                _say(str(error))

    def _read(self) -> str:
        """One input: a line, a paste, or a block between fences."""
        line = input("> ")
        if not line.lstrip().startswith(FENCE):
            return line
        lines = [line.lstrip().removeprefix(FENCE)]
        while not lines[-1].rstrip().endswith(FENCE):
            try:
                lines.append(input("  "))
            except EOFError:  # Ctrl-D ends the block like a fence
                print()
                break
        lines[-1] = lines[-1].rstrip().removesuffix(FENCE)
        return "\n".join(lines).strip("\n")

    def _take(self, text: str) -> None:
        if text.startswith("/") and not text.startswith("//"):
            name, _, rest = text[1:].partition(" ")
            command = self._commands.get(name.strip().lower())
            if command is None:
                _say("no such command; /help lists them, // begins a line with /")
            else:
                command(rest.strip())
            return
        question = text[1:] if text.startswith("//") else text
        images = list(self._images)
        if self._talk.conversation.config.history:
            self._images.clear()  # from now on they are part of what was said
        self._answer(lambda listen: self._talk.ask(question, images, listen=listen))

    def _answer(self, ask: Callable[..., Awaitable[Answered | None]]) -> None:
        printer = Printer()

        async def answer() -> Answered | None:
            return await ask(listen=printer.hear)

        try:
            answered = self._runner.run(answer())
        except KeyboardInterrupt:
            printer.end()
            self._leaving = True
            _say("stopped; Ctrl-C again leaves")
            return
        except DataError as error:
            _say(f"this cannot be sent: {error}")
            return
        finally:
            printer.end()
        if answered is None:
            _say("nothing was asked yet")
            return
        if answered.reply.outcome is Outcome.REFUSAL:
            printer.hear(answered.reply.text)
            printer.end()
        if answered.forgotten:
            _say(f"the oldest {answered.forgotten} turns no longer fit the model and were left out")
        if ending := _ending(answered):
            _say(ending)

    def _image(self, rest: str) -> None:
        if not rest:
            self._say_images()
            return
        self._images.append(self._setup.image(Path(rest.strip("'\"")).expanduser()))
        self._say_images()

    def _say_images(self) -> None:
        if self._images:
            names = ", ".join(Path(image["path"]).name for image in self._images)
            alone = not self._talk.conversation.config.history
            _say(f"with {'every' if alone else 'the next'} question: {names}")

    def _clear(self, _: str) -> None:
        self._talk.clear()
        self._images.clear()
        _say("forgotten")

    def _system(self, rest: str) -> None:
        if rest:
            self._change(system=shared.read_prompt(rest))
        _say(self._talk.conversation.config.system or "no system prompt")

    def _history(self, rest: str) -> None:
        if rest in ("on", "off"):
            self._change(history=rest == "on")
        _say(f"history is {'on' if self._talk.conversation.config.history else 'off'}")

    def _save(self, rest: str) -> None:
        if not rest:
            _say("/save FILE: where to?")
            return
        path = Path(rest).expanduser()
        save_conversation(self._talk.conversation, path, self._setup.gate.data_class)
        _say(f"written to {path}, readable by you alone")

    def _change(self, **changes: Any) -> None:
        said = self._talk.conversation
        said.config = said.config.model_copy(update=changes)


def _ending(answered: Answered) -> str:
    """What is to be said of an answer that did not end well; "" where it did."""
    reply = answered.reply
    said = _ENDINGS.get(reply.outcome, "")
    return f"{said} ({reply.detail})" if said and reply.detail else said


def _say(text: str) -> None:
    """A remark of the program's own, dimmed."""
    print(f"\033[2m[{text}]\033[0m" if sys.stdout.isatty() else f"[{text}]")


def _note(text: str) -> None:
    sys.stderr.write(f"cxr-pipeline: {text}\n")
