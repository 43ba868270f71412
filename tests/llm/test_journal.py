"""The journal: whatever kills it, no reply that was written is lost and none is invented."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError, StorageError
from pipeline.core.hashing import sha256_hex
from pipeline.llm.journal import Journal
from pipeline.llm.journal_lines import Entry
from pipeline.llm.types import Outcome, Reply, Usage


def key(number: int) -> str:
    return sha256_hex(str(number).encode())


def entry(number: int, text: str = "", run: str = "r", stage: str = "s") -> Entry:
    usage = Usage(10, 5, 2, 1)
    reply = Reply(Outcome.OK, text or f"answer {number}", "stop", usage, "m-1")
    return Entry(key(number), reply, run, stage, "host/d", 0.25, 40)


def fill(folder: Path, numbers: range, run: str = "r") -> None:
    journal = Journal(folder, run)
    for number in numbers:
        journal.append(entry(number, run=run))
    journal.release()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "replies")
    odd = "no newline\n in \u2028 here, 心影 and \x00"
    journal.append(entry(1, odd))
    long = "x" * 100_000
    journal.append(entry(2, long))
    for one in (journal, Journal(tmp_path / "replies")):
        reply = one.get(key(1))
        assert reply == Reply(Outcome.OK, odd, "stop", Usage(10, 5, 2, 1), "m-1", "", reused=True)
        assert key(2) in one
        found = one.get(key(2))
        assert found is not None
        assert found.text == long
        assert one.get(key(3)) is None
        assert key(3) not in one
        assert len(one) == 2


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "replies")
    assert journal.get(key(1)) is None
    assert not (tmp_path / "replies").exists()


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    fill(tmp_path / "replies", range(1))
    assert stat.S_IMODE((tmp_path / "replies").stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "replies").iterdir()} == {0o600}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0), then=st.integers(min_value=0, max_value=3))
def test_killed_at_any_byte(tmp_path_factory: pytest.TempPathFactory, cut: int, then: int) -> None:
    folder = tmp_path_factory.mktemp("j") / "replies"
    fill(folder, range(5))
    (path,) = segments(folder)
    data = path.read_bytes()
    cut %= len(data) + 1
    path.write_bytes(data[:cut])
    whole = max(0, data[:cut].count(b"\n") - 1)

    journal = Journal(folder, "r")
    assert len(journal) == whole
    for number in range(10, 10 + then):
        journal.append(entry(number))
    journal.release()
    again = Journal(folder, "r")
    again.compact()
    assert again.damaged == 0
    for number in [*range(whole), *range(10, 10 + then)]:
        reply = again.get(key(number))
        assert reply is not None
        assert reply.text == f"answer {number}"
    assert len(again) == whole + then


def test_a_damaged_line_costs_its_own_reply_only(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    (path,) = segments(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"key": "nonsense"}\n'
    path.write_bytes(b"".join(lines))
    journal = Journal(tmp_path)
    assert journal.damaged == 1
    assert [key(n) in journal for n in range(3)] == [True, False, True]


def test_a_journal_of_another_version_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, range(1))
    (path,) = segments(tmp_path)
    data = path.read_bytes().replace(b'"journal":1', b'"journal":99', 1)
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="another version"):
        Journal(tmp_path)
    assert path.read_bytes() == data


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "000001.jsonl").write_text('{"some": "data"}\n')
    with pytest.raises(ConfigError):
        Journal(tmp_path)


def test_a_later_reply_to_the_same_request_wins_and_none_is_thrown_away(tmp_path: Path) -> None:
    for text in ("first", "second", "second"):
        journal = Journal(tmp_path, "r")
        journal.append(entry(1, text))
        journal.release()
    journal = Journal(tmp_path, "r")
    assert len(segments(tmp_path)) == 3
    journal.compact()
    (path,) = segments(tmp_path)
    assert path.read_bytes().count(b"\n") == 1 + 2  # header, first, second
    found = journal.get(key(1))
    assert found is not None
    assert found.text == "second"


def test_compaction_leaves_a_living_writer_alone(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    fill(tmp_path, range(3, 6))
    living = Journal(tmp_path)
    living.append(entry(6))
    other = Journal(tmp_path)
    other.compact()
    assert len(segments(tmp_path)) == 2
    living.append(entry(7))
    assert living.get(key(0)) is not None  # in a file that is gone from the folder
    living.release()
    final = Journal(tmp_path)
    assert len(final) == 8
    final.compact()
    assert len(segments(tmp_path)) == 1
    final.append(entry(8))
    assert all(final.get(key(n)) is not None for n in range(9))


def test_a_crash_while_compacting_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, range(3))
    fill(tmp_path, range(3, 6))
    journal = Journal(tmp_path)

    def crash(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            journal.compact()
    journal = Journal(tmp_path)
    journal.compact()
    assert len(journal) == 6
    assert len(segments(tmp_path)) == 1


def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    """Each writes while the others do, one of them dies in the middle of a line."""
    script = (
        "import sys, os; from pathlib import Path; sys.path.insert(0, os.getcwd());"
        "from tests.llm.test_journal import entry; from pipeline.llm.journal import Journal;"
        "n = int(sys.argv[2]); j = Journal(Path(sys.argv[1]), 'r');"
        "[j.append(entry(n * 1000 + i)) for i in range(200)];"
        "n == 2 and os.write(j._own, b'{\"key\":');"
        "os._exit(9)"
    )
    root = Path(__file__).parents[2]
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path), str(n)], cwd=root)
        for n in range(3)
    ]
    assert [child.wait() for child in children] == [9, 9, 9]
    journal = Journal(tmp_path)
    assert len(journal) == 600
    assert journal.damaged == 0
    assert all(key(n * 1000 + i) in journal for n in range(3) for i in range(200))


def test_spending_is_added_up_by_stage_over_all_sessions_of_a_run(tmp_path: Path) -> None:
    fill(tmp_path, range(2), run="mine")
    fill(tmp_path, range(2, 5), run="other")
    journal = Journal(tmp_path, "mine")
    journal.append(entry(9, run="mine", stage="t"))
    assert journal.spent["s"].replies == 2
    assert journal.spent["s"].tokens == 30
    assert journal.spent["s"].money == pytest.approx(0.5)
    assert journal.spent["t"].replies == 1
    assert journal.total.replies == 6
    assert journal.sizes == (240, 60)


async def test_replies_wait_for_the_disk_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        syncs.append(file)
        real(file)

    journal = Journal(tmp_path)
    journal.append(entry(999))
    monkeypatch.setattr(os, "fsync", fsync)
    await asyncio.gather(*(journal.write(entry(n)) for n in range(100)))
    assert 1 <= len(syncs) <= 3
    await journal.close()
    assert len(Journal(tmp_path)) == 101


async def test_a_full_disk_stops_the_run_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(entry(1))
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(StorageError) as caught:
            await journal.write(entry(2, "SENTINEL"))
        assert "SENTINEL" not in str(caught.value)
    assert key(2) not in journal
    journal.append(entry(3))
    assert journal.get(key(3)) is not None
    journal.release()
    assert len(Journal(tmp_path)) == 2


def test_no_repr_shows_text() -> None:
    assert "SENTINEL" not in repr(entry(1, "SENTINEL"))
