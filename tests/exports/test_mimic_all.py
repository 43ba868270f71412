from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.core.errors import ConfigError
from pipeline.exports.mimic_all import MIMIC_ALL_COLUMNS, write_mimic_all
from pipeline.sources import SourceConfig, open_source
from tests.sources.mimic_tree import write_tables, write_tree

DATA = Path(__file__).parents[2] / "data"


def by_pandas(folder: Path) -> pd.DataFrame:
    """The published rules, written down a second time with merges."""
    labels = pd.read_csv(folder / "mimic-cxr-2.0.0-chexpert.csv.gz")
    images = pd.read_csv(folder / "mimic-cxr-2.0.0-metadata.csv.gz")
    split = pd.read_csv(folder / "mimic-cxr-2.0.0-split.csv.gz")
    view = images["ViewCodeSequence_CodeMeaning"]
    images["later"] = ~view.isin(["postero-anterior", "antero-posterior"])
    images = images.sort_values("later", kind="stable").drop_duplicates("study_id")
    images = images.rename(
        columns={"ViewCodeSequence_CodeMeaning": "view", "StudyDate": "study_date"}
    )[["study_id", "dicom_id", "view", "study_date"]]
    table = labels.merge(images, on="study_id", how="left")
    table = table.merge(split[["dicom_id", "split"]], on="dicom_id", how="left")
    table["study_order"] = table.groupby("subject_id")["study_date"].rank(method="min")
    return table[list(MIMIC_ALL_COLUMNS)]


def test_same_bytes_as_the_published_rules(tmp_path: Path) -> None:
    out, expected = tmp_path / "mimic_all.csv", tmp_path / "expected.csv"
    count = write_mimic_all(DATA, out)
    table = by_pandas(DATA)
    table.to_csv(expected, index=False, lineterminator="\n")
    assert count == len(table)
    assert out.read_bytes() == expected.read_bytes()


def test_read_back_it_is_the_same(tmp_path: Path) -> None:
    write_mimic_all(DATA, tmp_path / "mimic_all.csv")
    write_mimic_all(tmp_path, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "mimic_all.csv").read_bytes()


def test_as_metadata_of_a_source(tmp_path: Path) -> None:
    write_tables(tmp_path / "tables")
    write_tree(tmp_path / "reports")
    write_mimic_all(tmp_path / "tables", tmp_path / "mimic_all.csv")
    packed = open_source(
        SourceConfig(path=str(tmp_path / "reports"), metadata=str(tmp_path / "tables"))
    )
    single = open_source(SourceConfig(path=str(tmp_path / "reports")))
    for one, other in zip(packed.locators(), single.locators(), strict=True):
        assert one.pop("images")
        assert len(other.pop("images")) == 1
        assert one == other


def test_without_labels(tmp_path: Path) -> None:
    write_tables(tmp_path)
    (tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    assert write_mimic_all(tmp_path, tmp_path / "mimic_all.csv") == 3


def test_nothing_is_written_when_a_table_is_damaged(tmp_path: Path) -> None:
    write_tables(tmp_path)
    table = tmp_path / "mimic-cxr-2.0.0-split.csv.gz"
    table.write_bytes(table.read_bytes()[:20])
    with pytest.raises(ConfigError, match="is damaged"):
        write_mimic_all(tmp_path, tmp_path / "mimic_all.csv")
    assert not (tmp_path / "mimic_all.csv").exists()
    with pytest.raises(ConfigError, match="holds neither"):
        write_mimic_all(tmp_path / "..", tmp_path / "mimic_all.csv")
