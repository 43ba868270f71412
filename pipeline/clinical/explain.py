"""Why the rules read a text the way they do: clauses, triggers, mentions, KeyInfo and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.clinical.assertion import assert_clause
from pipeline.clinical.described import described
from pipeline.clinical.extract import keyinfo, read_report
from pipeline.clinical.labels import label_mentions
from pipeline.clinical.mentions import Mention, sentence_words
from pipeline.clinical.phrases import Phrase, clauses, scan
from pipeline.clinical.rulebook import Entry, Rulebook, load_rulebook
from pipeline.core.hashing import canonical_json


@dataclass(frozen=True, slots=True)
class ExplainedPhrase:
    """A phrase as the rules see it.

    Attributes:
        joins: joining words and triggers before it, with their roles: ``no (negation)``.
        parts: known words with what they are: ``small (level)``.
        status: the status the triggers give it.
        trigger: the words that decided it, or "".
    """

    joins: tuple[str, ...]
    parts: tuple[str, ...]
    status: str
    trigger: str


@dataclass(frozen=True, slots=True)
class ExplainedSentence:
    """A sentence with its clauses (groups of phrases) and its mentions."""

    text: str
    clauses: tuple[tuple[ExplainedPhrase, ...], ...]
    mentions: tuple[Mention, ...]


def explain(text: str, root: Path | None = None) -> tuple[ExplainedSentence, ...]:
    """How each describing sentence of a text was read; spans count from the text's start."""
    rulebook = load_rulebook(root)
    mentions = read_report(text, root).mentions
    return tuple(
        ExplainedSentence(
            " ".join(text[start:end].split()),
            tuple(_clauses(rulebook, text[start:end])),
            tuple(mention for mention in mentions if start <= mention.span[0] < end),
        )
        for start, end in described(text)
        if text[start:end].strip()
    )


def explain_text(text: str, root: Path | None = None) -> str:
    """The explanation for people, as the command ``explain`` prints it."""
    rulebook = load_rulebook(root)
    sentences = explain(text, root)
    lines = [line for sentence in sentences for line in _lines(text, rulebook, sentence)]
    mentions = tuple(mention for sentence in sentences for mention in sentence.mentions)
    labels = label_mentions(mentions, root)
    lines.append(f"labels     {', '.join(labels.labels)}")
    for name, classes in (("uncertain", labels.uncertain), ("negated", labels.negated)):
        if classes:
            lines.append(f"{name:10} {', '.join(classes)}")
    lines.append(f"keyinfo    {canonical_json(keyinfo(mentions, rulebook)).decode()}")
    return "\n".join(lines)


def _clauses(rulebook: Rulebook, sentence: str) -> Iterator[tuple[ExplainedPhrase, ...]]:
    tokens, _ = sentence_words(rulebook, rulebook.readable(sentence))
    for clause in clauses(scan(rulebook, tokens)):
        assert_clause(clause)
        yield tuple(_explained(phrase) for phrase in clause)


def _explained(phrase: Phrase) -> ExplainedPhrase:
    return ExplainedPhrase(
        tuple(f"{p.entry.phrase} ({', '.join(p.entry.roles)})" for p in phrase.joins),
        tuple(f"{p.entry.phrase} ({', '.join(_kinds(p.entry))})" for p in phrase.parts),
        phrase.status,
        phrase.trigger,
    )


def _kinds(entry: Entry) -> Iterator[str]:
    if entry.finding:
        yield f"finding: {entry.finding}"
    if entry.states:
        yield f"state: {'/'.join(entry.states)}"
    if entry.site is not None:
        yield f"site: {entry.site.region}"
    if entry.level:
        yield "level"
    if entry.kind:
        yield "type"
    if entry.change:
        yield f"change: {entry.change}"
    if "normal" in entry.roles:
        yield "normal"


def _lines(text: str, rulebook: Rulebook, sentence: ExplainedSentence) -> Iterator[str]:
    yield f'"{sentence.text}"'
    for number, clause in enumerate(sentence.clauses, start=1):
        yield f"  clause {number}"
        for phrase in clause:
            joins = " ".join(phrase.joins)
            parts = " + ".join(phrase.parts) or "-"
            scope = f"  => {phrase.status}: {phrase.trigger}" if phrase.trigger else ""
            yield f"    {joins + ' ' if joins else ''}[{parts}]{scope}"
    for mention in sentence.mentions:
        yield f"  {_mention(text, rulebook, mention)}"
    yield ""


def _mention(text: str, rulebook: Rulebook, mention: Mention) -> str:
    finding = rulebook.lexicon.by_name.get(mention.name)
    attributes = [
        f"{name} {', '.join(values)}"
        for name, values in (
            ("location", mention.location),
            ("level", mention.level),
            ("type", mention.type),
        )
        if values
    ]
    if mention.change:
        attributes.append(f"change {mention.change}")
    if mention.qualifier:
        attributes.append(f"denied only if {mention.qualifier}")
    if mention.outside:
        attributes.append("outside the chest")
    if finding is not None and finding.icd10:
        attributes.append(f"ICD-10-CM {finding.icd10}")
    words = " ".join(text[slice(*mention.span)].split())
    because = f", {mention.trigger!r}" if mention.trigger else ""
    about = f"; {'; '.join(attributes)}" if attributes else ""
    return f"* {mention.name}: {mention.status}{about}  [{words!r}: {mention.rule}{because}]"
