"""Sections of a radiology report: what each part says, where it is and which rule found it.

``extract_sections`` is the whole interface; ``docs/sections.md`` describes the rules.
"""

from __future__ import annotations

from pipeline.clinical.sections.extract import extract_sections
from pipeline.clinical.sections.model import SectionedReport

__all__ = ["SectionedReport", "extract_sections"]
