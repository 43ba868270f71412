"""Images in requests: what is sent, what the key holds, what it costs, who may see them."""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image, PngImagePlugin

from pipeline.core.errors import DataError, GovernanceError
from pipeline.llm import images
from pipeline.llm.backends.chat import build_body
from pipeline.llm.config import parse_backend
from pipeline.llm.engine import Engine
from pipeline.llm.governance import Gate
from pipeline.llm.images import image_part, image_tokens, load_image
from pipeline.llm.journal import Journal
from pipeline.llm.open import open_engine
from pipeline.llm.tokens import TokenEstimate, count_exactly, prompt_size
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.batch_bench import Bench
from tests.support.images import deep, grey, save
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.model_server_images import describe_images, seen_images

BACKEND = {"kind": "openai", "model": "m", "deployment": DEPLOYMENT, "key_env": "K"}
ENV = {"K": KEY}


def asked(*parts: dict[str, Any], text: str = "What is seen?") -> Request:
    return Request("look", (Message("user", ({"type": "text", "text": text}, *parts)),))


def sent(request: Request) -> Any:
    deployment = parse_backend({**BACKEND, "url": "http://127.0.0.1:1"}).deployments[0]
    (image,) = seen_images(build_body(request, deployment)["messages"])
    return image


async def answered(
    request: Request, folder: Path, server: ModelServer, gate: Any = lambda _: None, **fields: Any
) -> Reply:
    config = parse_backend({**BACKEND, "url": server.url, **fields})
    async with open_engine(config, folder / "replies", gate, environ=ENV) as engine:
        return await engine.for_stage("s")(request)


@pytest.mark.parametrize("kind", ["openai", "azure", "azure-v1"])
async def test_an_image_is_answered(tmp_path: Path, kind: str) -> None:
    surface: dict[str, Any] = {"kind": kind.removesuffix("-v1")}
    if kind == "azure":
        surface["api_version"] = "2024-10-21"
    part = image_part(save(tmp_path / "a.png", grey(2000, 1500)), max_side=500, detail="low")
    async with ModelServer(answer=describe_images) as server:
        reply = await answered(asked(part), tmp_path, server, **surface)
        again = await answered(asked(part), tmp_path, server, **surface)
        assert len(server.images) == 1
    assert reply.outcome is Outcome.OK
    seen = {"format": "JPEG", "width": 500, "height": 375, "mode": "L", "detail": "low"}
    assert orjson.loads(reply.text) == {"images": [seen]}
    assert again.reused and again.text == reply.text


async def test_several_images_keep_their_places_in_the_text(tmp_path: Path) -> None:
    first = image_part(save(tmp_path / "a.png", grey(40, 30)))
    second = image_part(save(tmp_path / "b.png", grey(30, 40)), encoding="png")
    deployment = parse_backend({**BACKEND, "url": "http://127.0.0.1:1"}).deployments[0]
    content = (first, {"type": "text", "text": "and"}, second)
    body = build_body(Request("t", (Message("user", content),)), deployment)
    types = [part["type"] for part in body["messages"][0]["content"]]
    assert types == ["image_url", "text", "image_url"]
    assert [(one.format, one.width) for one in seen_images(body["messages"])] == [
        ("JPEG", 40),
        ("PNG", 30),
    ]


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_only_pixels_are_sent(tmp_path: Path, encoding: Any) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", "Sentinel Name")
    exif = Image.Exif()
    exif[0x010E] = "Sentinel description"
    exif[274] = 3
    path = tmp_path / "Sentinel-Name.png"
    save(path, grey(), pnginfo=text, exif=exif, icc_profile=b"Sentinel profile", dpi=(300, 300))
    image = sent(asked(image_part(path, encoding=encoding)))
    assert image.metadata == ()
    corner = grey().getpixel((60, 70))
    assert image.image.getpixel((3, 9)) == pytest.approx(corner, abs=6)  # turned, as EXIF says
    deployment = parse_backend({**BACKEND, "url": "http://127.0.0.1:1"}).deployments[0]
    body = build_body(asked(image_part(path, encoding=encoding)), deployment)
    assert b"Sentinel" not in orjson.dumps(body)
    assert str(tmp_path).encode() not in orjson.dumps(body)


def test_png_keeps_every_pixel_and_small_images_keep_their_size(tmp_path: Path) -> None:
    image = sent(asked(image_part(save(tmp_path / "a.png"), encoding="png")))
    assert np.array_equal(np.asarray(image.image), np.asarray(grey()))


