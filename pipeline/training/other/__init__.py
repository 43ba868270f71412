"""Files for other trainers, with the options, the set and the base model of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.atomic import make_private_dir, write_bytes
from pipeline.core.errors import ConfigError, StorageError
from pipeline.run.folder import RunFolder
from pipeline.training.base_model import BaseModel, find_model, read_model
from pipeline.training.config import TrainConfig
from pipeline.training.data import TrainingSet, open_set
from pipeline.training.other import accelerate, axolotl, deepspeed, llama_factory
from pipeline.training.train import TrainJob


@dataclass(frozen=True, slots=True)
class Target:
    """What files are written for.

    Attributes:
        data: the set.
        base: the base model.
        config: the options.
        out: the folder the files go to; results of the other trainer go below it.
        devices: GPUs.
        deepspeed: whether a DeepSpeed file is written too, which the others then name.
        job: what was asked for.
    """

    data: TrainingSet
    base: BaseModel
    config: TrainConfig
    out: Path
    devices: int
    deepspeed: bool
    job: TrainJob


Files = Mapping[str, tuple[str, str]]
"""File name -> content, and what it is for."""

_WRITERS: Mapping[str, Callable[[Target], Files]] = {
    "llama-factory": llama_factory.files,
    "axolotl": axolotl.files,
    "deepspeed": deepspeed.files,
    "accelerate": accelerate.files,
}


def write_files(job: TrainJob, trainers: Iterable[str], devices: int = 1) -> dict[Path, str]:
    """Write the files of each trainer into ``job.out``; gives path -> what it is for.

    Raises:
        ConfigError: the set is in a format that the trainer does not read; says which to export.
    """
    wanted = list(dict.fromkeys(trainers))
    if job.model is None:
        raise ConfigError("files for other trainers need a base model: --model PATH")
    data = open_set(job.data, validation=job.validation, data_class=job.data_class)
    base = read_model(find_model(job.model, allow_download=job.allow_download))
    out = job.out.expanduser().absolute()
    uses = "deepspeed" in wanted or ("accelerate" in wanted and devices > 1)
    target = Target(data, base, job.config, out, devices, uses, job)
    made = {name: file for trainer in wanted for name, file in _WRITERS[trainer](target).items()}
    try:
        make_private_dir(out)
        if data.data_class == "credentialed":
            # The other trainer will put its model here.
            RunFolder(out).guard("--out")
        for name, (content, _) in made.items():
            write_bytes(out / name, content.encode())
            if name.endswith(".sh"):
                (out / name).chmod(0o700)
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}") from None
    return {out / name: what for name, (_, what) in made.items()}
