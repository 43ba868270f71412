from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pipeline.core.atomic import atomic_writer, make_private_dir, write_bytes, write_json


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic_writer(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_files_and_folders_belong_to_their_owner_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = make_private_dir(tmp_path / "a" / "b")
        write_json(folder / "x.json", {"b": 1, "a": 2})
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == mode(folder) == 0o700
    assert mode(folder / "x.json") == 0o600
    assert (folder / "x.json").read_bytes() == b'{\n  "b": 1,\n  "a": 2\n}\n'
