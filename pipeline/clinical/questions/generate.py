"""From one KeyInfo record to its question rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.clinical.questions import abnormality, attributes, difference, presence, scene, view
from pipeline.clinical.questions.candidate import Context
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.options import QuestionOptions
from pipeline.clinical.questions.regions import Regions, load_regions
from pipeline.clinical.questions.rows import RowWriter
from pipeline.clinical.questions.split import patient_split
from pipeline.clinical.questions.study import read_study

_RULES = {
    "abnormality": abnormality.candidates,
    "presence": presence.candidates,
    "view": view.candidates,
    "location": attributes.locations,
    "level": attributes.levels,
    "type": attributes.types,
}


class QuestionGenerator:
    """Makes question rows with fixed options; holds no state between studies.

    Random choices depend on ``seed``, the study id and their purpose only, so that shards, order,
    resumption and the choice of types never change a question.
    """

    def __init__(
        self, options: QuestionOptions, seed: int = 0, regions: Regions | None = None
    ) -> None:
        self._context = Context(options, regions=regions or load_regions())
        self._options = options
        self._seed = seed

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the image of a record has a view that is asked about and may be a reference."""
        return view.is_asked(read_study(record), self._options)

    def generate(
        self,
        record: Mapping[str, Any],
        reference: Mapping[str, Any] | None = None,
        second_reading: Mapping[str, Any] | None = None,
    ) -> list[dict[str, str]]:
        """Rows for one standard-form record; see :func:`generate_questions`."""
        study = read_study(record)
        if not view.is_asked(study, self._options):
            return []
        earlier = read_study(reference) if reference is not None else None
        if earlier is not None and not view.is_asked(earlier, self._options):
            earlier = None
        second = read_study(second_reading) if second_reading is not None else None
        if not study.split and self._options.split_shares is not None:
            patient = study.subject_id or study.key
            split = patient_split(patient, self._options.split_shares, self._seed)
            study = replace(study, split=split)
        draws = Draw(self._seed, study.key)
        writer = RowWriter(study, earlier, second, self._context, draws)
        for kind in self._options.types:
            if kind == "difference":
                if earlier is None:
                    continue
                found = difference.candidates(study, earlier, draws.fork(kind), self._context)
            else:
                found = _RULES[kind](study, draws.fork(kind), self._context)
            limit = self._options.limit(kind)
            if kind == "presence" and self._options.balance:
                limit *= 2
            writer.add(kind, found, limit)
        if self._options.scene:
            found = scene.candidates(study, earlier, draws.fork("scene"), self._context)
            writer.add("scene", found, limit=16)
        return writer.rows


def generate_questions(
    record: dict[str, Any],
    reference: dict[str, Any] | None = None,
    *,
    second_reading: dict[str, Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> list[dict[str, str]]:
    """Question rows for one study, by default at most one of each published type.

    Args:
        record: Standard-form KeyInfo. May carry ``study_id``, ``subject_id``, ``dicom_id``,
            ``view``, ``split`` and ``evidence`` (finding name -> sentence or sentences).
        reference: An earlier study of the patient, for ``difference`` questions.
        second_reading: KeyInfo of the same report by another reader; rows get a ``quality`` grade.
        seed: Seed of all random choices.
        options: See :class:`QuestionOptions`.

    Returns:
        Rows with the keys of ``COLUMNS``, and ``quality`` with ``scene`` or a second reading. Odd
        parts of a record are left out; a record that cannot be asked about gives no rows.

    Raises:
        ConfigError: an option is unknown or its value cannot be used.
    """
    generator = QuestionGenerator(QuestionOptions.of(**options), seed)
    return generator.generate(record, reference, second_reading)
