"""Sentences for findings, written for this project.

``{level}``, ``{where}`` and ``{type}`` are filled from the finding. Which list is used depends on
the earlier study of the same patient: ``first`` (nothing to compare with), ``new``, ``more``,
``less``, ``same``, ``gone``; a list that is missing falls back to ``first``. ``brief`` is the line
of the impression.
"""

from __future__ import annotations

from typing import Final

Wording = dict[str, tuple[str, ...]]

WORDING: Final[dict[str, Wording]] = {
    "effusion": {
        "first": (
            "There is a {level} {where} pleural effusion.",
            "{level} {where} pleural effusion is present.",
            "The {where} costophrenic angle is blunted by a {level} pleural effusion.",
        ),
        "new": (
            "A {level} {where} pleural effusion is new.",
            "There is a new {level} {where} pleural effusion.",
        ),
        "more": (
            "The {where} pleural effusion has grown and is now {level}.",
            "Interval increase of the {where} pleural effusion, now {level}.",
        ),
        "less": (
            "The {where} pleural effusion is smaller than before and now {level}.",
            "The {where} pleural effusion has decreased, with a {level} residual.",
        ),
        "same": (
            "{level} {where} pleural effusion is unchanged.",
            "A {level} {where} pleural effusion is again seen and has not changed.",
        ),
        "gone": (
            "The {where} pleural effusion seen before has resolved.",
            "The earlier {where} pleural effusion is no longer seen.",
        ),
        "brief": ("{level} {where} pleural effusion{change}.",),
    },
    "effusions": {
        "first": (
            "There are {level} bilateral pleural effusions.",
            "{level} pleural effusions are present on both sides.",
        ),
        "new": ("There are new {level} bilateral pleural effusions.",),
        "more": ("Bilateral pleural effusions have increased and are now {level}.",),
        "less": ("Bilateral pleural effusions have decreased and are now {level}.",),
        "same": ("{level} bilateral pleural effusions are unchanged.",),
        "gone": ("The bilateral pleural effusions have resolved.",),
        "brief": ("{level} bilateral pleural effusions{change}.",),
    },
    "edema": {
        "first": (
            "There is {level} pulmonary edema.",
            "Indistinct vessels and septal lines are in keeping with {level} pulmonary edema.",
        ),
        "new": ("{level} pulmonary edema has developed since the prior study.",),
        "more": ("Pulmonary edema has worsened and is now {level}.",),
        "less": (
            "Pulmonary edema has improved and is now {level}.",
            "Partial clearing of the pulmonary edema, which is now {level}.",
        ),
        "same": ("{level} pulmonary edema persists.",),
        "gone": ("Pulmonary edema has cleared.", "The earlier pulmonary edema has resolved."),
        "brief": ("{level} pulmonary edema{change}.",),
    },
    "congestion": {
        "first": (
            "There is {level} pulmonary vascular congestion.",
            "The pulmonary vessels are engorged, consistent with {level} vascular congestion.",
        ),
        "less": ("Pulmonary vascular congestion has improved and is now {level}.",),
        "same": ("{level} pulmonary vascular congestion is unchanged.",),
        "gone": ("Pulmonary vascular congestion has resolved.",),
        "brief": ("{level} pulmonary vascular congestion{change}.",),
    },
    "cardiomegaly": {
        "first": (
            "The heart is {level} enlarged.",
            "There is {noun} cardiomegaly.",
            "{noun} enlargement of the cardiac silhouette.",
        ),
        "more": ("The heart has become larger and is now {level} enlarged.",),
        "less": ("The heart is smaller than before and now {level} enlarged.",),
        "same": (
            "{noun} cardiomegaly is unchanged.",
            "The heart remains {level} enlarged.",
        ),
        "brief": ("{noun} cardiomegaly{change}.",),
    },
    "consolidation": {
        "first": (
            "There is a {type} consolidation in the {where}.",
            "{type} consolidation is seen in the {where}, compatible with pneumonia.",
            "Air bronchograms run through a {type} consolidation of the {where}.",
        ),
        "new": ("A {type} consolidation in the {where} is new.",),
        "more": ("Consolidation in the {where} has become denser and larger.",),
        "less": (
            "Consolidation in the {where} has partly cleared.",
            "The {where} consolidation is less dense than before.",
        ),
        "same": ("Consolidation in the {where} is unchanged.",),
        "gone": (
            "The {where} consolidation has cleared completely.",
            "There is no residual consolidation in the {where}.",
        ),
        "brief": (
            "{where} pneumonia{change}.",
            "{where} consolidation consistent with pneumonia{change}.",
        ),
    },
    "possible pneumonia": {
        "first": (
            "A {type} opacity in the {where} may represent early pneumonia in the right setting.",
            "There is a {type} opacity in the {where}, atelectasis versus pneumonia.",
            "{type} opacity projecting over the {where} could be an early infection.",
        ),
        "gone": ("The {where} opacity has resolved.",),
        "brief": (
            "{where} opacity, possible pneumonia.",
            "Opacity in the {where}; early pneumonia cannot be excluded.",
        ),
    },
    "atelectasis": {
        "first": (
            "{type} atelectasis is noted at the {where}.",
            "There is {level} {type} atelectasis at the {where}.",
            "{type} opacities at the {where} are consistent with {level} atelectasis.",
        ),
        "new": ("{level} {type} atelectasis at the {where} is new.",),
        "more": ("Atelectasis at the {where} has increased.",),
        "less": ("Atelectasis at the {where} has improved.",),
        "same": ("{level} {type} atelectasis at the {where} is unchanged.",),
        "gone": ("Atelectasis at the {where} has cleared.",),
        "brief": ("{level} atelectasis at the {where}{change}.",),
    },
    "pneumothorax": {
        "first": (
            "There is a {level} {where} {type} pneumothorax.",
            "A {level} {type} pneumothorax is seen on the {where}.",
        ),
        "new": ("There is a new {level} {where} {type} pneumothorax.",),
        "more": ("The {where} pneumothorax has enlarged and is now {level}.",),
        "less": (
            "The {where} pneumothorax has decreased and is now {level}.",
            "Partial re-expansion of the {where} lung, leaving a {level} {type} pneumothorax.",
        ),
        "same": ("{level} {where} {type} pneumothorax is stable.",),
        "gone": (
            "The {where} pneumothorax has resolved.",
            "The {where} lung is fully expanded; the pneumothorax is gone.",
        ),
        "brief": ("{level} {where} pneumothorax{change}.",),
    },
    "nodule": {
        "first": (
            "A {level} nodule projects over the {where}.",
            "There is a {type} {level} nodule in the {where}.",
        ),
        "more": ("The nodule in the {where} has grown and now measures {level}.",),
        "same": (
            "The {level} nodule in the {where} is unchanged.",
            "A {level} {where} nodule is again seen without change.",
        ),
        "brief": ("{level} {where} nodule{change}.",),
    },
    "mass": {
        "first": (
            "There is a {level} {type} mass in the {where}.",
            "A {type} mass of {level} lies in the {where}.",
        ),
        "more": ("The {where} mass has grown to {level}.",),
        "less": ("The {where} mass has shrunk to {level}.",),
        "same": ("The {where} mass of {level} is unchanged.",),
        "brief": ("{where} mass of {level}{change}.",),
    },
    "adenopathy": {
        "first": ("The {where} hilum is enlarged, in keeping with lymphadenopathy.",),
        "same": ("Enlargement of the {where} hilum is unchanged.",),
        "brief": ("{where} hilar lymphadenopathy{change}.",),
    },
    "rib fracture": {
        "first": (
            "There is a {type} fracture of the {where} rib.",
            "A {type} fracture is seen in the lateral part of the {where} rib.",
        ),
        "same": ("The {type} fracture of the {where} rib is again seen in the same position.",),
        "gone": ("The fracture of the {where} rib has healed.",),
        "brief": ("{type} fracture of the {where} rib{change}.",),
    },
    "old fracture": {
        "first": (
            "A healed fracture of the {where} is noted.",
            "There is an old healed fracture of the {where}.",
        ),
        "brief": (),
    },
    "subcutaneous emphysema": {
        "first": ("There is {level} subcutaneous emphysema along the {where} chest wall.",),
        "less": ("Subcutaneous emphysema along the {where} chest wall has decreased.",),
        "same": ("Subcutaneous emphysema along the {where} chest wall is unchanged.",),
        "gone": ("Subcutaneous emphysema has resolved.",),
        "brief": (),
    },
    "emphysema": {
        "first": (
            "The lungs are hyperinflated with flattened diaphragms, consistent with emphysema.",
            "Hyperinflation and {level} upper lobe predominant emphysema.",
        ),
        "same": ("Hyperinflated, emphysematous lungs as before.",),
        "brief": ("Emphysema{change}.",),
    },
    "fibrosis": {
        "first": ("Coarse reticular opacities at the {where} reflect {level} fibrosis.",),
        "same": ("Reticular opacities of {level} fibrosis at the {where} are stable.",),
        "more": ("Fibrosis at the {where} has progressed.",),
        "brief": ("{level} pulmonary fibrosis{change}.",),
    },
    "opacities": {
        "first": (
            "There are {type} airspace opacities in {where}.",
            "{type} opacities involve {where}.",
        ),
        "more": ("The {type} opacities in {where} have progressed.",),
        "less": ("The {type} opacities in {where} have improved.",),
        "same": ("The {type} opacities in {where} are unchanged.",),
        "gone": ("The opacities in {where} have cleared.",),
        "brief": ("{type} opacities in {where}{change}.",),
    },
    "granuloma": {
        "first": ("A calcified granuloma is seen in the {where}.",),
        "same": ("Calcified granuloma in the {where} as before.",),
        "brief": (),
    },
    "scarring": {
        "first": ("There is {level} scarring at the {where}.",),
        "same": ("{level} scarring at the {where} is unchanged.",),
        "brief": ("{level} scarring at the {where}{change}.",),
    },
    "low volumes": {
        "first": ("Lung volumes are low.", "Low lung volumes crowd the bronchovascular markings."),
        "same": ("Lung volumes remain low.",),
        "gone": ("Lung volumes have improved.",),
        "brief": (),
    },
    "hernia": {
        "first": ("A {level} hiatal hernia is present.",),
        "same": ("A {level} hiatal hernia is again noted.",),
        "brief": ("{level} hiatal hernia{change}.",),
    },
    "scoliosis": {
        "first": ("There is {level} {type} scoliosis of the thoracic spine.",),
        "brief": (),
    },
    "degenerative": {
        "first": (
            "Degenerative changes of the thoracic spine are {level}.",
            "{level} degenerative changes are present in the spine.",
        ),
        "brief": (),
    },
    "aorta": {
        "first": ("The aorta is tortuous with {type} calcification of the arch.",),
        "same": ("The aorta remains tortuous.",),
        "brief": (),
    },
    "elevated diaphragm": {
        "first": ("The {where} hemidiaphragm is {level} elevated.",),
        "same": ("{where} hemidiaphragm elevation is unchanged.",),
        "brief": ("Elevated {where} hemidiaphragm{change}.",),
    },
    "tube": {
        "first": (
            "The endotracheal tube ends {level} above the carina.",
            "Endotracheal tube tip is {level} above the carina.",
        ),
        "gone": ("The patient has been extubated.", "The endotracheal tube has been removed."),
        "brief": ("Endotracheal tube {level} above the carina.",),
    },
    "feeding tube": {
        "first": (
            "An enteric tube passes below the diaphragm, its tip out of view.",
            "The tip of the enteric tube lies in the {where}.",
        ),
        "gone": ("The enteric tube has been removed.",),
        "brief": (),
    },
    "picc": {
        "first": (
            "A {type} PICC ends in the {where}.",
            "The tip of the {type} PICC projects over the {where}.",
        ),
        "gone": ("The PICC has been removed.",),
        "brief": ("{type} PICC with tip in the {where}.",),
    },
    "central line": {
        "first": (
            "A {type} central venous catheter ends in the {where}.",
            "The {type} central venous line has its tip in the {where}.",
        ),
        "gone": ("The central venous catheter has been taken out.",),
        "brief": ("{type} central venous catheter with tip in the {where}.",),
    },
    "chest tube": {
        "first": (
            "A {where} chest tube is in place.",
            "There is a {where} chest tube with its tip at the {type}.",
        ),
        "gone": ("The {where} chest tube has been removed.",),
        "brief": ("{where} chest tube in place.",),
    },
    "pacemaker": {
        "first": (
            "A {where} pectoral pacemaker has leads in the right atrium and right ventricle.",
            "Dual-lead pacemaker on the {where} with leads in expected position.",
        ),
        "brief": (),
    },
    "wires": {
        "first": (
            "Median sternotomy wires are intact.",
            "Sternotomy wires and mediastinal clips are noted.",
        ),
        "brief": (),
    },
}

