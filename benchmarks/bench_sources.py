#!/usr/bin/env python3
"""How fast sources are listed and read, beside the obvious alternatives, in the same run.

    python benchmarks/bench_sources.py --dir FOLDER

FOLDER holds ``files/``, ``mimic-cxr-reports.zip`` and the three csv.gz tables. Each row runs in a
process of its own, so that its peak memory is its own. CPU seconds are the figure to compare: the
machine may be shared.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.exports.mimic_all import write_mimic_all
from pipeline.sources import SourceConfig, open_source
from pipeline.sources.mimic_files import find_metadata, walk_tree
from pipeline.sources.mimic_metadata import load_metadata

ZIP = "mimic-cxr-reports.zip"


@dataclass(frozen=True, slots=True)
class Figure:
    """What one measured function used."""

    items: int
    wall: float
    cpu: float
    peak_mib: float


def join_tables(folder: Path) -> int:
    """Our join."""
    return len(load_metadata(find_metadata(str(folder), [])))


def join_pandas(folder: Path) -> int:
    """The same join with pandas merges."""
    import pandas as pd

    labels = pd.read_csv(folder / "mimic-cxr-2.0.0-chexpert.csv.gz")
    images = pd.read_csv(folder / "mimic-cxr-2.0.0-metadata.csv.gz")
    split = pd.read_csv(folder / "mimic-cxr-2.0.0-split.csv.gz")
    view = images["ViewCodeSequence_CodeMeaning"]
    images["later"] = ~view.isin(["postero-anterior", "antero-posterior"])
    images = images.sort_values("later", kind="stable").drop_duplicates("study_id")
    table = labels.merge(images, on="study_id", how="left", suffixes=("", "_image"))
    table = table.merge(split[["dicom_id", "split"]], on="dicom_id", how="left")
    table["study_order"] = table.groupby("subject_id")["StudyDate"].rank(method="min")
    return len(table)


def mimic_all(folder: Path) -> int:
    """Join and write ``mimic_all.csv``."""
    out = folder / "bench_mimic_all.csv"
    try:
        return write_mimic_all(folder, out)
    finally:
        out.unlink(missing_ok=True)


def list_zip(folder: Path) -> int:
    """Locators of the zip with metadata joined."""
    source = open_source(SourceConfig(path=str(folder / ZIP)))
    return sum(1 for _ in source.locators())


def list_zipfile(folder: Path) -> int:
    """``zipfile`` alone, what every worker would pay."""
    with zipfile.ZipFile(folder / ZIP) as archive:
        return len(archive.infolist())


def list_tree(folder: Path) -> int:
    """Locators of the tree with metadata joined."""
    source = open_source(SourceConfig(path=str(folder), kind="mimic-tree"))
    return sum(1 for _ in source.locators())


def fingerprint_tree(folder: Path) -> int:
    """Names and sizes of all notes, hashed."""
    source = open_source(SourceConfig(path=str(folder), kind="mimic-tree"))
    return int(source.inputs()[0]["files"])


def read_source(path: Path, kind: str) -> Callable[[], int]:
    """Read every note through locators made beforehand; listing is not counted."""
    config = SourceConfig.model_validate({"path": str(path), "kind": kind})
    locators = list(open_source(config).locators())

    def read() -> int:
        worker = open_source(config)
        for locator in locators:
            worker.read(locator)
        return len(locators)

    return read


def floor_zip(folder: Path) -> Callable[[], int]:
    """``zipfile`` opened before, every member read and decoded, nothing else."""
    archive = zipfile.ZipFile(folder / ZIP)
    names = archive.namelist()

    def read() -> int:
        for name in names:
            archive.read(name).decode()
        return len(names)

    return read


def floor_tree(folder: Path) -> Callable[[], int]:
    """Every file read and decoded, nothing else."""
    paths = [Path(name) for name in walk_tree(str(folder / "files"))]

    def read() -> int:
        for path in paths:
            path.read_bytes().decode()
        return len(paths)

    return read


def cpu_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _measure(prepare: Callable[[], Callable[[], int]], answer: Connection) -> None:
    work = prepare()
    cpu, wall = cpu_seconds(), time.perf_counter()
    items = work()
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer.send(Figure(items, wall, cpu, peak))


def measured(prepare: Callable[[], Callable[[], int]]) -> Figure:
    """Run in a fresh process; ``prepare`` is not counted in time, but is in memory."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(prepare, sender))
    process.start()
    figure: Figure = receiver.recv()
    process.join()
    return figure


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Benchmark of the sources.")
    parser.add_argument("--dir", type=Path, required=True, help="a data set with tree and zip")
    folder: Path = parser.parse_args().dir
    rows: list[tuple[str, Callable[[], Callable[[], int]], str]] = [
        ("pandas merge", lambda: lambda: join_pandas(folder), ""),
        ("metadata join", lambda: lambda: join_tables(folder), "pandas merge"),
        ("mimic_all.csv written", lambda: lambda: mimic_all(folder), "pandas merge"),
        ("zipfile listing alone", lambda: lambda: list_zipfile(folder), ""),
        ("zip locators, joined", lambda: lambda: list_zip(folder), ""),
        ("tree locators, joined", lambda: lambda: list_tree(folder), ""),
        ("tree fingerprint", lambda: lambda: fingerprint_tree(folder), ""),
        ("zip read floor (zipfile)", lambda: floor_zip(folder), ""),
        (
            "zip read",
            lambda: read_source(folder / ZIP, "mimic-zip"),
            "zip read floor (zipfile)",
        ),
        ("tree read floor (pathlib)", lambda: floor_tree(folder), ""),
        ("tree read", lambda: read_source(folder, "mimic-tree"), "tree read floor (pathlib)"),
    ]
    print("| what | studies | wall s | CPU s | per CPU s | peak MiB | CPU, as a ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    done: dict[str, Figure] = {}
    for name, prepare, beside in rows:
        figure = done[name] = measured(prepare)
        ratio = f"{figure.cpu / done[beside].cpu:.2f} x {beside}" if beside else ""
        print(
            f"| {name} | {figure.items:,} | {figure.wall:.1f} | {figure.cpu:.1f} "
            f"| {figure.items / figure.cpu:,.0f} | {figure.peak_mib:,.0f} | {ratio} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
