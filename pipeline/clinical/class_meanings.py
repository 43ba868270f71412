"""What each of the 13 classes means, in one line, for prompts and annotators."""

from __future__ import annotations

from types import MappingProxyType

CLASS_MEANINGS = MappingProxyType(
    {
        "Atelectasis": "collapse of lung, also plate-like or basilar",
        "Cardiomegaly": "enlarged heart; borderline size is uncertain",
        "Consolidation": "lung said to be consolidated",
        "Edema": "pulmonary edema, also interstitial; congestion alone is not",
        "Enlarged Cardiomediastinum": "widened mediastinum",
        "Fracture": "a broken bone, old or new",
        "Lung Lesion": "nodule, mass, cavity or tumor of the lung",
        "Lung Opacity": "opacity, infiltrate or airspace disease in the lung",
        "Pleural Effusion": "fluid in the pleural space",
        "Pleural Other": "pleural thickening, scarring, plaque or calcification",
        "Pneumonia": "pneumonia or infection of the lung",
        "Pneumothorax": "air in the pleural space",
        "Support Devices": "tubes, lines, pacemakers, valves and other devices in place",
    }
)
"""Class -> meaning, in the order of `CLASSES`."""
