"""The first pass over samples: what is in them, who is in which part, what cannot be exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.exports.images import ImagePlace, check_marks
from pipeline.exports.samples import Sample, read_sample
from pipeline.exports.split import PARTS, SplitOptions, Splitter

Adapter = Callable[[Record], Record]
"""Makes a record of some kind of stage into one in sample shape."""

TEXTS = ("instruction", "input", "output")


@dataclass(frozen=True, slots=True)
class PartCounts:
    """Counts of one part, for the manifest and the card; no text.

    Attributes:
        rows: samples.
        patients: patients, counting a study without a known patient as one.
        studies: studies.
        families: samples per task family.
        words: per text field, number of white-space separated words -> samples.
    """

    rows: int
    patients: int
    studies: int
    families: dict[str, int]
    words: dict[str, Counter[int]]


@dataclass(slots=True)
class Survey:
    """What the first pass found.

    Attributes:
        has_system: some sample has a system prompt; then every row gets the column.
        has_history: some sample has earlier turns.
        has_images: some sample has images.
        parts: counts of the parts that are not empty.
        skipped: reason -> records that are not exported.
    """

    has_system: bool = False
    has_history: bool = False
    has_images: bool = False
    parts: dict[str, PartCounts] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)


class Samples:
    """The samples of a stage, read as often as needed, each with its part.

    Args:
        records: gives the records from the start at every call.
        adapter: brings a record into sample shape.
        options: how to split.
        refuse: gives the reason why a sample cannot be a row of the format; it is skipped then.
        marks_images: whether the text has to mark the images it is about.
        images: puts the images of samples into place.

    Raises:
        ConfigError: there is no sample, or images are missing.
        DataError: ``leakage`` or ``unknown_split``.
    """

    def __init__(
        self,
        records: Callable[[], Iterable[Record]],
        adapter: Adapter,
        options: SplitOptions,
        *,
        refuse: Callable[[Sample], str] = lambda _: "",
        marks_images: bool = False,
        images: ImagePlace | None = None,
    ) -> None:
        self._records = records
        self._adapter = adapter
        self._refuse = refuse
        self._marks_images = marks_images
        self._images = images
        self._splitter = Splitter(options)
        self.survey = self._look()

    def __iter__(self) -> Iterator[tuple[str, Sample]]:
        """Part and sample, in the order of the records."""
        for sample in self._read(Counter()):
            placed = sample if self._images is None else self._images.placed(sample)
            yield self._splitter.part(sample), placed

    def copy_images(self) -> None:
        """Copy the images of all samples, if they shall be."""
        if self._images is not None:
            for sample in self._read(Counter()):
                self._images.copy(sample)

    def _read(self, skipped: Counter[str]) -> Iterator[Sample]:
        for record in self._records():
            try:
                sample = read_sample(self._adapter(record))
                if self._marks_images:
                    check_marks(sample)
            except DataError as error:
                skipped[error.reason] += 1
                continue
            if reason := self._refuse(sample):
                skipped[reason] += 1
                continue
            yield sample

    def _look(self) -> Survey:
        survey = Survey()
        for sample in self._read(survey.skipped):
            self._splitter.see(sample)
            survey.has_system |= bool(sample.system)
            survey.has_history |= bool(sample.history)
            survey.has_images |= bool(sample.image_paths)
            if self._images is not None:
                self._images.placed(sample)
        if self._images is not None:
            self._images.close()
        self._splitter.close()
        survey.parts = self._count()
        if not survey.parts:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in survey.skipped.most_common())
            raise ConfigError(f"no sample to export ({reasons or 'the stage made no record'})")
        return survey

    def _count(self) -> dict[str, PartCounts]:
        rows: Counter[str] = Counter()
        studies: dict[str, set[str]] = {part: set() for part in PARTS}
        families: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
        words = {part: {name: Counter[int]() for name in TEXTS} for part in PARTS}
        for part, sample in self:
            rows[part] += 1
            studies[part].add(sample.study_id)
            if sample.family:
                families[part][sample.family] += 1
            for name in TEXTS:
                words[part][name][len(getattr(sample, name).split())] += 1
        patients = self._splitter.patients()
        return {
            part: PartCounts(
                rows[part],
                patients[part],
                len(studies[part]),
                dict(sorted(families[part].items())),
                words[part],
            )
            for part in PARTS
            if rows[part]
        }
