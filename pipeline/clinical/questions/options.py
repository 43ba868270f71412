"""What a user can ask of the question stage, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pipeline.core.errors import ConfigError

#: The six published types and the one for pairs, in the order in which rows are made.
TYPES = ("abnormality", "presence", "view", "location", "level", "type", "difference")
#: Shares of the published set: PhysioNet medical-cxr-vqa-dataset 1.0.0, abstract.
PUBLISHED_MIX: Mapping[str, float] = {
    "presence": 0.271,
    "abnormality": 0.244,
    "level": 0.143,
    "location": 0.134,
    "view": 0.118,
    "type": 0.089,
}
#: Shares of rows kept by default. Every located finding makes a location question possible, which
#: are then too many beside the published set; with these the mix comes within 2 points of it.
DEFAULT_KEEP = {"location": 0.8, "type": 0.9}


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """Options of :func:`pipeline.clinical.questions.generate_questions`.

    Attributes:
        types: The question types to make.
        per_type: Most questions of one type per study, one number or one per type.
        views: ``frontal`` asks about PA, AP, other frontal and unknown views; ``strict`` about PA
            and AP only, ``any`` about all.
        ap_view_rate: Share of AP studies that get a view question (published: 5 %; PA: all).
        closed_world: What a report does not mention is absent: more questions answered no.
        uncertain: ``skip`` uncertain findings, or ask about them with the answer ``uncertain``.
        paraphrases: Draw among natural wordings beside the published one.
        multiple_choice: Share of questions asked with choices, where wrong choices are certain.
        balance: Presence questions come as one yes and one no per study, or not at all.
        keep: Share of rows to keep, by type (``level``) or type and answer (``presence:yes``);
            ``{}`` keeps all.
        frequencies: Counts of names and values, flat or by kind (``entity``, ``location``,
            ``level``, ``type``); what is rarer than ``min_frequency`` is not asked about.
        min_frequency: See ``frequencies`` (published: 10).
        explicit_difference: A finding is additional or missing only where the other report
            negates it in words.
        scene: Full-sentence questions and answers beside the others.
        split_shares: Shares of train, validate and test for patients whose record has no split.
    """

    types: tuple[str, ...] = TYPES
    per_type: int | Mapping[str, int] = 1
    views: Literal["frontal", "strict", "any"] = "frontal"
    ap_view_rate: float = 0.05
    closed_world: bool = False
    uncertain: Literal["skip", "uncertain"] = "skip"
    paraphrases: bool = False
    multiple_choice: float = 0.0
    balance: bool = False
    keep: Mapping[str, float] = field(default_factory=DEFAULT_KEEP.copy)
    frequencies: Mapping[str, Any] | None = None
    min_frequency: int = 10
    explicit_difference: bool = False
    scene: bool = False
    split_shares: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.types if kind not in TYPES]
        if unknown:
            raise ConfigError(f"question types {unknown} are unknown; there are {', '.join(TYPES)}")
        _one_of("views", self.views, ("frontal", "strict", "any"))
        _one_of("uncertain", self.uncertain, ("skip", "uncertain"))
        for name in ("ap_view_rate", "multiple_choice"):
            _share(name, getattr(self, name))
        for name, share in self.keep.items():
            _share(f"keep[{name}]", share)
            _one_of("keep", name.partition(":")[0], (*TYPES, "scene"))
        limits = self.per_type.values() if isinstance(self.per_type, Mapping) else [self.per_type]
        if any(not isinstance(limit, int) or limit < 0 for limit in limits):
            raise ConfigError("per_type must be a whole number, 0 or more")
        if self.split_shares is not None:
            if len(self.split_shares) != 3 or abs(sum(self.split_shares) - 1) > 1e-9:
                raise ConfigError("split_shares must be three shares that add up to 1")
            for share in self.split_shares:
                _share("split_shares", share)

    @classmethod
    def of(cls, **options: Any) -> QuestionOptions:
        """Options from keyword arguments or a recipe.

        Raises:
            ConfigError: an option is unknown or its value cannot be used.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ConfigError(f"unknown question option {', '.join(unknown)}")
        if isinstance(options.get("types"), str):
            options["types"] = (options["types"],)
        for name in ("types", "split_shares"):
            if isinstance(options.get(name), list):
                options[name] = tuple(options[name])
        return cls(**options)

    def limit(self, kind: str) -> int:
        """Most questions of type ``kind`` for one study."""
        if isinstance(self.per_type, Mapping):
            return self.per_type.get(kind, 1)
        return self.per_type

    def is_frequent(self, kind: str, value: str | None) -> bool:
        """Whether a name (kind ``entity``) or attribute value is frequent enough to ask about."""
        if self.frequencies is None or value is None:
            return True
        counts: Any = self.frequencies
        if any(isinstance(table, Mapping) for table in self.frequencies.values()):
            counts = self.frequencies.get(kind)
            if not isinstance(counts, Mapping):  # this kind was not counted
                return True
        found = (counts.get(one, 0) for one in ((value,) if value in counts else value.split(", ")))
        return all(isinstance(one, (int, float)) and one >= self.min_frequency for one in found)


def _one_of(name: str, value: object, allowed: Iterable[str]) -> None:
    if value not in (choices := tuple(allowed)):
        raise ConfigError(f"{name} must be one of {', '.join(choices)}")


def _share(name: str, value: object) -> None:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"{name} must be a share from 0 to 1")
