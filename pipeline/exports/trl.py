"""TRL prompt-completion: JSON Lines of message lists ``prompt`` and ``completion``.

With this type ``SFTTrainer`` computes the loss on the completion alone, whatever the chat template
(TRL 1.16, ``completion_only_loss``); with a single ``messages`` list it would train on the prompt
too.
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.sample_files import SampleFormat, json_lines
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as prompt and completion."""
    prompt = [("system", sample.system)] if sample.system else []
    for question, answer in sample.history:
        prompt += [("user", question), ("assistant", answer)]
    prompt.append(("user", sample.question))
    return {
        "prompt": [{"role": role, "content": text} for role, text in prompt],
        "completion": [{"role": "assistant", "content": sample.output}],
    }


FORMAT = SampleFormat("trl", "{part}.jsonl", json_lines(row))
