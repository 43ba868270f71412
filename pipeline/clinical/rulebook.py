"""The rules of one language: every phrase the reader knows, compiled into one word tree.

All rules are rows of CSV files in a library folder, so that another language or body part is
another folder: findings, sites, degrees and kinds (the lexicon), ``triggers.csv`` (negation,
doubt, normality, change and the words between phrases), ``state_lib.csv`` with
``composition_lib.csv`` (anatomy plus state, such as *heart* + *enlarged*) and ``implied_lib.csv``
(what a wording says besides its name, such as the side of *levoscoliosis*). ``variant_lib.csv``
is optional: characters that stand for others (traditional Chinese).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from pipeline.clinical.lexicon import Lexicon, Site, load_lexicon, plural, read_rows
from pipeline.clinical.sentences import lower, words
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

ROLES = frozenset(
    {
        "negation", "negation_after", "resolved", "resolved_after", "possible", "possible_after",
        "probable", "probable_after", "hypothetical", "history", "normal", "stop", "start", "and",
        "or", "comma", "of", "in", "with", "verb", "seen", "colon", "det", "link", "change",
        "pseudo", "filler", "anaphor", "relative",
    }
)  # fmt: skip
"""What a row of ``triggers.csv`` may be; docs/rules.md explains each."""

Tree: TypeAlias = dict[str, tuple["Entry | None", Any]]
"""First word -> the entry that ends there, and the tree of what may follow."""


@dataclass(slots=True, eq=False)
class Entry:
    """Everything the rules know about one phrase; a phrase may play several parts.

    Attributes:
        phrase: the words, separated by blanks.
        finding: canonical finding, or "".
        states: states it names (``enlarged`` ...), for composition with an anatomical site.
        site: the anatomical site, or None.
        level: degree, or "".
        kind: descriptive type (``patchy`` ...), or "".
        change: ``new``, ``increased``, ``decreased`` or ``unchanged``, or "".
        roles: trigger roles with their values.
        many: whether a finding's wording is a plural or has none (*atelectasis*).
        about: the site among a finding's own words (*aortic* in *aortic calcification*).
        inner: entries found inside a finding's own words (``hilar`` in *hilar adenopathy*).
        weak: whether it may stand among the attributes of another finding although it names states
            (*small*, *tip*).
        splits: whether a new phrase begins behind it.
        limit: the words of degree or kind that limit a denial (*focal* in *no focal opacity*).
    """

    phrase: str
    finding: str = ""
    states: tuple[str, ...] = ()
    site: Site | None = None
    level: str = ""
    kind: str = ""
    change: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    many: bool = False
    about: Site | None = None
    inner: tuple[Entry, ...] = ()
    weak: bool = False
    splits: bool = False
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Composition:
    """What a head (region or finding) and a modifier (state, type, finding) make together.

    Attributes:
        result: the finding.
        mode: ``replace`` a head that is a finding itself; ``add`` to it; ``uncertain`` when the
            result is only doubted; ``alone`` when it counts only without a device in the clause.
    """

    result: str
    mode: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The compiled rules of one language.

    ``compositions`` maps (head, modifier) to the result; ``combining`` holds all modifiers, to
    skip the look-up for other words; ``fillers`` are words without any weight (*grossly*);
    ``anaphors`` begin a sentence that goes on about the finding before (*the appearance*);
    ``denials`` maps a region to the finding that *normal* denies there; ``qualifiers`` gives what
    a trigger limits its denial to (*no significant*); ``variants`` maps characters to those the
    rules are written in (traditional to simplified Chinese).
    """

    lexicon: Lexicon
    tree: Tree
    compositions: Mapping[tuple[str, str], Composition]
    combining: frozenset[str]
    fillers: frozenset[str]
    anaphors: tuple[str, ...]
    denials: Mapping[str, str]
    qualifiers: Mapping[str, str]
    variants: Mapping[int, str]

    def readable(self, text: str) -> str:
        """The text in lower case and the rules' own characters, of the same length."""
        lowered = lower(text)
        return lowered.translate(self.variants) if self.variants else lowered


