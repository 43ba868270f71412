"""From one KeyInfo record to its question rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.clinical.questions import abnormality, attributes, difference, presence, scene, view
from pipeline.clinical.questions.candidate import Candidate, Context
from pipeline.clinical.questions.choices import choices
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.options import QuestionOptions
from pipeline.clinical.questions.quality import grade
from pipeline.clinical.questions.split import patient_split
from pipeline.clinical.questions.study import Study, read_study

#: Columns of a row, in the order of the question CSV.
COLUMNS = (
    "study_id", "subject_id", "question_type", "question", "answer",
    "dicom_id", "view", "split", "ref_id", "template_id", "evidence",
)  # fmt: skip
#: Column that rows have in addition when ``scene`` is on or a second reading was given.
QUALITY_COLUMN = "quality"

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

    def __init__(self, options: QuestionOptions, seed: int = 0) -> None:
        self._context = Context(options)
        self._options = options
        self._seed = seed

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
        writer = _RowWriter(study, earlier, second, self._context, self._seed)
        for kind in self._options.types:
            if kind == "difference":
                if earlier is None:
                    continue
                draw = Draw(self._seed, study.key, kind, earlier.key)
                found = difference.candidates(study, earlier, draw, self._context)
            else:
                draw = Draw(self._seed, study.key, kind)
                found = _RULES[kind](study, draw, self._context)
            limit = self._options.limit(kind)
            if kind == "presence" and self._options.balance:
                limit *= 2
            writer.add(kind, found, limit)
        if self._options.scene:
            draw = Draw(self._seed, study.key, "scene")
            found = scene.candidates(study, earlier, draw, self._context)
            writer.add("scene", found, limit=16)
        return writer.rows


class _RowWriter:
    """Words candidates as rows, each question text once per study."""

    def __init__(
        self, study: Study, earlier: Study | None, second: Study | None, context: Context, seed: int
    ) -> None:
        self.rows: list[dict[str, str]] = []
        self._study = study
        self._earlier = earlier
        self._second = second
        self._context = context
        self._seed = seed
        self._asked: set[str] = set()
        options = context.options
        self._has_quality = options.scene or second is not None
        self._split = study.split
        if not self._split and options.split_shares is not None:
            patient = study.subject_id or study.key
            self._split = patient_split(patient, options.split_shares, seed)

    def add(self, kind: str, found: Iterator[Candidate], limit: int) -> None:
        """Word up to ``limit`` candidates; the share ``keep`` is applied to them afterwards."""
        options = self._context.options
        count = 0
        if limit < 1:
            return
        draw = Draw(self._seed, self._study.key, kind, "wording")
        for candidate in found:
            template, question, answer = self._word(candidate, draw)
            if question in self._asked:
                continue
            self._asked.add(question)
            count += 1
            share = options.keep.get(f"{kind}:{answer}", options.keep.get(kind, 1.0))
            if share >= 1 or Draw(self._seed, self._study.key, "keep", question).chance(share):
                self._append(kind, candidate, template, question, answer)
            if count >= limit:
                return

    def _word(self, candidate: Candidate, draw: Draw) -> tuple[str, str, str]:
        """Template id, question and answer."""
        options = self._context.options
        templates = self._context.templates
        template = templates[candidate.template]
        answer = template.answer.format(**candidate.values)
        if options.multiple_choice and draw.chance(options.multiple_choice):
            offer = choices(candidate, answer, self._study, draw, self._context)
            if offer is not None:
                name, offered, answer = offer
                asked = templates[name].question.format(**candidate.values)
                question = templates["choice.frame"].question.format(
                    question=asked, choices=offered
                )
                return f"{name}+choice", question, answer
        if options.paraphrases:
            template = draw.pick(templates.wordings(candidate.template))
        return template.id, template.question.format(**candidate.values), answer

    def _append(
        self, kind: str, candidate: Candidate, template: str, question: str, answer: str
    ) -> None:
        study, earlier = self._study, self._earlier
        compares = earlier is not None and (
            kind == "difference" or candidate.template == "scene.comparison"
        )
        evidence = study.sentences(candidate.names)
        if earlier is not None and compares:
            before = earlier.sentences(candidate.names)
            evidence = " | ".join(filter(None, (evidence, before)))
        elif kind == "scene" and evidence:
            answer = self._context.templates.sentence(
                "scene.quote", answer=answer, evidence=evidence
            )
        row = {
            "study_id": study.study_id,
            "subject_id": study.subject_id,
            "question_type": kind,
            "question": question,
            "answer": answer,
            "dicom_id": study.dicom_id,
            "view": study.view,
            "split": self._split,
            "ref_id": earlier.study_id if earlier is not None and compares else "",
            "template_id": template,
            "evidence": evidence,
        }
        if self._has_quality:
            row[QUALITY_COLUMN] = "" if compares else grade(candidate.names, study, self._second)
        self.rows.append(row)


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
