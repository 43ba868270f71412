"""Candidates worded as rows of the question table."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.questions.candidate import Candidate, Context
from pipeline.clinical.questions.choices import choices
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.quality import grade
from pipeline.clinical.questions.study import Study

#: Columns of a row, in the order of the question CSV.
COLUMNS = (
    "study_id", "subject_id", "question_type", "question", "answer",
    "dicom_id", "view", "split", "ref_id", "template_id", "evidence",
)  # fmt: skip
#: Column that rows have in addition when ``scene`` is on or a second reading was given.
QUALITY_COLUMN = "quality"


class RowWriter:
    """Words candidates as rows, each question text of a type once per study."""

    def __init__(
        self,
        study: Study,
        earlier: Study | None,
        second: Study | None,
        context: Context,
        draws: Draw,
    ) -> None:
        self.rows: list[dict[str, str]] = []
        self._study = study
        self._earlier = earlier
        self._second = second
        self._context = context
        self._draws = draws
        self._has_quality = context.options.scene or second is not None

    def add(self, kind: str, found: Iterator[Candidate], limit: int) -> None:
        """Word up to ``limit`` candidates; the share ``keep`` is applied to them afterwards."""
        options = self._context.options
        if limit < 1:
            return
        asked: set[str] = set()
        wording = self._draws.fork("wording/" + kind)
        keep = self._draws.fork("keep/" + kind)
        for candidate in found:
            template, question, answer = self._word(candidate, wording)
            if question in asked:
                continue
            asked.add(question)
            share = options.keep.get(f"{kind}:{answer}", options.keep.get(kind, 1.0))
            if share >= 1 or keep.chance(share):
                self._append(kind, candidate, template, question, answer)
            if len(asked) >= limit:
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
            "split": study.split,
            "ref_id": earlier.study_id if earlier is not None and compares else "",
            "template_id": template,
            "evidence": evidence,
        }
        if self._has_quality:
            row[QUALITY_COLUMN] = "" if compares else grade(candidate.names, study, self._second)
        self.rows.append(row)
