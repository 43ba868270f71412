"""``chat --web``: a page to talk to a model about an image.

Everything stays on this machine but what the gate lets through to the backend: the page is bound to
loopback, opened with a token, loads nothing from elsewhere, and is neither counted nor shared.
Uploads lie in a private folder that is removed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError, PipelineError
from pipeline.llm.images import load_image
from pipeline.llm.open import Answering
from pipeline.llm.talk import Answered, Conversation, Talk
from pipeline.llm.types import Outcome
from pipeline.run.chatting import ChatSetup
from pipeline.web.door import HOST, Door, open_socket

EVERY_S = 0.05
"""Pieces of an answer are gathered so long, so that a page is not drawn for each token."""
TEMPERATURE, MAX_TOKENS = 0.2, 512
"""Where neither recipe nor command line say anything."""

_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_CSS = """
footer { display: none !important; }
.gradio-container { max-width: 1400px !important; margin: 0 auto !important; }
#facts h1 { font-size: 1.1rem; margin: 0 0 .2rem 0; }
#facts p { font-size: .85rem; margin: 0; opacity: .8; }
#status { min-height: 1.4rem; font-size: .85rem; opacity: .8; }
#conversation img { max-height: 200px; width: auto; }
#image img { background: #000; object-fit: contain; }
[aria-label="Share"], [title="Share"] { display: none !important; }
"""
_ENDINGS = {
    Outcome.LENGTH: "cut at the length limit",
    Outcome.CONTENT_FILTER: "stopped by the service's content filter",
    Outcome.REFUSAL: "refused by the model",
    Outcome.MALFORMED: "empty, or without an end",
    Outcome.FAILED: "broken off",
}


@dataclass(slots=True)
class _Session:
    """One open page."""

    talk: Talk
    shown: list[dict[str, Any]] = field(default_factory=list)
    image: str = ""


def serve_chat(
    setup: ChatSetup,
    *,
    images: Mapping[str, Path] | None = None,
    port: int = 0,
    say: Callable[[str], None] = print,
    token: str = "",
) -> None:
    """Show the page until Ctrl-C.

    Args:
        setup: backend, gate and preset.
        images: name -> file of images that can be picked.
        port: 0 for a free one.
        say: takes the address and notes.
        token: opens the page; a random one if not given.

    Raises:
        ConfigError: gradio is not installed, or the port is taken.
        GovernanceError: data of this class may not go to the backend.
    """
    os.environ.update(_QUIET)
    signal.signal(signal.SIGTERM, _interrupt)  # so that the folder is removed then, too
    folder = Path(tempfile.mkdtemp(prefix="cxr-chat-"))  # for the owner alone
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(setup, images or {}, port, say, token, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


async def _serve(
    setup: ChatSetup,
    images: Mapping[str, Path],
    port: int,
    say: Callable[[str], None],
    token: str,
    folder: Path,
) -> None:
    try:
        import fastapi
        import gradio
        import uvicorn
    except ImportError:
        raise ConfigError('chat --web needs gradio: pip install "cxr-pipeline[web]"') from None
    async with setup.engine(note=say) as engine:
        page = Page(setup, engine, images, folder)
        app = gradio.mount_gradio_app(
            fastapi.FastAPI(),
            page.build(),
            path="/",
            server_name=HOST,
            footer_links=[],
            show_error=False,
            ssr_mode=False,
            pwa=False,
            enable_monitoring=False,
            max_file_size="64mb",
            theme=gradio.themes.Default(
                primary_hue="blue",
                neutral_hue="slate",
                font=["system-ui", "sans-serif"],
                font_mono=["ui-monospace", "monospace"],
            ),
            css=_CSS,
        )
        with open_socket(port) as sock:
            door = Door(app, token)
            config = uvicorn.Config(
                door, log_level="critical", access_log=False, lifespan="on", proxy_headers=False
            )
            say(f"{setup.label}, data class {setup.gate.data_class}")
            say(f"open http://{HOST}:{sock.getsockname()[1]}/?token={door.token} (Ctrl-C ends it)")
            await uvicorn.Server(config).serve(sockets=[sock])


class Page:
    """The page and what its buttons do."""

    def __init__(
        self, setup: ChatSetup, engine: Answering, images: Mapping[str, Path], folder: Path
    ) -> None:
        self._setup = setup
        self._engine = engine
        self._images = images
        self._folder = folder

    def build(self) -> Any:
        """The page as gradio takes it."""
        import gradio as gr

        preset = self._setup.config
        with gr.Blocks(
            title="cxr-pipeline chat",
            analytics_enabled=False,
            fill_width=True,
            delete_cache=(600, 3600),
        ) as page:
            session = gr.State(None)
            gr.Markdown(self._facts(), elem_id="facts")
            with gr.Row():
                with gr.Column(scale=4, min_width=320):
                    image = gr.Image(
                        label="Image (optional)",
                        type="filepath",
                        image_mode=None,
                        sources=["upload", "clipboard"],
                        height=300,
                        elem_id="image",
                        buttons=["fullscreen"],
                    )
                    if self._images:
                        picked = gr.Dropdown(
                            label=f"From the run ({len(self._images):,} images)",
                            choices=list(self._images),
                            value=None,
                            elem_id="run-image",
                        )
                        picked.input(self._pick, picked, image, show_progress="hidden")
                    with gr.Accordion("Settings", open=True):
                        system = gr.Textbox(
                            label="System prompt", value=preset.system, lines=2, max_lines=6
                        )
                        temperature = gr.Slider(
                            0,
                            2,
                            step=0.05,
                            label="Temperature",
                            value=_or(preset.temperature, TEMPERATURE),
                        )
                        length = gr.Slider(
                            16,
                            4096,
                            step=16,
                            label="Longest answer, in tokens",
                            value=_or(preset.max_tokens, MAX_TOKENS),
                        )
                        history = gr.Checkbox(
                            label="Send earlier turns along", value=preset.history
                        )
                with gr.Column(scale=7, min_width=420):
                    chatbot = gr.Chatbot(
                        label="Conversation",
                        height=500,
                        elem_id="conversation",
                        buttons=["copy", "copy_all"],
                        feedback_options=None,
                        placeholder="Ask a question, about an image or without one.",
                        allow_tags=False,
                    )
                    question = gr.Textbox(
                        show_label=False,
                        placeholder="Ask. Enter sends, Shift+Enter begins a new line",
                        lines=1,
                        max_lines=12,
                        elem_id="question",
                        autofocus=True,
                    )
                    with gr.Row():
                        send = gr.Button("Ask", variant="primary", size="md", elem_id="ask")
                        stop = gr.Button("Stop", size="md", elem_id="stop")
                        again = gr.Button("Ask again", size="md", elem_id="again")
                        clear = gr.Button("Clear", size="md", elem_id="clear")
                    status = gr.Markdown("", elem_id="status")
            settings = [system, temperature, length, history]
            shown = [chatbot, question, status, session]
            quiet: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 8}
            asked = [
                trigger(self._ask, [question, image, session, *settings], shown, **quiet)
                for trigger in (send.click, question.submit)
            ]
            asked.append(again.click(self._again, [session, *settings], shown, **quiet))
            stop.click(_stopped, None, status, cancels=asked, show_progress="hidden")
            for wiped in (clear.click, chatbot.clear):
                wiped(
                    _cleared,
                    session,
                    [chatbot, image, status],
                    cancels=asked,
                    show_progress="hidden",
                )
        return page

    def _facts(self) -> str:
        return (
            f"# {_plain(self._setup.label)}\n\n"
            f"Data class **{self._setup.gate.data_class}**. {_plain(self._setup.notice)}"
        )

    async def _pick(self, name: str | None) -> str | None:
        """A picked image as it would be sent."""
        if name is None:
            return None
        import gradio as gr

        try:
            return await asyncio.to_thread(self._preview, self._images[name])
        except PipelineError as error:
            gr.Warning(_plain(str(error)))
            return None

    def _preview(self, path: Path) -> str:
        part = self._setup.image(path)
        file = self._folder / f"{part['sha256'][:16]}.png"
        if not file.exists():
            load_image(part).save(file, "PNG")
        return str(file)

    async def _ask(
        self,
        question: str,
        image: str | None,
        session: _Session | None,
        *settings: Any,
    ) -> AsyncIterator[tuple[Any, ...]]:
        session = session or _Session(Talk(self._engine, Conversation(self._setup.config)))
        self._apply(session, settings)
        if not question.strip():
            yield session.shown, question, "write a question first", session
            return
        parts: list[dict[str, Any]] = []
        try:
            if image:
                part = await asyncio.to_thread(self._setup.image, Path(image))
                alone = not session.talk.conversation.config.history
                if alone or part["sha256"] != session.image:
                    parts, session.image = [part], part["sha256"]
                    preview = await asyncio.to_thread(self._preview, Path(image))
                    session.shown.append({"role": "user", "content": {"path": preview}})
        except PipelineError as error:
            yield session.shown, question, _plain(str(error)), session
            return
        session.shown.append({"role": "user", "content": question})

        async def ask(listen: Callable[[str], None]) -> Answered | None:
            return await session.talk.ask(question, parts, listen=listen)

        async for update in self._stream(session, ask):
            yield update

    async def _again(
        self, session: _Session | None, *settings: Any
    ) -> AsyncIterator[tuple[Any, ...]]:
        if session is None:
            yield [], "", "nothing was asked yet", session
            return
        self._apply(session, settings)
        while session.shown and session.shown[-1]["role"] == "assistant":
            session.shown.pop()

        async def ask(listen: Callable[[str], None]) -> Answered | None:
            return await session.talk.again(listen=listen)

        async for update in self._stream(session, ask):
            yield update

    def _apply(self, session: _Session, settings: Sequence[Any]) -> None:
        system, temperature, length, history = settings
        said = session.talk.conversation
        said.config = said.config.model_copy(
            update={
                "system": system,
                "temperature": float(temperature),
                "max_tokens": int(length),
                "history": bool(history),
            }
        )

    async def _stream(
        self, session: _Session, ask: Callable[[Callable[[str], None]], Any]
    ) -> AsyncIterator[tuple[Any, ...]]:
        """The page again and again while the answer grows; one who leaves stops the answer."""
        pieces: list[str] = []
        answer = {"role": "assistant", "content": ""}
        task = asyncio.ensure_future(ask(pieces.append))
        yield session.shown, "", "waiting for the first words ...", session
        told = 0
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=EVERY_S)
                if len(pieces) > told:
                    if not told:
                        session.shown.append(answer)
                    told, answer["content"] = len(pieces), "".join(pieces)
                    yield session.shown, "", "answering ...", session
            status = self._conclude(session, task.result(), answer)
        except PipelineError as error:
            status = _plain(str(error))
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, PipelineError):
                    await task
        yield session.shown, "", status, session

    def _conclude(
        self, session: _Session, answered: Answered | None, answer: dict[str, Any]
    ) -> str:
        """Show the whole answer; what is to be said of it."""
        if answered is None:
            return "nothing was asked yet"
        reply = answered.reply
        answer["content"] = reply.text or answer["content"]
        if answer["content"] and not any(one is answer for one in session.shown):
            session.shown.append(answer)
        usage = reply.usage
        tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
        said = [f"{answered.seconds:.1f} s", tokens if usage.prompt_tokens else ""]
        if answered.forgotten:
            said.append(f"the oldest {answered.forgotten} turns no longer fit and were left out")
        if ending := _ENDINGS.get(reply.outcome):
            said.append(f"**{ending}**" + (f" ({reply.detail})" if reply.detail else ""))
        return " · ".join(one for one in said if one)


async def _stopped() -> str:
    return "stopped"


async def _cleared(session: _Session | None) -> tuple[list[Any], None, str]:
    if session is not None:
        session.talk.clear()
        session.shown.clear()
        session.image = ""
    return [], None, "cleared"


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|" else char for char in text)
