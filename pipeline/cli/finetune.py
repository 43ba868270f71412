"""``finetune``: train a local model on an exported set."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.training.train import TrainJob


class Method(StrEnum):
    """What is trained."""

    lora = "lora"
    full = "full"


class DataClass(StrEnum):
    """What loose files are."""

    auto = "auto"
    credentialed = "credentialed"
    public = "public"
    synthetic = "synthetic"


class Scratch(StrEnum):
    """Models that can be made from scratch."""

    tiny = "tiny"


class Trainer(StrEnum):
    """Trainers that configurations are written for."""

    llama_factory = "llama-factory"
    axolotl = "axolotl"
    deepspeed = "deepspeed"
    accelerate = "accelerate"


def finetune(
    data: Annotated[
        Path,
        typer.Argument(help="A folder that export wrote, its manifest, or a JSONL or CSV file."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for adapter or model, log, manifest.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Folder of the base model.", metavar="PATH")
    ] = None,
    from_scratch: Annotated[
        Scratch | None,
        typer.Option("--from-scratch", help="No base: train this shape from random weights."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", help="radiology-gpt, medical-cxr-vqa, radreportx, llmlf (as published)."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file with options.", metavar="FILE")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="One option: key=value, e.g. learning_rate=1e-4."),
    ] = None,
    method: Annotated[
        Method | None, typer.Option("--method", help="An adapter, or all weights.")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option("--validation", help="Evaluate on this file.  [default: the set's own part]"),
    ] = None,
    data_class: Annotated[
        DataClass,
        typer.Option("--data-class", help="What loose files are.  [auto: credentialed]"),
    ] = DataClass.auto,
    allow_download: Annotated[
        bool,
        typer.Option("--allow-download", help="--model may be the id of a model on a hub."),
    ] = False,
    write: Annotated[
        list[Trainer] | None,
        typer.Option("--write", help="Train nothing: write files for another trainer into --out."),
    ] = None,
    devices: Annotated[
        int, typer.Option("--devices", min=1, help="GPUs that --write accelerate counts on.")
    ] = 1,
) -> None:
    """Fine-tune a model on an exported set, with TRL and PEFT.

    The loss is on the answers alone. The same command goes on with a training that was stopped;
    with other data or options it is refused. Nothing is fetched or sent anywhere.

    Example: cxr-pipeline finetune runs/gold/exports/trl --model llama --preset medical-cxr-vqa
    --out models/keyinfo
    """
    from pipeline.training.presets import load_preset, resolve
    from pipeline.training.train import TrainJob, finetune, is_first

    if (model is None) == (from_scratch is None):
        raise ConfigError("give --model PATH, or --from-scratch tiny")
    chosen = preset or (from_scratch.value if from_scratch else None)
    known = load_preset(chosen) if chosen else None
    items = [*(sets or ()), *([f"method={method.value}"] if method else [])]
    job = TrainJob(
        data=data,
        out=out,
        config=resolve(known, config, items),
        model=model,
        preset=known,
        validation=validation,
        data_class=data_class.value,
        allow_download=allow_download,
    )
    if from_scratch and job.config.method != "full":
        raise ConfigError("a model from scratch is trained whole: --method full")
    if write:
        _write_files(job, [one.value for one in write], devices)
        return
    console = shared.make_console()
    manifest = finetune(job, lambda line: console.print(line, highlight=False, markup=False))
    if is_first():
        _say_result(manifest, out)


def _say_result(manifest: dict[str, Any], out: Path) -> None:
    losses = manifest["losses"]
    typer.echo(
        f"done    {manifest['steps']:,} steps in {manifest['seconds']:,.0f} s, loss "
        f"{_loss(losses['first'])} -> {_loss(losses['last'])}, validation "
        f"{_loss(losses['validation_first'])} -> {_loss(losses['validation_last'])}"
    )
    typer.echo(f"{manifest['kind']:<8}{out}")
    typer.echo(f"plot    {out / 'loss.svg'}")
    if manifest["data_class"] == "credentialed":
        typer.echo(manifest["notice"])
    if manifest["kind"] == "adapter":
        typer.echo(f"next    cxr-pipeline merge {out} --out MODEL")


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _write_files(job: TrainJob, trainers: list[str], devices: int) -> None:
    from pipeline.training.other import write_files

    made = write_files(job, trainers, devices)
    for path, what in made.items():
        typer.echo(f"{path}  {what}")
