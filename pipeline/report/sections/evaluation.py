"""Evaluations: which there are, and what every one of them needs said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.report.blocks import Block, Note, Section
from pipeline.report.gather import Evaluation, Run
from pipeline.report.sections.scored_answers import scored_answers
from pipeline.report.sections.scored_keyinfo import scored_keyinfo
from pipeline.report.sections.scored_labels import scored_labels
from pipeline.report.sections.scored_phrases import scored_phrases
from pipeline.report.sections.scored_texts import scored_texts

Shown = Callable[[Mapping[str, Any]], Iterator[Block]]

_SHOWN: Mapping[str, tuple[str, Shown]] = {
    "labels": ("Labels scored", scored_labels),
    "keyinfo": ("KeyInfo scored", scored_keyinfo),
    "phrases": ("Phrases scored", scored_phrases),
    "answers": ("Answers judged", scored_answers),
    "texts": ("Answers beside the expected ones", scored_texts),
}
_CAN_BE = {
    "combine": "labels",
    "rule-labels": "labels",
    "postprocess": "keyinfo",
    "icd10": "phrases",
    "check-answers": "answers",
}


def evaluations(run: Run) -> Iterator[Section]:
    """One section per evaluation, or one that says how to get some.

    Raises:
        ConfigError: an evaluation has not the shape that this version writes.
    """
    titles: Counter[str] = Counter()
    for number, one in enumerate(run.evaluations, start=1):
        title, show = _SHOWN[one.data["kind"]]
        try:
            blocks = [*_about(one), *show(one.data)]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigError(
                f"{one.file} is not an evaluation as this version writes it; make it again with "
                "cxr-pipeline evaluate, or remove it"
            ) from None
        title += _gold(one.data)
        titles[title] += 1
        again = f" ({titles[title]})" if titles[title] > 1 else ""
        yield Section(f"evaluation-{number}", f"{title}{again}", blocks)
    possible = dict.fromkeys(
        _CAN_BE[run.uses[row.stage]]
        for row in run.rows
        if row.state == "complete" and run.uses[row.stage] in _CAN_BE
    )
    if possible and not run.evaluations:
        commands = ", ".join(f"evaluate {kind}" for kind in possible)
        text = f"Nothing was scored yet. What {commands} find about this run is shown here."
        yield Section("evaluation", "Evaluation", [Note(text)])


def _about(one: Evaluation) -> Iterator[Block]:
    if one.outdated:
        yield Note(
            f"Outdated: the run was made again after this evaluation ({one.file}). Evaluate anew.",
            warning=True,
        )
    made = str(one.data.get("made_at", "")).replace("T", " ").replace("+00:00", " UTC")
    yield Note(f"From {one.file}" + (f", made {made}." if made else "."))


def _gold(data: Mapping[str, Any]) -> str:
    gold = data.get("gold")
    if not gold:
        return ""
    names = [Path(path).name for path in ([gold] if isinstance(gold, str) else gold)]
    return f" against {' and '.join(names)}"