def test_a_deep_image_is_sent_with_8_bits(tmp_path: Path) -> None:
    part = image_part(save(tmp_path / "a.png", deep(3000, 2500)), encoding="png")
    image = sent(asked(part))
    assert (image.mode, image.width, image.height) == ("L", 1024, 853)
    assert image.image.getextrema() == pytest.approx((0, 255), abs=3)


@pytest.mark.parametrize("size", [(2500, 3001), (3001, 2500), (1025, 1024), (5000, 3)])
def test_the_part_says_the_size_that_is_sent(tmp_path: Path, size: tuple[int, int]) -> None:
    part = image_part(save(tmp_path / "a.jpg", grey(*size)))
    assert load_image(part).size == (part["width"], part["height"])
    assert max(part["width"], part["height"]) == 1024


def test_the_key_is_over_the_content_and_not_the_path(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = save(tmp_path / "one.png")
    two = save(tmp_path / "other" / "two.png")
    assert one.read_bytes() == two.read_bytes()
    key = asked(image_part(one)).key()
    assert asked(image_part(two)).key() == key
    different = [
        asked(image_part(save(tmp_path / "c.png", grey(seed=3)))),
        asked(image_part(one, max_side=512)),
        asked(image_part(one, detail="high")),
        asked(image_part(one, encoding="png")),
        asked(image_part(one), text="What else?"),
        asked(image_part(one), image_part(one)),
        asked(),
    ]
    assert len({key, *(other.key() for other in different)}) == 1 + len(different)


def test_no_repr_shows_the_path(tmp_path: Path) -> None:
    assert str(tmp_path) not in repr(asked(image_part(save(tmp_path / "a.png"))))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "missing_image"), (b"no image", "unreadable_image"), (b"", "unreadable_image")],
)
def test_a_part_is_made_of_an_image_only(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        image_part(path)
    assert caught.value.reason == reason


@pytest.mark.parametrize("side", [0, 31, 8193])
def test_the_side_has_limits(tmp_path: Path, side: int) -> None:
    with pytest.raises(ValueError, match="max_side"):
        image_part(save(tmp_path / "a.png"), max_side=side)


async def test_a_bad_image_costs_its_own_request_only(tmp_path: Path) -> None:
    """It is found when it is sent: the others of the engine go on, and nothing stays reserved."""
    whole = save(tmp_path / "whole.png", grey(300, 300)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    changed = image_part(save(tmp_path / "changed.png"))
    save(tmp_path / "changed.png", grey(seed=1))
    gone = image_part(save(tmp_path / "gone.png", grey(seed=2)))
    (tmp_path / "gone.png").unlink()
    requests = [
        asked(image_part(tmp_path / "cut.png")),
        asked(image_part(tmp_path / "whole.png")),
        asked(changed),
        asked(gone),
    ]
    async with ModelServer() as server:
        config = parse_backend({**BACKEND, "url": server.url, "concurrency": 2, "tpm": 100_000})
        async with open_engine(config, tmp_path / "r", lambda _: None, environ=ENV) as engine:
            assert isinstance(engine, Engine)
            replies = await asyncio.gather(
                *(engine.ask(one) for one in requests * 3), return_exceptions=True
            )
            assert (await engine.ask(asked())).outcome is Outcome.OK
            assert engine.stats()["under_way"] == 0
        assert len(server.arrivals) == 2
    outcomes = [
        one.reason if isinstance(one, DataError) else getattr(one, "outcome", one)
        for one in replies
    ]
    expected = ["unreadable_image", Outcome.OK, "image_changed", "missing_image"]
    assert outcomes == expected * 3
    journal = Journal(tmp_path / "r")
    assert len(journal) == 2
    journal.release()


async def test_waiting_requests_hold_no_pixels(tmp_path: Path) -> None:
    requests = [
        asked(image_part(save(tmp_path / f"{n}.png", grey(700, 700, seed=n))), text=str(n))
        for n in range(40)
    ]
    assert len(orjson.dumps([one.messages[0].content for one in requests])) < 20_000
    async with ModelServer(latency_s=60) as server:
        config = parse_backend({**BACKEND, "url": server.url, "concurrency": 2})
        async with open_engine(config, tmp_path / "r", lambda _: None, environ=ENV) as engine:
            asks = [asyncio.create_task(engine.for_stage("s")(one)) for one in requests]
            while len(server.images) < 2:  # noqa: ASYNC110 (the server has no event for it)
                await asyncio.sleep(0.01)
            held = [o for o in gc.get_objects() if isinstance(o, Image.Image) and o.width == 700]
            assert len(held) <= 4  # two are those the server unpacked
            for ask in asks:
                ask.cancel()
            await asyncio.gather(*asks, return_exceptions=True)


async def test_an_image_is_refused_before_it_is_read_or_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images are data like notes: the gate of the run decides about both."""
    part = image_part(save(tmp_path / "a.png"))

    def read(*_: object) -> bytes:
        raise AssertionError("the image was read")

    monkeypatch.setattr(images, "read_image_file", read)
    gate = Gate("credentialed", today=lambda: datetime.now(UTC).date())
    for url in ("https://models.example.org/v1", "https://api.openai.com/v1"):
        async with ModelServer() as server:
            with pytest.raises(GovernanceError, match="may not be sent"):
                await answered(asked(part), tmp_path, server, gate.check, url=url)
            assert not server.arrivals


async def test_the_gate_is_asked_again_before_every_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attestation that ends while a run works: the next image stays here, unread."""
    part = image_part(save(tmp_path / "a.png"))
    calls = 0

    def gate(_: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            monkeypatch.setattr(images, "read_image_file", None)
            raise GovernanceError("ended")

    async with ModelServer() as server:
        with pytest.raises(GovernanceError, match="ended"):
            await answered(asked(part), tmp_path, server, gate)
        assert not server.arrivals


def test_tokens_are_those_the_services_document() -> None:
    """Examples of OpenAI's guide "Images and vision"."""

    def tokens(width: int, height: int, model: str, detail: str = "high") -> int:
        return image_tokens({"width": width, "height": height, "detail": detail}, model)

    assert tokens(1024, 1024, "gpt-4o") == 765
    assert tokens(2048, 4096, "gpt-4o-2024-11-20") == 1105
    assert tokens(4096, 8192, "gpt-4o", "low") == 85
    assert tokens(1024, 1024, "gpt-4.1-mini") == 1659  # 1,024 patches
    assert tokens(1800, 2400, "gpt-4.1-nano") == 3779  # 1,536 patches at most
    assert tokens(1024, 1024, "gpt-4o-mini") == 2833 + 4 * 5667
    assert tokens(1024, 1024, "gpt-5") == 70 + 4 * 140
    assert tokens(1024, 1024, "qwen2.5-vl-7b") == 37 * 37
    assert tokens(512, 512, "gpt-4o") == 255
    assert tokens(768, 1024, "gpt-4o", "auto") == 765


def test_estimates_count_images_by_size_and_detail(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", grey(3000, 3000))
    low, high = (image_part(path, detail=detail) for detail in ("low", "high"))
    for part, tokens in ((low, 85), (high, 765)):
        request = replace(asked(part, text="abc"), model="gpt-4o")
        assert prompt_size(request) == (3, tokens)
        assert TokenEstimate(3.0).prompt(*prompt_size(request)) == 2 + tokens
        assert count_exactly(request, len) == 4 + 3 + tokens


def test_an_image_that_is_too_large_as_sent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (500, 500), np.uint8))
    part = image_part(save(tmp_path / "a.png", noise), encoding="png")
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", 100_000)
    with pytest.raises(DataError, match="image_too_large") as caught:
        sent(asked(part))
    assert "max_side" in caught.value.detail
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", 10_000_000)
    monkeypatch.setattr(images, "MAX_REQUEST_BYTES", 400_000)
    with pytest.raises(DataError, match="image_too_large"):
        sent(asked(part, part))


async def test_batch_files_with_images_keep_to_the_size_limit(tmp_path: Path) -> None:
    requests = [
        asked(image_part(save(tmp_path / f"{n}.png", grey(400, 400, seed=n))), text=str(n))
        for n in range(6)
    ]
    async with ModelServer(answer=describe_images) as server:
        bench = Bench(server, tmp_path / "run")
        one = len(orjson.dumps(build_body(requests[0], _deployment(server)))) + 400
        bench.settings["max_bytes"] = one * 2
        answers = await bench.stage(requests)
        assert bench.stats["jobs"] >= 3
        assert len(server.batch.submitted) == 6
    assert [reply.outcome for reply in answers] == [Outcome.OK] * 6
    assert orjson.loads(answers[0].text)["images"][0]["width"] == 400
    assert bench.leftovers() == []


def _deployment(server: ModelServer) -> Any:
    return parse_backend({**BACKEND, "url": server.url}).deployments[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_has_a_reason(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    path.chmod(0)
    with pytest.raises(DataError, match="unreadable_image"):
        image_part(path)
