"""Image pairs: each record gets the image files of its study."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.sources.config import SourceConfig
from pipeline.sources.image_index import ImageIndex, has_image
from pipeline.sources.pictures import decode, look, read_image_file
from pipeline.sources.views import View, view_class
from pipeline.stages.base import Reject, Result, Rows, SetStage, StageParams

_AHEAD = 256
"""Records whose files are looked at ahead of the one that is answered."""

SET_ROOT = "--set stages.{stage}.images_root=FOLDER"


class ImageRoot(StageParams):
    """Where the images of a run lie; the base of stages that read them.

    Attributes:
        images_root: folder with the image files, in any layout; None takes the folder of the input.
        source: the source of the run; handed in by the runner.
    """

    images_root: str | None = None
    source: SourceConfig | None = None

    @property
    def root(self) -> Path | None:
        """The folder, as far as it is known."""
        if self.images_root is not None:
            return Path(self.images_root).expanduser()
        if self.source is None:
            return None
        path = Path(self.source.path).expanduser()
        return path if path.is_dir() else path.parent

    def data_folders(self) -> tuple[str, ...]:
        """The folder, whose class of data counts for the run."""
        return () if self.images_root is None else (self.images_root,)


class ImagePairParams(ImageRoot):
    """Parameters of the pairing.

    Attributes:
        image_list: file with the paths of the images, one a line, relative to ``images_root``
            (MIMIC-CXR-JPG: ``IMAGE_FILENAMES``); spares looking through the folders.
        views: views that are taken, the preferred one first. ``frontal`` are frontal images of
            unknown direction (Open-i), ``unknown`` images without a view.
        images: ``one``: the preferred image of each study; ``each``: a record for every image;
            ``all``: one record with all images.
        check: ``header``: every file is opened and its header read; ``full``: it is unpacked, which
            takes some 50 ms for each; ``none``: only its name has to be there.
    """

    image_list: str | None = None
    views: tuple[View, ...] = Field(default=("pa", "ap", "frontal", "unknown"), min_length=1)
    images: Literal["one", "each", "all"] = "one"
    check: Literal["none", "header", "full"] = "header"

    def files(self) -> tuple[str, ...]:
        """The list."""
        return () if self.image_list is None else (self.image_list,)

    def missing(self, stage: str) -> str:
        """What to do where no image is in sight."""
        root = self.root
        if self.image_list is not None or (root is not None and root.is_dir() and has_image(root)):
            return ""
        where = "its input folder" if self.images_root is None else str(root)
        return (
            f"stage {stage} finds no image files in {where}: name their folder with "
            f"{SET_ROOT.format(stage=stage)}, or end before it with --until"
        )


class ImagePairs(SetStage[ImagePairParams]):
    """Adds ``image_paths``, relative to ``images_root``, and the views of these images.

    Files are found by the ids or paths in ``images`` of the record. Holds the names of all files.
    """

    name = "image-pairs"
    params_type = ImagePairParams
    fans_out = True

    def __init__(self, params: ImagePairParams) -> None:
        super().__init__(params)
        self._index: ImageIndex | None = None
        self._order = {view: place for place, view in enumerate(params.views)}

    def process(self, rows: Rows) -> Iterator[Result]:
        """Pair all records.

        Raises:
            ConfigError: there are no images.
        """
        root = self.params.root
        if root is None:
            raise ConfigError(f"image-pairs needs images: {SET_ROOT.format(stage=self.name)}")
        listing = self.params.image_list
        self._index = ImageIndex(root, None if listing is None else Path(listing).expanduser())
        chosen = (self._chosen(row, self._index) for row in rows)
        if self.params.check == "none":
            yield from map(self._answer, chosen)
            return
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            waiting: deque[Future[Result]] = deque()
            for one in chosen:
                waiting.append(threads.submit(self._answer, one, self._problem))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def leftovers(self) -> Iterator[Record] | None:
        """Images that belong to no record."""
        if self._index is None:
            return None
        return ({"image": path, "reason": "no_record"} for path in self._index.unused())

    def _chosen(self, row: Record, index: ImageIndex) -> _Chosen | Reject:
        """The files of a record, the preferred one first."""
        images = row.get("images") or []
        if not images:
            return Reject("no_image", "the record names no image", failed=False)
        study = str(row.get("study_id") or row["id"])
        pairs: list[_Pair] = []
        others: list[View] = []
        for image in images:
            view = _view(image)
            try:
                path = index.find(image, study)  # of any view: the image does belong to a record
            except DataError as error:
                if view in self._order:
                    return Reject(error.reason, error.detail)
                path = None
            if view in self._order:
                pairs.append((image, view, path))
            else:
                others.append(view)
        if not pairs:
            return Reject("no_wanted_view", ", ".join(sorted(set(others))), failed=False)
        if not any(path for _, _, path in pairs):
            names = ", ".join(_name(image) for image, _, _ in pairs[:3])
            return Reject("missing_image", f"{len(pairs)} missing: {names}")
        pairs.sort(key=lambda pair: self._order[pair[1]])
        return row, pairs

    def _answer(
        self, chosen: _Chosen | Reject, check: Callable[[str], DataError | None] = lambda _: None
    ) -> Result:
        if isinstance(chosen, Reject):
            return chosen
        row, pairs = chosen
        good: list[tuple[dict[str, Any], View, str]] = []
        bad: list[dict[str, str]] = []
        first: Reject | None = None
        for image, view, path in pairs:
            problem = check(path) if path else DataError("missing_image", _name(image))
            if path and problem is None:
                good.append((image, view, path))
                if self.params.images == "one":
                    break
            elif problem is not None:
                bad.append({"image": path or _name(image), "reason": problem.reason})
                if first is None or first.reason == "missing_image":
                    first = Reject(problem.reason, problem.detail)
        if not good:
            return first or Reject("missing_image")
        common = {**row, **({"bad_images": bad} if bad else {})}
        if self.params.images == "all":
            views, paths = [view for _, view, _ in good], [path for _, _, path in good]
            return [{**common, "image_paths": paths, "image_views": views}]
        return [
            {
                **common,
                "dicom_id": image.get("dicom_id"),
                "view": image.get("view"),
                "image_paths": [path],
                "image_views": [view],
            }
            for image, view, path in good
        ]

    def _problem(self, path: str) -> DataError | None:
        """Why a file cannot be used."""
        assert self.params.root is not None
        file = self.params.root / path
        try:
            if self.params.check == "full":
                decode(read_image_file(file), file.name)
            else:
                look(file)
        except DataError as error:
            return error
        return None


_Pair = tuple[dict[str, Any], View, str | None]
_Chosen = tuple[Record, list[_Pair]]


def _name(image: dict[str, Any]) -> str:
    return str(image.get("path") or image.get("dicom_id") or "?")


def _view(image: dict[str, Any]) -> View:
    view = image.get("view")
    return view_class(view if isinstance(view, str) else None)
