"""A Chinese caption without a model: what the rules read, written with the glossary.

*Small left pleural effusion. No pneumothorax.* gives 左侧少量胸腔积液。未见气胸。 It is no
translation of the words but of the findings, with place, degree, kind and doubt; what the rules do
not read is not in it. It serves as a baseline and where no model may be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache

from pipeline.clinical.chinese import to_traditional
from pipeline.clinical.claims import claims_of
from pipeline.clinical.extract import read_report
from pipeline.clinical.glossary import load_glossary
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.lexicon import load_lexicon, normalise
from pipeline.clinical.mentions import Mention
from pipeline.clinical.support import sentences_of

_SIDES = {"left": "左侧", "right": "右侧", "bilateral": "双侧", "both": "双侧"}
_SIDE_PREFIX = {"left": "左", "right": "右", "bilateral": "双", "both": "双"}
_NUMBERED_RIB = re.compile(r"((?:\d{1,2}(?:st|nd|rd|th)(?: (?:and|to) )?)+) (?:\w+ )?rib")
_VERTEBRA = re.compile(r"([ctl])(\d{1,2})(?:-([ctls])(\d{1,2}))? vertebra")
_DISTANCE = re.compile(r"([\d.x -]*\d (?:mm|cm)) ([a-z ]+?) the (.+)")
_DIRECTIONS = {"above": "上方", "below": "下方", "from": "处", "beyond": "远侧", "past": "远侧"}
_DIGITS = re.compile(r"\d{1,2}")
_SIZE = re.compile(r"\d")
_WHOLE = frozenset({"lung", "lungs", "bilateral lung", "lung parenchyma", "heart"})
_LAST = frozenset({"airspace", "alveolar", "interstitial", "lobar"})
_OF_LUNGS = _LAST | {"focal"}
_ENDS = re.compile(r"\b(?:tube|catheter|picc|port|drain|pump)\b")
"""Devices of which a report says where they end."""

_LIMITS = frozenset({"large", "significant", "focal", "acute", "displaced"})
_OF_BOTH_LUNGS = frozenset({"hyperinflation", "hyperlucency"})
_POSITIONS = {
    "lateral": "外侧", "medial": "内侧", "anterior": "前部", "posterior": "后部",
    "peripheral": "外周", "distal": "远端", "proximal": "近端",
}  # fmt: skip
_ORGANS = (
    "心影", "主动脉", "肋膈角", "膈肌", "肺门", "纵隔", "胸膜", "肺动脉", "气管", "脊柱", "椎体",
    "支气管壁", "膈", "肋骨", "锁骨", "肱骨", "胸骨", "肩胛骨",
)  # fmt: skip
"""Organs a name begins with; place and degree stand before and behind them."""

_JOINED = re.compile(r"\s+(?:and|of the|of|in the|in)\s+")
_CLEAR = "clear"
_TOLD = (
    ("cardiopulmonary", "未见急性异常", "未见急性心肺异常"),
    ("cardiopulmonary", "未见异常", "未见心肺异常"),
    ("active", "未见异常", "未见活动性病变"),
    ("acute disease", "未见急性异常", "未见急性病变"),
)
"""Word of a sentence, what is said of it in general, what to say instead."""

_FLUID_OR_AIR = re.compile(r"effusion|thorax|fluid|empyema|ascites|pneumo(?:periton|media|peri)")
_AMOUNTS = {"small": ("小", "少量"), "large": ("大", "大量"), "moderate": ("中度", "中量")}
_STATUS_WORDS = {"present": "", "uncertain": "possible ", "absent": "no "}


def make_translation(text: str, language: str = "Chinese", script: str = "simplified") -> str:
    """The findings of an English caption in Chinese; "" for a language without rules.

    Args:
        text: the caption.
        language: name or code; only Chinese has rules.
        script: ``simplified`` or ``traditional``.
    """
    if language_code(language) != "zh":
        return ""
    sentences = dict.fromkeys(made for s in sentences_of(text) for made in _sentence(s))
    made = "".join(f"{sentence}。" for sentence in sentences)
    return to_traditional(made) if script == "traditional" else made


def make_back_translation(text: str) -> str:
    """What the rules read in a Chinese caption, as plain English sentences."""
    sentences: dict[str, None] = {}
    for claim in claims_of(text):
        if claim.name == _CLEAR:
            sentences["The lungs are clear."] = None
            continue
        side = "bilateral " if len(claim.sides) == 2 else "".join(f"{s} " for s in claim.sides)
        sentences[f"{_STATUS_WORDS[claim.status]}{side}{claim.name}.".capitalize()] = None
    return " ".join(sentences)


@lru_cache(maxsize=20_000)  # captions repeat themselves
def _sentence(sentence: str) -> tuple[str, ...]:
    lowered = sentence.lower()
    made = tuple(_statements(read_report(sentence).mentions))
    for word, general, told in _TOLD:
        if word in lowered:
            made = tuple(told if one == general else one for one in made)
    return made


def _statements(mentions: Sequence[Mention]) -> Iterator[str]:
    """Statements in the order of the text; what is absent side by side is one of them."""
    absent: list[Mention] = []
    for mention in mentions:
        plain = mention.status == "absent" and mention.rule != "normal"
        if not plain and absent:
            yield _absent(absent)
            absent = []
        if plain:
            absent.append(mention)
        elif mention.status in ("present", "absent", "uncertain"):
            made = _one(mention)
            if made:
                yield made
    if absent:
        yield _absent(absent)


def _one(mention: Mention) -> str:
    if mention.name == _CLEAR:
        return _clear(mention)
    if mention.status == "absent":
        return _normal_phrases().get(mention.name, "") or f"未见{_named(mention)}"
    if _kind(mention.name) in ("general", "artifact"):
        return ""
    return f"{_named(mention)}可能" if mention.status == "uncertain" else _named(mention)


def _clear(mention: Mention) -> str:
    words = " ".join(mention.location).split()
    side = next((side for side in ("left", "right") if side in words), "")
    return f"{_SIDE_PREFIX.get(side, '双')}肺清晰"


def _absent(mentions: Sequence[Mention]) -> str:
    """*未见X、Y及Z*; a place is said only where it is a single side, and once if all share it."""
    mentions = [m._replace(location=_one_side(m)) for m in mentions if _term(m.name)]
    places = {mention.location for mention in mentions}
    place = ""
    if len(places) == 1 and (location := next(iter(places))):
        place = _place(location)
        mentions = [mention._replace(location=()) for mention in mentions]
    names = list(dict.fromkeys(map(_named, mentions)))
    return f"{place}未见{_listed(names)}" if names else ""


def _one_side(mention: Mention) -> tuple[str, ...]:
    if _kind(mention.name) == "general":
        return mention.location
    sided = [place for place in mention.location if place.split()[0] in ("left", "right")]
    return mention.location if len(sided) == len(mention.location) else ()


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{'、'.join(names[:-1])}及{names[-1]}"


def _named(mention: Mention) -> str:
    """Place, degree, kind and name; behind a device, where it ends."""
    sizes = [level for level in mention.level if _SIZE.search(level)]
    size = f"约{sizes[0].replace(' x ', '×')}" if sizes else ""
    name = _term(mention.name)
    told = dict.fromkeys(_degree(word, mention.name) for word in _describing(mention))
    words = "".join(word for word in told if word and word not in name)
    if _ENDS.search(mention.name):
        near = [place for place in mention.location if not _is_end(place)]
        ends = _place([place for place in mention.location if _is_end(place)])
        return f"{_place(near)}{words}{name}" + (f"，末端位于{ends}" if ends else "")
    place = _place(mention.location)
    kind = _kind(mention.name)
    for organ in _ORGANS if kind == "finding" else ():
        if name.startswith(organ) and len(name) > len(organ):
            at_spine = organ == "脊柱" and place.endswith("椎")
            before = place if organ in place or at_spine else f"{place}{organ}"
            return f"{before}{words}{size}{name.removeprefix(organ)}"
    if not place and mention.name in _OF_BOTH_LUNGS:
        place = "双肺"
    if name in place or (name == "心腔增大" and place.endswith(("心房", "心室"))):
        return f"{place}{words}{size}{name.removeprefix('心腔')}"
    return f"{place}{words}{size}{name}".replace("主动脉动脉", "主动脉")


def _degree(word: str, name: str) -> str:
    """A degree or kind; *small* is 少量 of fluid and air, 小 of what has a shape."""
    fluid = _FLUID_OR_AIR.search(name) is not None
    if word in _AMOUNTS:
        return _AMOUNTS[word][fluid]
    return _term(word)


def _describing(mention: Mention) -> list[str]:
    """Degrees and kinds in Chinese order; *focal* belongs to what lies in the lung."""
    words = [level for level in mention.level if not _SIZE.search(level)]
    kinds = [kind for kind in mention.type if kind not in _LAST]
    words += [*kinds, *(kind for kind in mention.type if kind in _LAST)]
    if mention.status == "absent":
        words += [w for w in mention.qualifier.split() if w in _LIMITS and w not in words]
        finding = load_lexicon().by_name.get(mention.name)
        if finding is None or finding.location not in ("lung", "lungs"):
            words = [word for word in words if word not in _OF_LUNGS]
        if mention.name == "pneumothorax":
            words = [word for word in words if word != "large"]
    return words


def _is_end(place: str) -> bool:
    """Whether a place is where a tube or line ends, and not a side or a part of the body wall."""
    if "subclavian" in place or "jugular" in place:  # where it enters
        return False
    site = load_lexicon().sites.get(normalise(place).split(" ")[-1])
    inside = site is not None and site.group in ("vessel", "heart", "mediastinum", "abdomen")
    return place[0].isdigit() or inside or "vena cava" in place or "atri" in place


def _place(location: Iterable[str]) -> str:
    made = "、".join(dict.fromkeys(made for place in location if (made := _site(place))))
    return made.replace("双侧双", "双") if len(made) > 1 else ""


@lru_cache(maxsize=4096)
def _site(place: str) -> str:
    """One place in Chinese, as much of it as the glossary knows; "" for none."""
    if place in _WHOLE:
        return ""
    if place in _SIDES:
        return _SIDES[place]
    if (distance := _DISTANCE.fullmatch(place)) is not None:
        size, direction, landmark = distance.groups()
        return f"{_site(landmark)}{_DIRECTIONS.get(direction, '')}{size}处"
    if (ribs := _NUMBERED_RIB.search(place)) is not None:
        numbers = _DIGITS.findall(ribs[1])
        joined = "至" if " to " in ribs[1] else "、"
        return f"{_side_of(place)}第{joined.join(numbers)}肋骨"
    if (bone := _VERTEBRA.search(place)) is not None:
        part, first, other, last = bone.groups()
        behind = f"-{(other or part).upper()}{last}" if last else ""
        return f"{part.upper()}{first}{behind}椎体"
    if (term := load_glossary().find(place)) is not None:
        return term.chinese[0]
    first, _, rest = place.partition(" ")
    if first in _POSITIONS and rest and (inner := _site(rest)):
        return f"{inner}{_POSITIONS[first]}"
    return _parts(place)


def _side_of(place: str) -> str:
    return next((word for side, word in _SIDES.items() if side in place.split()), "")


def _parts(place: str) -> str:
    """The longest known wordings from the end: *lateral left lung base* ends with its organ."""
    words = _JOINED.sub(" ", place).split()
    glossary = load_glossary()
    made: list[str] = []
    at = 0
    while at < len(words):
        for end in range(len(words), at, -1):
            term = glossary.find(" ".join(words[at:end]))
            if term is not None and term.kind in ("anatomy", "side", "phrase"):
                made.append(term.chinese[0])
                at = end
                break
        else:
            at += 1
    return "".join(dict.fromkeys(made))


@lru_cache(maxsize=4096)
def _term(english: str) -> str:
    term = load_glossary().find(english)
    return term.chinese[0] if term is not None else ""


def _kind(name: str) -> str:
    finding = load_lexicon().by_name.get(name)
    return finding.kind if finding is not None else ""


@cache
def _normal_phrases() -> dict[str, str]:
    """Finding -> the Chinese words of normality that deny it, from the glossary."""
    phrases: dict[str, str] = {}
    for term in load_glossary().terms:
        if term.kind == "normal":
            for claim in claims_of(normalise(term.english)):
                if claim.status == "absent" and claim.implied:
                    phrases.setdefault(claim.name, term.chinese[0])
    return phrases
