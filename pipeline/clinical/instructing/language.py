"""Whether a generated text is in the language that was asked for.

Scripts are told apart by their characters, languages that share the Latin script by their commonest
words. Quoted words do not count: a Chinese answer may quote an English report. A language the
tables do not know is taken on trust.
"""

from __future__ import annotations

import re

from pipeline.clinical.rouge import tokens_of

CODES = {
    "english": "en", "chinese": "zh", "simplified chinese": "zh", "traditional chinese": "zh",
    "mandarin": "zh", "korean": "ko", "japanese": "ja", "german": "de", "french": "fr",
    "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "russian": "ru",
    "中文": "zh", "한국어": "ko", "日本語": "ja", "deutsch": "de", "français": "fr",
    "español": "es",
}  # fmt: skip
"""Language names in lower case -> ISO 639-1 codes."""

_SCRIPTS = {
    "zh": re.compile(r"[\u3400-\u9fff]"),
    "ja": re.compile(r"[\u3040-\u30ff\u3400-\u9fff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
}
_LATIN = re.compile(r"[a-z0-9]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_COMMON = {
    "en": "the of and is are in to a an what which does how there no on with for this that it was",
    "de": "der die das und ist nicht ein eine wie was welche mit auf im den von zu wird sind",
    "fr": "le la les des et est une un que quelle quel dans sur pour du au aux sont il pas",
    "es": "el los las y es una que en del por con para se hay como cual son al lo",
    "it": "il lo gli e una che di nel della con per sono del al quale dei si ha",
    "pt": "o os as e uma que do da em no na com para um qual dos se por foi",
    "nl": "de het een en is van op in wat welke met voor zijn er niet naar bij",
}
_COMMON_WORDS = {code: frozenset(words.split()) for code, words in _COMMON.items()}
_ANY_COMMON = frozenset().union(*_COMMON_WORDS.values())
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|「[^」]*」|《[^》]*》")
_ENOUGH = 3  # common words of another language before a text is said to be in it


def language_code(language: str) -> str:
    """The code of a language by its name or code; what is not known is given back as it is."""
    lowered = language.strip().lower()
    return CODES.get(lowered, lowered)


def is_in_language(text: str, language: str) -> bool:
    """Whether most words of ``text`` that are not quoted can be of ``language``."""
    code = language_code(language)
    if code not in _SCRIPTS and code not in _COMMON_WORDS:
        return True
    tokens = tokens_of(_QUOTED.sub(" ", text))
    if not tokens:
        return True
    script = _SCRIPTS.get(code, _LATIN)
    if script is not _LATIN or not text.isascii():
        fitting = sum(1 for token in tokens if script.match(token))
        if 2 * fitting < len(tokens):
            return False
    if code == "zh":
        return not _KANA.search(text)
    if code not in _COMMON_WORDS:
        return True
    common = [token for token in tokens if token in _ANY_COMMON]
    own = sum(token in _COMMON_WORDS[code] for token in common)
    if len(common) < _ENOUGH or 2 * own > len(common):
        return True  # no other language can have more
    counts = {other: sum(t in words for t in common) for other, words in _COMMON_WORDS.items()}
    most = max(counts.values())
    return most < _ENOUGH or 2 * counts[code] > most
