"""CSV in, CSV out: one more column, and nothing else changed."""

from __future__ import annotations

import asyncio
import csv
import io
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError, GovernanceError
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.run.infer import InferOptions, Inferred, infer
from tests.support.model_server import DEPLOYMENT, ModelServer

TABLE = (
    'NOTE,INSTRUCTION,"LAST ONE"\r\n'
    '"a, ""b""",第一段,1\r\n'
    "\r\n"
    'x,"第二段\n有两行",\r\n'
    "y,,3\r\n"
    "short\r\n"
    "z,第三段,  4 "
)


def answer(messages: Sequence[Mapping[str, Any]], _: Mapping[str, Any]) -> str:
    return f'答，"{messages[-1]["content"]}"\n完'


def model(server: ModelServer, **more: Any) -> BackendConfig:
    raw = {"kind": "openai", "model": DEPLOYMENT, "url": server.url, "auth": "none"}
    server.keys.add("")
    return parse_backend({**raw, **more})


async def run(folder: Path, data: bytes, server: ModelServer, **more: Any) -> Inferred:
    (folder / "in.csv").write_bytes(data)
    options = InferOptions(folder / "in.csv", folder / "out.csv", model(server), **more)
    return await asyncio.to_thread(infer, options, workers=1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
async def test_other_columns_stay_byte_for_byte(encoding: str, tmp_path: Path) -> None:
    async with ModelServer(answer=answer) as server:
        made = await run(tmp_path, TABLE.encode(encoding), server)
    assert (made.rows, made.answered, made.rejected) == (5, 3, 2)
    cells = [f'"答，""{text}""\n完"' for text in ("第一段", "第二段\n有两行", "第三段")]
    expected = (
        'NOTE,INSTRUCTION,"LAST ONE",GENERATED\r\n'
        f'"a, ""b""",第一段,1,{cells[0]}\r\n'
        "\r\n"
        f'x,"第二段\n有两行",,{cells[1]}\r\n'
        "y,,3,\r\n"
        "short,\r\n"
        f"z,第三段,  4 ,{cells[2]}"
    )
    assert (tmp_path / "out.csv").read_bytes() == expected.encode(encoding)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    notes = list(csv.DictReader((tmp_path / "out.notes.csv").open(encoding="utf-8")))
    assert [(note["row"], note["reason"]) for note in notes] == [("3", "no_text"), ("4", "bad_row")]


async def test_a_file_that_quotes_everything_goes_on_quoting(tmp_path: Path) -> None:
    data = '"INSTRUCTION"\n"one"\n'.encode("gbk")
    async with ModelServer(answer=lambda *_: "yes") as server:
        await run(tmp_path, data, server, generated="MINE")
    assert (tmp_path / "out.csv").read_bytes() == b'"INSTRUCTION","MINE"\n"one","yes"\n'
    assert not (tmp_path / "out.notes.csv").exists()


async def test_it_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    table = "INSTRUCTION\n" + "".join(f"row {n}\n" for n in range(40))
    async with ModelServer(answer=answer) as server:
        made = await run(tmp_path, table.encode(), server, limit=15)
        assert made.rows == 15
        assert (tmp_path / "out.csv").read_text().count("row") == 30
        made = await run(tmp_path, table.encode(), server)
        assert made.rows == made.answered == 40
        whole = (tmp_path / "out.csv").read_bytes()
        await run(tmp_path, table.encode(), server)
        assert (tmp_path / "out.csv").read_bytes() == whole
        assert len(server.arrivals) == 40
        await run(tmp_path, table.encode(), server, params={"prefix": "about "})
        assert len(server.arrivals) == 80


async def test_rejects_and_cut_answers_are_listed(tmp_path: Path) -> None:
    table = "INSTRUCTION\n[[fault:refusal]]\n[[fault:length]] x\nfine\n"
    async with ModelServer(answer=answer) as server:
        made = await run(tmp_path, table.encode(), server)
    assert (made.answered, made.rejected, made.cut) == (2, 1, 1)
    notes = (tmp_path / "out.notes.csv").read_text().splitlines()
    assert notes[1].startswith("1,refusal,")
    assert notes[2].startswith("2,cut,")
    assert "fault" not in "".join(notes)


async def test_what_cannot_be_asked_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    async with ModelServer() as server:
        for data, more, said in (
            (b"A,B\n1,2\n", {}, "no column 'INSTRUCTION'; it has A, B"),
            (b"INSTRUCTION,GENERATED\n1,2\n", {}, "has a column GENERATED already"),
            ("INSTRUCTION\nna\xefve\n".encode("cp1252"), {}, "name its encoding"),
            (b"INSTRUCTION\na\n", {"encoding": "klingon"}, "no encoding is called"),
            (b"INSTRUCTION\na\n", {"data_class": "secret"}, "data_class"),
            (b"", {}, "is empty"),
        ):
            with pytest.raises(ConfigError, match=said):
                await run(tmp_path, data, server, **more)
        assert server.arrivals == []


async def test_an_encoding_without_the_answers_characters(tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: "naïve 肺") as server:
        data = "INSTRUCTION\nna\xefve\n".encode("cp1252")
        await run(tmp_path, data, server, encoding="cp1252")
    assert (tmp_path / "out.csv").read_bytes().endswith("naïve,naïve ?\n".encode("cp1252"))


def test_credentialed_rows_go_nowhere_without_attestation(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("INSTRUCTION\na\n")
    away = parse_backend({"kind": "openai", "model": "m", "url": "https://models.example.org"})
    with pytest.raises(GovernanceError, match="may not be sent"):
        infer(InferOptions(tmp_path / "in.csv", tmp_path / "out.csv", away), workers=1)
    assert not (tmp_path / "out.csv").exists()


def test_rules_need_no_model(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("INSTRUCTION\n右侧少量胸腔积液。\n")
    rules = parse_backend({"kind": "rules"})
    made = infer(InferOptions(tmp_path / "in.csv", tmp_path / "out.csv", rules), workers=1)
    assert made.answered == 1
    (row,) = csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(), newline=""))
    assert "右侧少量胸腔积液" in row["GENERATED"]
