from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.sources.decode import FALLBACK, decode_report, decode_text


@given(st.text().filter(lambda text: not text.startswith("\ufeff")))
def test_utf8_comes_back(text: str) -> None:
    assert decode_text(text.encode()) == (text, None)
    assert decode_text(text.encode("utf-8-sig")) == (text, None)


@given(st.binary())
@example(b"\x81\x8d\x8f\x90\x9d")
@example(b"\xef\xbb\xbf\xb0")
@example(b"\xed\xa0\x80")
def test_every_byte_is_read(data: bytes) -> None:
    text, encoding = decode_text(data)
    assert encoding in (None, FALLBACK)
    text.encode()
    assert len(text) <= len(data)
    assert bool(text) or data in (b"", b"\xef\xbb\xbf")


@given(st.lists(st.sampled_from(["Clear. ", "≈ 4 cm", "38 °C", "“as is”"]), max_size=9))
def test_only_odd_bytes_are_read_differently(parts: list[str]) -> None:
    data = b"".join(part.encode() + b"\x96" for part in parts)
    assert decode_text(data)[0] == "".join(part + "\u2013" for part in parts)


@given(st.binary(max_size=40))
def test_reports_are_text_or_unreadable(data: bytes) -> None:
    try:
        text, _ = decode_report(data)
    except DataError as error:
        assert error.reason == "unreadable"
    else:
        assert "\x00" not in text


def test_cut_utf16_is_not_an_exception() -> None:
    with pytest.raises(DataError, match="unreadable"):
        decode_report("wide".encode("utf-16")[:-1])
