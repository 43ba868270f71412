"""TRL prompt-completion: JSON Lines of message lists ``prompt`` and ``completion``.

With this type ``SFTTrainer`` computes the loss on the completion alone, whatever the chat template
(TRL 1.16, ``completion_only_loss``); with a single ``messages`` list it would train on the prompt
too. With images, contents are lists of parts and ``images`` holds the paths, which ``datasets``
opens once the column is cast: ``cast_column("images", List(Image()))``.
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
    messages = [{"role": role, "content": text} for role, text in prompt]
    completion: list[dict[str, Any]] = [{"role": "assistant", "content": sample.output}]
    if not survey.has_images:
        return {"prompt": messages, "completion": completion}
    return {
        "prompt": _in_parts(messages, len(sample.image_paths)),
        "completion": _in_parts(completion, 0),
        "images": list(sample.image_paths),
    }


def _in_parts(messages: list[dict[str, Any]], images: int) -> list[dict[str, Any]]:
    """Messages whose content are parts, the images before the text of the first question."""
    made = []
    for message in messages:
        parts = [{"type": "text", "text": message["content"]}]
        if images and message["role"] == "user":
            parts, images = [*({"type": "image", "text": None} for _ in range(images)), *parts], 0
        made.append({"role": message["role"], "content": parts})
    return made


FORMAT = SampleFormat("trl", "{part}.jsonl", json_lines(row), takes_images=True)
