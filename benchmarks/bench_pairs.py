"""Pairing reports with images at the size of MIMIC-CXR-JPG: 227,827 studies, 377,110 images.

    python -m benchmarks.bench_pairs [--studies N] [--tree DIR] [--opened N]

Seconds are those of the clock and, behind them, of the processor. ``--tree`` makes the tree in a
folder of yours and leaves it there for the next time.

Makes a tree of empty files in the layout of MIMIC-CXR-JPG and the records of its studies, pairs
them by walking the tree and by a list of the files, and compares with asking the disk for each
image of each record. Opening files is measured apart, on real JPEGs of 2,500 x 3,000.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from pipeline.core.jsonl import dump_line
from pipeline.run.answer import chunk_of
from pipeline.run.rows import FileRows
from pipeline.sources.image_index import ImageIndex
from pipeline.stages.base import Reject
from pipeline.stages.image_pairs import ImagePairParams, ImagePairs

STUDIES, IMAGES = 227_827, 377_110
WORDS = "The lungs are clear without consolidation, effusion or pneumothorax. " * 6
VIEWS = ("postero-anterior", "antero-posterior", "left lateral", "lateral", None)


def make_tree(root: Path, listing: Path, rows: Path, studies: int) -> None:
    """Empty images, their list, and the records; one image in fifty is missing."""
    rng = random.Random(0)
    share = IMAGES / STUDIES
    with listing.open("w") as names, rows.open("wb") as records:
        for number in range(studies):
            subject, study = 10_000_000 + number * 65_379 // STUDIES * 3, 50_000_000 + number
            folder = f"files/p{str(subject)[:2]}/p{subject}/s{study}"
            (root / folder).mkdir(parents=True)
            images = []
            for _ in range(int(share * (number + 1)) - int(share * number)):
                image = "-".join(f"{rng.getrandbits(32):08x}" for _ in range(5))
                images.append({"dicom_id": image, "view": rng.choice(VIEWS)})
                if rng.random() > 0.02:
                    (root / folder / f"{image}.jpg").touch()
                    names.write(f"{folder}/{image}.jpg\n")
            record = {
                "id": str(study),
                "study_id": str(study),
                "subject_id": str(subject),
                "caption": WORDS,
                "images": images,
            }
            records.write(dump_line(record))


def pair(rows: Path, root: Path, **params: object) -> tuple[int, int, int]:
    """Records, rejects and left images of a pairing, written as the runner does."""
    stage = ImagePairs(ImagePairParams.model_validate({"images_root": str(root), **params}))
    made = rejects = 0
    with FileRows(rows) as input_, (root / "out.jsonl").open("wb") as out:
        for number, result in enumerate(stage.process(input_)):
            answer = result if isinstance(result, Reject) else list(result)
            chunk = chunk_of("image-pairs", True, str(number), answer)
            out.write(chunk.records)
            made += chunk.record_count
            rejects += isinstance(result, Reject)
    return made, rejects, sum(1 for _ in stage.leftovers() or ())


def by_stat(rows: Path, root: Path) -> tuple[int, int, int]:
    """The obvious way: build the path of each image, ask whether it is there, copy the row."""
    made = rejects = 0
    with rows.open("rb") as lines, (root / "out.jsonl").open("wb") as out:
        for line in lines:
            row = orjson.loads(line)
            subject = row["subject_id"]
            folder = root / "files" / f"p{subject[:2]}" / f"p{subject}" / f"s{row['study_id']}"
            paths = [folder / f"{image['dicom_id']}.jpg" for image in row["images"]]
            found = [str(path.relative_to(root)) for path in paths if path.is_file()]
            if found:
                out.write(dump_line({**row, "image_paths": found[:1]}))
                made += 1
            else:
                rejects += 1
    return made, rejects, -1


def timed(name: str, work: Callable[[], tuple[int, int, int]]) -> tuple[str, float, float, str]:
    begun, busy = time.perf_counter(), time.process_time()
    made, rejects, left = work()
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    unused = "not told" if left < 0 else f"{left:,} images of no report"
    return name, seconds, busy, f"{made:,} records, {rejects:,} without an image, {unused}"


def opened(count: int) -> Iterator[tuple[str, float, str]]:
    from PIL import Image

    from pipeline.sources.pictures import decode, look, read_image_file

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        Image.effect_noise((2500, 3000), 40).save(path, quality=95)
        for name, work in (
            ("header of a file", lambda: look(path)),
            ("all of a file", lambda: decode(read_image_file(path), path.name)),
        ):
            repeat = count if name.startswith("header") else max(3, count // 100)
            begun = time.process_time()
            for _ in range(repeat):
                work()
            each = (time.process_time() - begun) / repeat
            yield name, each, f"{each * IMAGES / 60:,.1f} min for all on one core"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--tree", type=Path, help="folder of the tree; made if it is not there")
    parser.add_argument("--opened", type=int, default=1000)
    options = parser.parse_args()
    root = options.tree or Path(tempfile.mkdtemp())
    listing, rows = root / "IMAGE_FILENAMES", root / "rows.jsonl"
    try:
        if not rows.is_file():
            make_tree(root, listing, rows, options.studies)
        found = [
            timed("image-pairs, walking the tree", lambda: pair(rows, root, check="none")),
            timed(
                "image-pairs, with a list",
                lambda: pair(rows, root, check="none", image_list=str(listing)),
            ),
            timed("asking the disk for each image", lambda: by_stat(rows, root)),
            timed("of the first: walking", lambda: (len(ImageIndex(root)), 0, -1)),
        ]
        first = found[0][2]
        for name, seconds, busy, what in found:
            print(f"{name:32} {seconds:7.1f} s {busy:7.1f} s {busy / first:5.2f} x  {what}")
        for name, seconds, what in opened(options.opened):
            print(f"{name:32} {seconds * 1e3:18.2f} ms        {what}")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")
    finally:
        if options.tree is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
