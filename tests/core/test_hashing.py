from __future__ import annotations

from pathlib import Path

from pipeline.core.hashing import canonical_json, fingerprint, sha256_file, sha256_hex, stable_seed


def test_equal_values_have_equal_bytes_whatever_the_order_of_keys() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == b'{"a":"\xc3\xa9","b":[1,null]}'
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_file_hashes_like_its_bytes(tmp_path: Path) -> None:
    data = b"x" * 3_000_000
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == sha256_hex(data)


def test_seeds_are_pinned_because_published_data_depends_on_them() -> None:
    assert stable_seed("study", 1) == 2727293273451350046
    assert stable_seed("ab", "c") != stable_seed("a", "bc")
