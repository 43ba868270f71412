from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError
from pipeline.sources import SourceConfig, open_source
from pipeline.sources.selection import select, unique_ids

SPLITS = ("train", "validate", "test", None)


def locators(count: int) -> list[dict[str, Any]]:
    return [{"id": str(n), "at": n, "split": SPLITS[n % 4]} for n in range(count)]


def chosen(listing: list[dict[str, Any]], **options: Any) -> list[str]:
    config = SourceConfig(path="here", **options)
    return [x["id"] for x in select(config, lambda: unique_ids(iter(listing)))]


def ids_file(folder: Path, *lines: str) -> str:
    path = folder / "ids.txt"
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    return str(path)


def test_everything_in_order() -> None:
    assert chosen(locators(5)) == ["0", "1", "2", "3", "4"]


def test_ids_keep_the_order_of_the_source(tmp_path: Path) -> None:
    ids = ids_file(tmp_path, "# two studies", "s7", "", " 3 ")
    assert chosen(locators(9), ids=ids) == ["3", "7"]
    assert chosen(locators(9), exclude=ids) == ["0", "1", "2", "4", "5", "6", "8"]


def test_filters_work_together(tmp_path: Path) -> None:
    ids = ids_file(tmp_path, "0", "1", "4", "8", "12")
    assert chosen(locators(20), ids=ids, split="train", limit=2) == ["0", "4"]


def test_ids_that_are_not_there(tmp_path: Path) -> None:
    ids = ids_file(tmp_path, "1", "90", "91", "92", "93")
    with pytest.raises(ConfigError, match=r"4 of 5 ids are not in the source \(90, 91, 92, ...\)"):
        chosen(locators(9), ids=ids)


def test_ids_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ids: .* cannot be read"):
        chosen(locators(9), ids=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"exclude: .* holds no id"):
        chosen(locators(9), exclude=ids_file(tmp_path, "# nothing"))


def test_split_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there are test, train, validate"):
        chosen(locators(9), split="val")
    with pytest.raises(ConfigError, match="the source has no splits"):
        chosen([{"id": "1", "at": 1}], split="train")


def test_sample_larger_than_the_set() -> None:
    assert len(chosen(locators(9), sample=9)) == 9
    with pytest.raises(ConfigError, match="10 studies asked for, 9 are there"):
        chosen(locators(9), sample=10)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="here holds no reports"):
        chosen([])
    with pytest.raises(ConfigError, match="nothing is left"):
        chosen(locators(1), exclude=ids_file(tmp_path, "0"))


def test_limit_stops_the_listing() -> None:
    def endless() -> Iterator[dict[str, Any]]:
        number = 0
        while True:
            yield {"id": str(number), "at": number}
            number += 1

    config = SourceConfig(path="here", limit=3)
    assert len(list(select(config, endless))) == 3


@given(st.permutations(range(30)), st.integers(1, 29), st.integers(0, 5))
def test_samples_depend_on_seed_and_ids_only(order: list[int], size: int, seed: int) -> None:
    all_of_them = locators(30)
    shuffled = [all_of_them[n] for n in order]
    sample = chosen(all_of_them, sample=size, seed=seed)
    assert set(chosen(shuffled, sample=size, seed=seed)) == set(sample)
    assert set(sample) <= set(chosen(all_of_them, sample=size + 1, seed=seed))
    assert sample == sorted(sample, key=int)


def test_another_seed_draws_others() -> None:
    assert chosen(locators(100), sample=10, seed=1) != chosen(locators(100), sample=10, seed=2)


@given(st.lists(st.sampled_from(["1", "2", "1#2", "2#2", "3"])))
def test_ids_become_unique_and_nothing_is_lost(names: list[str]) -> None:
    found = list(unique_ids(iter([{"id": name, "at": 0} for name in names])))
    assert len(found) == len(names)
    assert len({x["id"] for x in found}) == len(names)
    firsts = [x["id"] for x in found if "problem" not in x]
    assert set(firsts) <= set(names)


def test_selection_of_a_real_source(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("id,text,split\n1,a,train\n2,b,test\n2,c,test\n,d,test\n")
    source = open_source(SourceConfig(path=str(path), split="test"))
    assert [x["id"] for x in source.locators()] == ["2", "2#2"]
