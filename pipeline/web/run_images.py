"""The images of a run, to be picked in a page."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pipeline.core.errors import ConfigError
from pipeline.core.jsonl import iter_objects
from pipeline.run.folder import RunFolder
from pipeline.run.job import stored_recipe
from pipeline.run.store import StageStore

MOST = 2_000
"""A list in a page; the others can be uploaded."""


def run_images(folder: RunFolder) -> dict[str, Path]:
    """Name -> file of the first images that a run paired with its reports.

    Raises:
        ConfigError: no run, or no stage of it has paired images.
    """
    recipe = stored_recipe(folder)
    for stage in recipe.stages:
        store = StageStore(folder.stage(stage.name))
        if stage.use != "image-pairs" or not store.records_path.is_file():
            continue
        source = Path(recipe.source.path).expanduser()
        root = Path(
            stage.params.get("images_root") or (source if source.is_dir() else source.parent)
        ).expanduser()
        found = (
            (f"{record.get('study_id') or record['id']}  {Path(path).name}", root / path)
            for record in iter_objects(store.records_path)
            for path in record.get("image_paths", ())
        )
        return dict(islice(found, MOST))
    raise ConfigError(f"{folder.root} has no images: no stage image-pairs of it is complete")
