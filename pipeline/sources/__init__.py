"""Readers of reports: MIMIC-CXR folders and zip, Open-i, tables; and of KeyInfo files."""

from __future__ import annotations

from pipeline.sources.base import Locator, Source
from pipeline.sources.config import SourceConfig
from pipeline.sources.detect import resolve
from pipeline.sources.keyinfo_json import KeyInfoJson
from pipeline.sources.mimic import MimicTree, MimicZip
from pipeline.sources.openi import OpeniCsv, OpeniXml
from pipeline.sources.table import TableSource

__all__ = ["Locator", "Source", "SourceConfig", "open_source"]


def open_source(config: SourceConfig) -> Source:
    """The source of a configuration, its kind decided; cheap enough for every worker process.

    Raises:
        ConfigError: the path does not exist or is of no known kind.
    """
    resolved = resolve(config)
    sources: dict[str, type[Source]] = {
        source.kind: source
        for source in (MimicTree, MimicZip, OpeniXml, OpeniCsv, TableSource, KeyInfoJson)
    }
    return sources[resolved.kind](resolved)
