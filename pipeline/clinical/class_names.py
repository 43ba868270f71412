"""What the 13 classes are called elsewhere: one place for every accepted spelling."""

from __future__ import annotations

from types import MappingProxyType

from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES

NO_FINDING = "No Finding"
"""What CheXpert's tables call the column of studies without a class."""

_ALIASES = MappingProxyType(
    {
        **{name.lower(): name for name in CLASSES},
        # The test set that MIMIC-CXR-JPG 2.1.0 added says it this way.
        "airspace opacity": "Lung Opacity",
        "air space opacity": "Lung Opacity",
        "enlarged cardiomediastinal silhouette": "Enlarged Cardiomediastinum",
        "support device": "Support Devices",
        "normal": NORMAL,
        "no finding": NORMAL,
        "no findings": NORMAL,
    }
)


def class_name(text: str) -> str | None:
    """The class that ``text`` names: one of `CLASSES`, ``Normal``, or None where it is neither.

    Case, underscores, hyphens and repeated blanks do not matter; nothing else is guessed.
    """
    return _ALIASES.get(" ".join(text.replace("_", " ").replace("-", " ").lower().split()))
