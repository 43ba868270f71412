from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.reply import parse_keyinfo_reply

SHARED = Path(__file__).parents[2].parent / "shared" / "cases" / "reply.jsonl"

RECORD: dict[str, Any] = {"entity": {"edema": {"level": "mild"}}, "no_entity": ["effusion"]}
ENTITY = '"entity": {"edema": {"level": "mild"}}'
DENIED = '"no_entity": ["effusion"]'
REPLY = f"{{{ENTITY}, {DENIED}}}"
ESCAPED = REPLY.replace('"', '\\"')


def _cases() -> list[Any]:
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {SHARED.name} beside it"))]
    lines = SHARED.read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=json.loads(line)["id"]) for line in lines]


@pytest.mark.parametrize("case", _cases())
def test_shared_case(case: dict[str, Any]) -> None:
    parsed = parse_keyinfo_reply(case["reply"])
    assert (parsed.status, parsed.value) == (case["status"], case["expected"])


@pytest.mark.parametrize(
    "text",
    [
        REPLY,
        REPLY.replace(" ", "\n\t"),
        f"\ufeff{REPLY}",
        f"```json\n{REPLY}\n```",
        f"Here it is:\n```\n{REPLY}\n```\nAnything else {{just ask}}?",
        f"See [1] and {{this}}. {REPLY} Note: {{done}}.",
        f"[{REPLY}]",
        f'{{"result": {{"key_info": {REPLY}}}}}',
        f'{{"name": "extract", "arguments": "{ESCAPED}"}}',
        f'"{ESCAPED}"',
        f'```json\n"{ESCAPED}"\n```',
        f'<think>Perhaps {{"entity": {{"mass": {{}}}}}}?</think>{REPLY}',
        f'thinking without a start {{"entity": {{"mass": {{}}}}}}</think>{REPLY}',
        f"{REPLY}</s>",
        f'{REPLY}</s><s>[INST] next [/INST] {{"entity": {{"mass": {{}}}}}}',
        f'<s>[INST] Answer like {{"entity": {{}}}} [/INST] {REPLY} </s>',
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{REPLY}<|eot_id|>",
        f"<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>{REPLY}",
        f'Example: {{"entity": {{"mass": {{}}}}}}. Answer: {REPLY}',
        f'First: {{"entity": {{"mass": {{}}}}}}. Wait, corrected: {REPLY}',
        f'{REPLY}\n\nReport 2: more\n{{"entity": {{"mass": {{}}}}}}',
        f"{REPLY}\n{REPLY}",
        f"{REPLY}\n{REPLY[:30]}",
        f"**{REPLY}**",
    ],
)
def test_located_strict_json_is_ok(text: str) -> None:
    parsed = parse_keyinfo_reply(text)
    assert (parsed.status, parsed.value, parsed.reason) == ("ok", RECORD, "")