CLEAR: Final[dict[str, tuple[str, ...]]] = {
    "lungs": (
        "The lungs are clear.",
        "No focal consolidation.",
        "Both lungs are clear and well expanded.",
        "The lungs are well expanded without consolidation.",
    ),
    "no consolidation": (
        "No focal consolidation.",
        "There is no focal airspace consolidation.",
    ),
    "effusion": ("No pleural effusion.", "There is no pleural effusion."),
    "pneumothorax": ("No pneumothorax.", "There is no pneumothorax."),
    "both": (
        "No pleural effusion or pneumothorax.",
        "There is neither pleural effusion nor pneumothorax.",
        "There is no effusion or pneumothorax.",
    ),
    "edema": ("No pulmonary edema.", "There is no evidence of pulmonary edema."),
    "heart size": (
        "The heart size is normal.",
        "The cardiac silhouette is normal in size.",
    ),
    "heart": (
        "The heart size is normal.",
        "The cardiac silhouette is normal in size.",
        "Cardiac and mediastinal contours are normal.",
    ),
    "mediastinum": (
        "The mediastinal contours are unremarkable.",
        "Hilar and mediastinal contours are within normal limits.",
    ),
    "bones": (
        "The bones are intact.",
        "No acute fracture is seen.",
        "Visualized bony structures are unremarkable.",
    ),
}
"""Sentences for what is normal."""

NO_ACUTE_IMPRESSION: Final = (
    "No acute cardiopulmonary abnormality.",
    "No acute intrathoracic process.",
)

NORMAL_IMPRESSION: Final = (
    "No acute cardiopulmonary abnormality.",
    "Normal chest radiograph.",
    "No acute intrathoracic process.",
    "No radiographic evidence of pneumonia.",
)

CHANGE: Final[dict[str, tuple[str, ...]]] = {
    "first": ("",),
    "new": (", new", ", new since the prior study"),
    "more": (", increased", ", worse than before"),
    "less": (", decreased", ", improved"),
    "same": (", unchanged", ", stable"),
}
"""How the impression says a change."""
