"""Images of samples on their way into an export: where they lie, what is written, what is marked.

Samples name their images relative to a folder (the ``images_root`` of the run). Exports write these
names as they are, with a prefix, or copy the files beside the samples. Where the text has to say
which image stands where, it holds one ``<image>`` for each.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from pipeline.core.atomic import OWNER_FILE, make_private_dir
from pipeline.core.errors import ConfigError, DataError
from pipeline.exports.samples import Sample

IMAGE = "<image>"
COPIES = "images"
"""Folder of an export that holds copied images."""

_SHOWN = 3


class ImageOptions(BaseModel):
    """How images are named in an export.

    Attributes:
        root: folder that the names in the samples are relative to; None takes that of the run.
        prefix: what is put before each name, such as ``./data/Xray/``; a folder, or an address.
        copy_files: copy the files into ``images/`` of the export, and name them there.
        check: look whether each file is there, as the trainer will.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    root: str | None = None
    prefix: str = ""
    copy_files: bool = False
    check: bool = True


class ImagePlace:
    """Puts the images of samples into place.

    Args:
        options: how.
        folder: the folder of the export.
        root: the folder of the run's images, where it is known.

    Raises:
        ConfigError: the options contradict each other, or the folder is missing.
    """

    def __init__(self, options: ImageOptions, folder: Path, root: Path | None) -> None:
        root = root if options.root is None else Path(options.root).expanduser()
        if options.copy_files and (root is None or options.prefix):
            what = "leave out the prefix" if options.prefix else "name their folder (--images-root)"
            raise ConfigError(f"images can be copied, but {what}")
        if options.root is not None and not Path(options.root).expanduser().is_dir():
            raise ConfigError(
                f"{options.root} is no folder; --images-root names that of the images"
            )
        self._options = options
        self._folder = folder
        self._root = root
        self._lost: list[str] = []
        self._count = 0

    def placed(self, sample: Sample) -> Sample:
        """``sample`` with its images as they are written; notes those that are not there."""
        names = []
        for name in sample.image_paths:
            self._count += 1
            if self._root is not None and self._options.check and not self._file(name).is_file():
                self._lost.append(name)
            names.append(self._written(name))
        return replace(sample, image_paths=tuple(names))

    def close(self) -> None:
        """End the first look at the samples.

        Raises:
            ConfigError: images are missing.
        """
        if self._lost:
            shown = ", ".join(self._lost[:_SHOWN]) + (", ..." if len(self._lost) > _SHOWN else "")
            raise ConfigError(
                f"{len(self._lost):,} of {self._count:,} images are not below {self._root} "
                f"({shown}); name their folder with --images-root, or export unchecked with "
                "--no-check-images"
            )

    def copy(self, sample: Sample) -> None:
        """Copy the files of a sample as it was before :meth:`placed`, if they shall be.

        Raises:
            OSError: one cannot be read or written.
        """
        if not self._options.copy_files:
            return
        for name in sample.image_paths:
            source, target = self._file(name), self._folder / self._written(name)
            if target.is_file() and target.stat().st_size == source.stat().st_size:
                continue
            make_private_dir(target.parent)
            target.touch(mode=OWNER_FILE)
            shutil.copyfile(source, target)

    def _file(self, name: str) -> Path:
        assert self._root is not None
        return self._root / name

    def _written(self, name: str) -> str:
        path = PurePosixPath(name)
        if self._options.copy_files:
            inside = [part for part in path.parts if part not in ("..", "/")]
            return str(PurePosixPath(COPIES, *inside))
        if path.is_absolute() and self._root is not None and path.is_relative_to(self._root):
            name = str(path.relative_to(self._root))
        prefix = self._options.prefix
        return f"{prefix.rstrip('/')}/{name}" if prefix else name


def check_marks(sample: Sample) -> None:
    """Refuse a sample whose text marks other images than it has.

    Raises:
        DataError: ``image_tokens``: it holds ``<image>``, but not once for each image in its
            questions, or in an answer.
    """
    asked = sum(question.count(IMAGE) for question, _ in turns(sample))
    answered = sum(answer.count(IMAGE) for _, answer in turns(sample)) + sample.system.count(IMAGE)
    if answered or asked not in (0, len(sample.image_paths)):
        raise DataError("image_tokens", f"{asked} marks for {len(sample.image_paths)} images")


def turns(sample: Sample) -> Iterator[tuple[str, str]]:
    """Questions and answers of a sample, the earlier ones first."""
    yield from sample.history
    yield sample.question, sample.output


def marked_turns(sample: Sample) -> list[tuple[str, str]]:
    """:func:`turns` with one ``<image>`` for each image, before the first question."""
    (question, answer), *rest = turns(sample)
    if sample.image_paths and not any(IMAGE in asked for asked, _ in turns(sample)):
        question = f"{IMAGE}\n" * len(sample.image_paths) + question
    return [(question, answer), *rest]