@pytest.mark.parametrize(
    "text",
    [
        ESCAPED,
        REPLY.replace('"', "'"),
        REPLY.replace('"', "`"),
        REPLY.replace('"', "“"),
        REPLY.replace('"', "&quot;"),
        "{entity: {edema: {level: mild}}, no_entity: [effusion]}",
        "{'no\\_entity': ['effusion'], 'entity': {'edema': {'level': 'mild'}}}",
        f"{{{ENTITY} {DENIED}}}",
        f"{{{ENTITY},,\n{DENIED},}}",
        f"{{{ENTITY}; {DENIED}}}",
        f'{{{ENTITY}, // "quoted" }}\n{DENIED} /* more }} */}}',
        f"{{{ENTITY}, # why\n{DENIED}}}",
        REPLY.replace("{", "{{").replace("}", "}}"),
        REPLY.replace(":", " =>"),
        f"{{{ENTITY}, {DENIED}",
        f"```json\n{{{ENTITY}, {DENIED}\n```",
        f"{{{ENTITY}, {DENIED}\n\nI hope this helps!",
        f"{ENTITY}, {DENIED}}}",
        f"{{{ENTITY}}},\n {DENIED}}}",
        f"{{{ENTITY}}}\n{{{DENIED}}}",
        f"{REPLY}}}",
        f"keyinfo = {{{ENTITY}, {DENIED},}};",
        f"Open with {{ first. {{{ENTITY}, {DENIED},}}",
        f'{{"entity": {{"edema": {{"level": "mild"}}, {DENIED}}}',
        f'{{"entity": {{"edema": {{"level": "mild"]}}, {DENIED}}}',
        f'{{"entity": {{"edema": {{"level": "mild}}}}, {DENIED}}}',
        f'{{"entity": {{"edema": {{"level": mild"}}}}, {DENIED}}}',
        f'{{"entity: {{"edema": {{"level": "mild"}}}}, {DENIED}}}',
        f'{{"entity": ["edema": {{"level": "mild"}}], {DENIED}}}',
        f'{{{ENTITY}, "no_entity": ["effusion"}}',
        f'{{{ENTITY}, "no_entity": {{"effusion"}}}}',
        f'{{{ENTITY}, "no_entity": ("effusion",)}}',
        f'{{{ENTITY}, "entity": {{}}, {DENIED}}}',
        f"{{\\n  {ENTITY},\\n  {DENIED}\\n}}",
        "entity:\n  edema:\n    level: mild\nno_entity:\n  - effusion\n",
        "```yaml\nentity:\n  edema:\n    level: mild\nno_entity:\n- effusion\n```",
    ],
)
def test_broken_syntax_is_repaired_without_loss(text: str) -> None:
    parsed = parse_keyinfo_reply(text)
    assert (parsed.status, parsed.reason) == ("repaired", "syntax")
    assert parsed.value == RECORD


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ('"level": "so-called "ground glass" kind"', {"level": 'so-called "ground glass" kind'}),
        ('"level": "two\nlines"', {"level": "two\nlines"}),
        ('"level": "mild, "type": "x"', {"level": "mild", "type": "x"}),
        ('"level": True, "type": None', {"level": True, "type": None}),
        ('"level": , "type": NaN', {"level": None, "type": None}),
        ('"level": 1/2, "type": 6 mm', {"level": "1/2", "type": "6 mm"}),
        ('"level": "mild", "level": "severe"', {"level": ["mild", "severe"]}),
        ("'level': 'patient's own'", {"level": "patient's own"}),
        ('"level": "a \\& b \\x41"', {"level": "a & b A"}),
    ],
)
def test_values_are_repaired(body: str, attributes: dict[str, Any]) -> None:
    parsed = parse_keyinfo_reply(f'{{"entity": {{"edema": {{{body}}}}}}}')
    assert parsed.status == "repaired"
    assert parsed.value == {"entity": {"edema": attributes}}


def test_a_finding_named_twice_keeps_both_attribute_sets() -> None:
    parsed = parse_keyinfo_reply('{"entity": {"mass": {"level": "a"}, "mass": {"level": "b"}}}')
    assert parsed.value == {"entity": {"mass": [{"level": "a"}, {"level": "b"}]}}


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        (f'{{{ENTITY}, "no_ent', {"entity": RECORD["entity"]}),
        (f'{{{ENTITY}, "no_entity": ["effusion", "pneu', RECORD),
        (f'{{{ENTITY}, "no_entity": ["effusion", ...]}}', RECORD),
        (f'```json\n{{{ENTITY}, "no_entity": ["effusion", "pn\n```', RECORD),
        ('{"entity": {"edema": {"level": "mi', {"entity": {"edema": {}}}),
        ('{"entity": {"edema": {"level": nul', {"entity": {"edema": {}}}),
        ('{"entity": {"edema": {"level": null', {"entity": {"edema": {"level": None}}}),
        ('{"entity": {"edema": {"level": "mild"}}', {"entity": RECORD["entity"]}),
        (ENTITY[:-1] + ', "mass":', {"entity": RECORD["entity"]}),
    ],
)
def test_cut_reply_keeps_what_is_certain(text: str, certain: dict[str, Any]) -> None:
    parsed = parse_keyinfo_reply(text)
    assert (parsed.status, parsed.value, parsed.reason) == ("truncated", certain, "cut")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\ufeff", "empty"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ('I cannot help with this report. {"entity": {}, "no_entity": []}', "refusal"),
        ("The chest looks normal.", "no_json"),
        ("null", "no_json"),
        ("{}", "wrong_shape"),
        ('{"edema": {"level": "mild"}}', "wrong_shape"),
        ('["edema"]', "wrong_shape"),
        ('{"ent', "wrong_shape"),
        ('<think>Perhaps {"entity": {"mass": {}}}', "empty"),
    ],
)
def test_failure_is_never_a_record(text: str, reason: str) -> None:
    parsed = parse_keyinfo_reply(text)
    assert (parsed.status, parsed.value, parsed.reason) == ("none", None, reason)


