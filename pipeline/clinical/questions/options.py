"""What a user can ask of the question stage, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

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


Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[int, Field(ge=0)]


class QuestionOptions(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    types: tuple[str, ...] = TYPES
    per_type: Limit | dict[str, Limit] = 1
    views: Literal["frontal", "strict", "any"] = "frontal"
    ap_view_rate: Share = 0.05
    closed_world: bool = False
    uncertain: Literal["skip", "uncertain"] = "skip"
    paraphrases: bool = False
    multiple_choice: Share = 0.0
    balance: bool = False
    keep: dict[str, Share] = Field(default_factory=DEFAULT_KEEP.copy)
    frequencies: dict[str, Any] | None = None
    min_frequency: int = 10
    explicit_difference: bool = False
    scene: bool = False
    split_shares: tuple[Share, Share, Share] | None = None

    @field_validator("types", mode="before")
    @classmethod
    def _known_types(cls, value: Any) -> Any:
        types = (value,) if isinstance(value, str) else value
        if not isinstance(types, list | tuple):
            return types
        unknown = [kind for kind in types if kind not in TYPES]
        if unknown:
            raise ValueError(f"question types {unknown} are unknown; there are {', '.join(TYPES)}")
        return types

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in self.keep:
            if name.partition(":")[0] not in (*TYPES, "scene"):
                raise ValueError(f"keep must be one of {', '.join((*TYPES, 'scene'))}, not {name}")
        if self.split_shares is not None and abs(sum(self.split_shares) - 1) > 1e-9:
            raise ValueError("split_shares must be three shares that add up to 1")
        return self

    @classmethod
    def of(cls, **options: Any) -> QuestionOptions:
        """Options from keyword arguments.

        Raises:
            ConfigError: an option is unknown or its value cannot be used.
        """
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"question option {where}: {message}" if where else message)

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
