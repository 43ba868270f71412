"""Brings KeyInfo records into standard form, says what it changed, and never ends a run.

``standardise`` takes any JSON value. The result is a record in standard form (see
``docs/keyinfo.md``), the same for a record that is standard already. The rules are described in
``docs/postprocess.md``.
"""

from pipeline.clinical.standardise.changes import Change, Conflict, Standardised
from pipeline.clinical.standardise.standardiser import Standardiser, standardise

__all__ = ["Change", "Conflict", "Standardised", "Standardiser", "standardise"]
