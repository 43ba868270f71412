"""Holding answers to a JSON schema while they are generated (llguidance)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.llm.backends.local.prompt import Unacceptable

WHITE_SPACE = r"( |\n[ \t]{0,32})?"
"""Between the parts of the JSON: none, one space, or a new line with its indent.

Free white space would let a model that is unsure write spaces for ever.
"""
_KEPT = 64


class Grammars:
    """Makes the matchers of one model; each schema is compiled once.

    Raises:
        ConfigError: llguidance is missing, or cannot read this tokenizer.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, eos: frozenset[int]) -> None:
        try:
            import llguidance
            import llguidance.hf
        except ImportError:
            raise ConfigError(
                'structured: json_schema needs llguidance: pip install "cxr-pipeline[local]", '
                "or set structured: none"
            ) from None
        self._matcher = llguidance.LLMatcher
        try:
            self._tokenizer = llguidance.hf.from_tokenizer(
                tokenizer, n_vocab=vocabulary, eos_token=sorted(eos)
            )
        except Exception as error:
            raise ConfigError(
                f"llguidance cannot read this tokenizer ({type(error).__name__}): "
                "set structured: none"
            ) from None
        self._compiled: dict[bytes, Any] = {}

    def matcher(self, schema: Mapping[str, Any]) -> Any:
        """A fresh matcher that allows what ``schema`` allows.

        Raises:
            Unacceptable: the schema cannot be held to.
        """
        text = orjson.dumps(dict(schema))  # in its own order: so the answer's keys are ordered
        known = self._compiled.get(text)
        if known is None:
            grammar = self._matcher.grammar_from_json_schema(
                text.decode(),
                overrides={"whitespace_flexible": True, "whitespace_pattern": WHITE_SPACE},
            )
            known = self._matcher(self._tokenizer, grammar, log_level=0)
            if known.is_error():
                reason = known.get_error().strip().splitlines()[0][:200]
                raise Unacceptable(
                    "schema",
                    f"the answer cannot be held to the schema ({reason}); set structured: none",
                    everywhere=True,
                )
            if len(self._compiled) >= _KEPT:
                self._compiled.clear()
            self._compiled[text] = known
        return known.deep_copy()
