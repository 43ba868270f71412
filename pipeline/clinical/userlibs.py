"""Libraries of a user's: dictionaries, reviewers' sheets and the published library files.

All files are optional. What they say is added to the packaged vocabulary: a file never changes the
meaning of a word that is known already, because the published lists were made for matching parts of
words (*enlarged* is cardiomegaly there). Only a reviewer's decision stands above it.

=================================  ==========================================================
file                               columns
=================================  ==========================================================
``{kind}_dict.json``               an object, term -> frequency
``{kind}_dict_checked.csv``        ``Term``, ``Comment``; ``Freq`` and others may stand between
``disease_lib_llm.csv``            ``report_name`` (wordings, ``;`` between), ``official_name``
``location_lib.csv`` ...           ``location``; ``level``; ``type``
``postlocation_lib.csv``           ``post_location``, ``relate_keyword``
``position_change.csv``            ``from``, ``to``
=================================  ==========================================================

``kind`` is ``entity``, ``location``, ``level`` or ``type``; ``filtered_entity_dict_checked.csv``
and ``disease_lib.csv`` are read like the others of their kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipeline.clinical.dictionaries import KINDS
from pipeline.clinical.keyinfo import ATTRIBUTES
from pipeline.clinical.lexicon import Lexicon, load_lexicon, normalise
from pipeline.clinical.userlib_files import (
    read_dictionary,
    read_official_names,
    read_sheet,
    read_terms,
)
from pipeline.core.errors import ConfigError

HIGH: Final = 1000
"""A term this frequent counts as known without a reviewer, as in the published post-processing."""

POSTLOCATION: Final = "postlocation_lib.csv"
POSITION_CHANGE: Final = "position_change.csv"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer wrote beside a term; an empty comment decides nothing."""

    comment: str

    @property
    def approved(self) -> bool:
        """The reviewer wrote OK."""
        return self.comment.strip().lower() in ("ok", "okay", "yes")

    @property
    def rejected(self) -> bool:
        """The reviewer wrote anything else."""
        return bool(self.comment.strip()) and not self.approved


@dataclass(frozen=True, slots=True)
class UserLibs:
    """What a folder of libraries says.

    Attributes:
        vocabulary: term -> the kinds it may be, for ``Standardiser``; empty where no reviewer lets
            it be an attribute of any kind.
        renames: wording -> official name, for names that the packaged lexicon does not know.
        rejected: names that a reviewer commented on; they are taken out of records.
        frequencies: kind -> term -> frequency; only the kinds whose dictionary is there.
        folder: where the files are, for those that other readers take.
    """

    vocabulary: Mapping[str, tuple[str, ...]] = field(repr=False)
    renames: Mapping[str, str] = field(repr=False)
    rejected: frozenset[str] = field(repr=False)
    frequencies: Mapping[str, Mapping[str, int]] = field(repr=False)
    folder: Path

    def file(self, name: str) -> Path | None:
        """A file of the folder, if it is there."""
        path = self.folder / name
        return path if path.is_file() else None


def load_user_libs(folder: Path) -> UserLibs:
    """The libraries in ``folder``.

    Raises:
        ConfigError: there is no such folder or nothing known in it; a file cannot be read, lacks a
            column, or says two things about one term.
    """
    if not folder.is_dir():
        raise ConfigError(f"libs: {folder} is no folder")
    frequencies = {
        kind: read_dictionary(path)
        for kind in KINDS
        if (path := folder / f"{kind}_dict.json").is_file()
    }
    verdicts = {kind: _verdicts(folder, kind) for kind in KINDS}
    renames = read_official_names(folder)
    terms = {kind: read_terms(folder, kind) for kind in ATTRIBUTES}
    known = (POSTLOCATION, POSITION_CHANGE)
    if not (
        frequencies
        or renames
        or any(verdicts.values())
        or any(terms.values())
        or any((folder / name).is_file() for name in known)
    ):
        raise ConfigError(
            f"libs: {folder} holds no library; known are entity_dict.json, "
            "entity_dict_checked.csv, disease_lib_llm.csv, location_lib.csv and their like"
        )
    lexicon = load_lexicon()
    return UserLibs(
        _vocabulary(frequencies, verdicts, renames, terms, lexicon),
        {
            wording: name
            for wording, name in renames.items()
            if wording != name and lexicon.canonical(wording) is None
        },
        frozenset(term for term, verdict in verdicts["entity"].items() if verdict.rejected),
        frequencies,
        folder,
    )


def _verdicts(folder: Path, kind: str) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    for name in (f"{kind}_dict_checked.csv", f"filtered_{kind}_dict_checked.csv"):
        if (path := folder / name).is_file():
            for term, comment in read_sheet(path).items():
                if term not in found or comment:
                    found[term] = Verdict(comment)
    return found


def _vocabulary(
    frequencies: Mapping[str, Mapping[str, int]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    renames: Mapping[str, str],
    listed: Mapping[str, list[str]],
    lexicon: Lexicon,
) -> dict[str, tuple[str, ...]]:
    """The kinds of each term that the packaged lexicon does not settle, or a reviewer does."""
    packaged = {"location": lexicon.locations, "level": lexicon.levels, "type": lexicon.types}

    def own(term: str) -> list[str]:
        return [kind for kind in ATTRIBUTES if normalise(term) in packaged[kind]]

    vocabulary: dict[str, list[str]] = {}
    named = [term for term, verdict in verdicts["entity"].items() if verdict.approved]
    named += [term for term, count in frequencies.get("entity", {}).items() if count >= HIGH]
    for term in (*named, *renames):
        if lexicon.canonical(term) is None:
            vocabulary.setdefault(term, ["entity", *own(term)])
    for kind in ATTRIBUTES:
        counts = frequencies.get(kind, {})
        frequent = (term for term, count in counts.items() if count >= HIGH)
        for term in (*listed[kind], *frequent):
            if not own(term) and lexicon.canonical(term) is None:
                kinds = vocabulary.setdefault(term, [])
                if kind not in kinds:
                    kinds.append(kind)
    decided = {
        term
        for kind in ATTRIBUTES
        for term, verdict in verdicts[kind].items()
        if verdict.approved or verdict.rejected
    }
    for term in decided:
        kept = [kind for kind in vocabulary.get(term, []) if kind == "entity"]
        vocabulary[term] = [*kept, *_decided(term, frequencies, verdicts, own(term))]
    return {term: tuple(kinds) for term, kinds in vocabulary.items()}


def _decided(
    term: str,
    frequencies: Mapping[str, Mapping[str, int]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    own: list[str],
) -> tuple[str, ...]:
    """The attribute a reviewed term may be, the best first.

    A term that is refused as one kind becomes another that a reviewer approved, else the one in
    which it is most frequent; a refused term never becomes a location, as published.
    """
    of = {kind: verdicts[kind].get(term, Verdict("")) for kind in ATTRIBUTES}
    counts = {kind: frequencies.get(kind, {}).get(term, 0) for kind in ATTRIBUTES}
    any_rejected = any(verdict.rejected for verdict in of.values())
    possible = [
        kind
        for kind in ATTRIBUTES
        if not of[kind].rejected
        and (of[kind].approved or counts[kind] or kind in own)
        and not (kind == "location" and any_rejected and not of[kind].approved)
    ]
    return tuple(sorted(possible, key=lambda kind: (not of[kind].approved, -counts[kind])))
