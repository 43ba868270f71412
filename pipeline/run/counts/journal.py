"""What the journal of a run says about its models: outcomes, names, tokens, money by stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.llm.journal import iter_entries
from pipeline.run.counts.remembered import Watch

_TELL_EVERY = 1000


@dataclass(slots=True)
class StageReplies:
    """The replies that one stage of one run paid for.

    Attributes:
        outcomes: ``ok``, ``length``, ``content_filter`` ... -> replies.
        models: name that the server gave -> replies.
        prompt_tokens: sent.
        completion_tokens: received.
        cached_tokens: sent and found in the server's cache.
        reasoning_tokens: received and not shown.
        money: by the prices of the recipe.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    money: float = 0.0

    @property
    def replies(self) -> int:
        """All replies."""
        return self.outcomes.total()


def journal_counts(
    folders: Iterable[Path], run: str, watch: Watch | None = None
) -> dict[str, StageReplies]:
    """Stage -> replies that the run ``run`` paid for, of all journals in ``folders``.

    Raises:
        ConfigError: a folder was written by another version.
    """
    found: dict[str, StageReplies] = {}
    for folder in folders:
        if not folder.is_dir():
            continue
        for number, entry in enumerate(iter_entries(folder), start=1):
            if watch is not None and number % _TELL_EVERY == 0:
                watch(_TELL_EVERY)
            if entry.run != run:
                continue
            stage, usage = found.setdefault(entry.stage, StageReplies()), entry.reply.usage
            stage.outcomes[str(entry.reply.outcome)] += 1
            stage.models[entry.reply.model] += 1
            stage.prompt_tokens += usage.prompt_tokens
            stage.completion_tokens += usage.completion_tokens
            stage.cached_tokens += usage.cached_tokens
            stage.reasoning_tokens += usage.reasoning_tokens
            stage.money += entry.money
    return found
