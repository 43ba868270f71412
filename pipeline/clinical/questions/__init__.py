"""Questions and answers about a study, from its KeyInfo: seeded, traceable, without guesses."""

from pipeline.clinical.questions.generate import QuestionGenerator, generate_questions
from pipeline.clinical.questions.options import PUBLISHED_MIX, TYPES, QuestionOptions
from pipeline.clinical.questions.rows import COLUMNS, QUALITY_COLUMN
from pipeline.clinical.questions.split import patient_split

__all__ = [
    "COLUMNS",
    "PUBLISHED_MIX",
    "QUALITY_COLUMN",
    "TYPES",
    "QuestionGenerator",
    "QuestionOptions",
    "generate_questions",
    "patient_split",
]
