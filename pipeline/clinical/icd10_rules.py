"""The rules' answer to the ICD-10 task, in the shape a model answers it."""

from __future__ import annotations

from typing import Any

from pipeline.clinical.extract import read_report
from pipeline.clinical.label_rules import sentence_at
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.mentions import Mention


def answer_phrases(text: str) -> dict[str, Any]:
    """Every finding the patient has, or may have, that carries a code; each name once.

    ``certain`` is false for doubt of any degree. The ICD-10-CM guidelines for outpatients (section
    IV.H) do not code what is documented as probable, suspected or *consistent with*.
    """
    by_name = load_lexicon().by_name
    best: dict[str, Mention] = {}
    for mention in read_report(text).mentions:
        finding = by_name.get(mention.name)
        if finding is None or not finding.icd10:
            continue
        if mention.status not in ("present", "uncertain"):
            continue
        before = best.get(mention.name)
        if before is None or (_is_certain(mention) and not _is_certain(before)):
            best[mention.name] = mention
    return {
        "phrases": [
            {
                "phrase": " ".join(text[slice(*mention.span)].split()),
                "code": by_name[name].icd10,
                "certain": _is_certain(mention),
                "reason": sentence_at(text, mention.span[0]),
            }
            for name, mention in best.items()
        ]
    }


def _is_certain(mention: Mention) -> bool:
    return mention.status == "present" and not mention.trigger