@pytest.mark.parametrize(
    ("finish_reason", "status", "reason"),
    [
        ("stop", "ok", ""),
        ("length", "truncated", "length"),
        ("max_tokens", "truncated", "length"),
        ("content_filter", "none", "content_filter"),
        ("refusal", "none", "refusal"),
        ("error", "none", "failed"),
    ],
)
def test_finish_reason_comes_first(finish_reason: str, status: str, reason: str) -> None:
    parsed = parse_keyinfo_reply(REPLY, finish_reason)
    assert (parsed.status, parsed.reason) == (status, reason)
    assert (parsed.value is None) == (status == "none")


def test_normal_study_stays_a_record() -> None:
    text = '{"opacity_vs_clear": {}, "entity": {}, "uncertain_entity": {}, "no_entity": []}'
    assert parse_keyinfo_reply(text).status == "ok"


HOSTILE = {
    "braces": "{" * 500_000,
    "brackets": "[" * 500_000,
    "nested": '{"a":' * 100_000,
    "nested categories": '{"entity":' * 50_000,
    "quotes": '"' * 500_000,
    "open strings": '{"entity": {"' * 40_000,
    "tags": "<think>" * 70_000,
    "repeated keys": "{" + '"no_entity":["a"],' * 30_000 + "}",
    "backslashes": '{"entity": "' + "\\" * 500_000,
    "small objects": "{}" * 100_000,
    "commas": '{"entity": {' + "," * 500_000,
    "comments": '{"entity": ' + "//" * 250_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_reply_is_read_in_linear_time(text: str) -> None:
    start = time.process_time()
    parse_keyinfo_reply(text)
    assert time.process_time() - start < 5


def test_long_sound_reply_is_ok() -> None:
    record = {"entity": {}, "no_entity": [f"finding {number}" for number in range(60_000)]}
    parsed = parse_keyinfo_reply(json.dumps(record))
    assert (parsed.status, parsed.value) == ("ok", record)


@settings(max_examples=300)
@given(st.text(alphabet="{}[]\",:'\\ \nentiy_o/*#`<>=1.ul“”", max_size=60))
def test_any_text_gives_a_result(noise: str) -> None:
    for text in (noise, REPLY[:40] + noise, f'{{"entity": {{{noise}}}, {DENIED}}}'):
        parsed = parse_keyinfo_reply(text)
        assert (parsed.value is None) == (parsed.status == "none")
        json.dumps(parsed.value)


@settings(max_examples=200)
@given(st.integers(min_value=0, max_value=len(REPLY) - 1))
def test_a_cut_reply_never_invents(length: int) -> None:
    value = parse_keyinfo_reply(REPLY[:length]).value or {}
    assert set(value) <= set(RECORD)
    assert set(value.get("no_entity", [])) <= {"effusion"}
    assert set(value.get("entity", {})) <= {"edema"}