@cache
def load_rulebook(root: Path | None = None) -> Rulebook:
    """The rules in folder ``root``, or the packaged English ones; compiled once per process.

    Raises:
        ConfigError: a library is missing or malformed, or names something unknown.
    """
    root = root if root is not None else resource_path("libs")
    lexicon = load_lexicon(root)
    table: dict[str, Entry] = {}
    _add_attributes(table, lexicon)
    apart = list(_add_triggers(table, root / "triggers.csv"))
    for row in read_rows(root / "state_lib.csv", ("wording", "state")):
        entry = _entry(table, row["wording"])
        entry.states = (*entry.states, row["state"])
    compositions = dict(_compositions(lexicon, root / "composition_lib.csv"))
    strong = {state for (_, state), made in compositions.items() if made.mode != "alone"}
    for entry in table.values():
        entry.weak = bool(entry.level) or strong.isdisjoint(entry.states)
    _add_findings(table, lexicon, compositions)
    tree = _tree({tuple(phrase.split(" ")): entry for phrase, entry in table.items()})
    _add_inner(table, tree, lexicon)
    _add_implied(table, lexicon, root / "implied_lib.csv")
    return Rulebook(
        lexicon=lexicon,
        tree=tree,
        compositions=MappingProxyType(compositions),
        combining=frozenset(modifier for _, modifier in compositions),
        fillers=frozenset(phrase for phrase, role in apart if role == "filler"),
        anaphors=tuple(f"{phrase} " for phrase, role in apart if role == "anaphor"),
        denials=MappingProxyType(
            {region: m.result for (region, state), m in compositions.items() if state == "normal"}
        ),
        qualifiers=MappingProxyType(
            {p: value for p, e in table.items() if (value := e.roles.get("negation"))}
        ),
        variants=MappingProxyType(dict(_variants(root / "variant_lib.csv"))),
    )


def _tree(entries: Mapping[tuple[str, ...], Entry]) -> Tree:
    """The tree of phrases given as words."""
    ends: dict[str, Entry] = {}
    longer: dict[str, dict[tuple[str, ...], Entry]] = {}
    for (first, *rest), entry in entries.items():
        if rest:
            longer.setdefault(first, {})[tuple(rest)] = entry
        else:
            ends[first] = entry
    return {
        word: (ends.get(word), _tree(longer[word]) if word in longer else None)
        for word in {**ends, **longer}
    }


def match(tree: Tree, tokens: list[str], start: int = 0) -> tuple[Entry | None, int]:
    """The longest phrase that begins at token ``start``, and the index behind it."""
    best: Entry | None = None
    end = index = start
    count = len(tokens)
    while index < count:
        node = tree.get(tokens[index])
        if node is None:
            break
        index += 1
        entry, following = node
        if entry is not None:
            best, end = entry, index
        if following is None:
            break
        tree = following
    return best, end


def _entry(table: dict[str, Entry], wording: str) -> Entry:
    phrase = " ".join(words(lower(wording)))
    if not phrase:
        raise ConfigError("a library holds a row without a wording")
    return table.setdefault(phrase, Entry(phrase))


def _add_findings(
    table: dict[str, Entry],
    lexicon: Lexicon,
    compositions: Mapping[tuple[str, str], Composition],
) -> None:
    """All wordings but those that site and state make up anyway, so that these stay visible."""

    def made_up(left: str, right: str, name: str) -> bool:
        one, two = table.get(left), table.get(right)
        if one is None or two is None:
            return False
        for head, other in ((one, two), (two, one)):
            if head.site is None:
                continue
            for state in other.states:
                made = compositions.get((head.site.region, state))
                if made is not None and made.result == name:
                    return True
        return False

    for wording, name in lexicon.wordings.items():
        parts = words(lower(wording))
        cuts = range(1, len(parts))
        if not any(made_up(" ".join(parts[:c]), " ".join(parts[c:]), name) for c in cuts):
            entry = _entry(table, wording)
            entry.finding = name
            entry.many = plural(wording) is None


