"""Label Studio: tasks with the image and the answer to be corrected, and the labelling page.

Import ``{part}.json`` into a project whose labelling interface is ``label_config.xml``. Images are
named as local files: serve the folder of the images (``LOCAL_FILES_DOCUMENT_ROOT``), or give a
prefix. Of several images, and of several turns, the first is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.core.atomic import write_bytes
from pipeline.exports.images import turns
from pipeline.exports.sample_files import FolderFacts, SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey

CONFIG = "label_config.xml"
_PAGE = """<View>
  <Image name="image" value="$image" zoom="true" brightnessControl="true" contrastControl="true"/>
  <Header value="$question"/>
  <TextArea name="answer" toName="image" editable="true" required="true" rows="6"
            maxSubmissions="1"/>
  <Choices name="verdict" toName="image" choice="single" required="true" showInline="true">
    <Choice value="correct"/><Choice value="corrected"/><Choice value="reject"/>
  </Choices>
</View>
"""


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as a task with a prediction."""
    image = sample.image_paths[0]
    address = image if "://" in image else f"/data/local-files/?d={quote(image)}"
    question, output = next(turns(sample))
    data = {"image": address, "question": question, "id": sample.id}
    answer = {
        "from_name": "answer",
        "to_name": "image",
        "type": "textarea",
        "value": {"text": [output]},
    }
    return {"data": data, "predictions": [{"model_version": "cxr-pipeline", "result": [answer]}]}


def _write_config(
    folder: Path, facts: FolderFacts, survey: Survey, files: Mapping[str, str]
) -> list[str]:
    write_bytes(folder / CONFIG, _PAGE.encode())
    return [CONFIG]


FORMAT = SampleFormat(
    "label-studio",
    "{part}.json",
    json_list(row),
    finish=_write_config,
    takes_images=True,
    least_images=1,
)