def _add_attributes(table: dict[str, Entry], lexicon: Lexicon) -> None:
    for wording, site in lexicon.sites.items():
        _entry(table, wording).site = site
    for wording, level in lexicon.levels.items():
        for form in {wording, wording.replace(" to ", " / ")}:
            entry = _entry(table, form)
            entry.level, entry.limit = level, form
    for wording, kind in lexicon.types.items():
        entry = _entry(table, wording)
        entry.kind, entry.limit = kind, wording


def _add_triggers(table: dict[str, Entry], path: Path) -> Iterator[tuple[str, str]]:
    """Adds all triggers; gives back the phrases (with role) that never reach the tree."""
    for row in read_rows(path, ("phrase", "role", "value")):
        role = row["role"]
        if role not in ROLES:
            raise ConfigError(f"{path}: unknown role {role}")
        if role in ("filler", "anaphor"):
            yield row["phrase"], role
            continue
        entry = _entry(table, row["phrase"])
        if role == "change":
            entry.change = row["value"]
        elif role != "pseudo":
            entry.roles = {**entry.roles, role: row["value"]}
            entry.splits = entry.splits or role != "normal"


def _add_inner(table: dict[str, Entry], tree: Tree, lexicon: Lexicon) -> None:
    """What the shorter phrases inside a finding's wording say about place, degree and type.

    Words that the canonical name holds anyway, and its usual site, say nothing more.
    """
    for phrase, entry in table.items():
        tokens = phrase.split(" ")
        if not entry.finding or len(tokens) < 2:
            continue
        usual = lexicon.by_name[entry.finding].location
        named = entry.finding.split(" ")
        entry.limit = " ".join(
            t for t in tokens if (t in lexicon.types or t in lexicon.levels) and t not in named
        )
        found: list[Entry] = []
        index = 0
        while index < len(tokens):
            part, end = match(tree, tokens[:-1] if index == 0 else tokens, index)
            if part is None:
                index += 1
                continue
            if part.site is not None and entry.about is None:
                entry.about = part.site
            special = part.site is not None and (
                part.site.region != usual or part.site.group in ("bone", "vessel")
            )
            says = special or part.level or part.kind
            if says and part.phrase not in entry.finding:
                found.append(part)
            index = end
        entry.inner = tuple(found)


def _add_implied(table: dict[str, Entry], lexicon: Lexicon, path: Path) -> None:
    for row in read_rows(path, ("wording", "location", "level", "type")):
        names = (row["wording"], plural(row["wording"]))
        for phrase in filter(None, names):
            if (entry := table.get(phrase)) is None:
                continue
            site = lexicon.sites.get(row["location"])
            implied = Entry(phrase, site=site, level=row["level"], kind=row["type"])
            entry.inner = (*entry.inner, implied)


def _variants(path: Path) -> Iterator[tuple[int, str]]:
    """Characters of the optional file, each with the one that stands for it."""
    if not path.is_file():
        return
    for row in read_rows(path, ("character", "standard")):
        if len(row["character"]) != 1 or len(row["standard"]) != 1:
            raise ConfigError(f"{path}: a row does not map one character to one")
        yield ord(row["character"]), row["standard"]


def _compositions(lexicon: Lexicon, path: Path) -> Iterator[tuple[tuple[str, str], Composition]]:
    for row in read_rows(path, ("head", "modifier", "result", "mode")):
        if row["result"] not in lexicon.by_name:
            raise ConfigError(f"{path}: {row['result']} is not in the disease library")
        if row["mode"] not in ("replace", "add", "uncertain", "alone"):
            raise ConfigError(f"{path}: unknown mode {row['mode']} of {row['result']}")
        yield (row["head"], row["modifier"]), Composition(row["result"], row["mode"])
