"""Fine-tuning: a set and a base model become an adapter or a model."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError, Stopped, StorageError
from pipeline.core.hashing import fingerprint, sha256_file
from pipeline.run.exporting import notice
from pipeline.training import libraries
from pipeline.training.base_model import BaseModel, find_model, read_model
from pipeline.training.cards import write_card
from pipeline.training.config import TrainConfig
from pipeline.training.data import StatedClass, TrainingSet, open_set
from pipeline.training.folder import DONE, PREPARING, RUNNING, TrainFolder, read_log
from pipeline.training.loss_plot import write_plot
from pipeline.training.memory import Estimate, available, check_memory
from pipeline.training.presets import Preset
from pipeline.training.tokens import Counts, SampleTokenizer, load_rows, tokenize_parts
from pipeline.training.watch import StopSignal, make_watcher

Say = Callable[[str], None]

PARTS = ("train", "validation")
_PICKLES = ("training_args.bin", "optimizer.pt", "scheduler.pt")


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What to train on what.

    Attributes:
        data: folder of an export, its manifest, or a loose file.
        out: the folder of the training.
        config: the options.
        model: folder of the base model, or a hub id; None makes one from scratch.
        preset: where the options came from.
        validation: file to evaluate on in place of the set's own part.
        data_class: what loose files are.
        allow_download: lets a hub id be fetched.
    """

    data: Path
    out: Path
    config: TrainConfig
    model: str | None
    preset: Preset | None = None
    validation: Path | None = None
    data_class: StatedClass = "auto"
    allow_download: bool = False


def finetune(job: TrainJob, say: Say) -> dict[str, Any]:
    """Train, or go on with a training that was stopped; gives its manifest.

    Several processes started by ``accelerate launch`` or ``torchrun`` work as one; the first of
    them writes.

    Raises:
        ConfigError: something is missing, wrong or too large; says what to do.
        ResumeMismatch: the folder holds a training with other data, base or options.
        GovernanceError: the folder would leak credentialed data.
        Stopped: interrupted; the same command goes on from the last checkpoint.
    """
    libraries.require(hub=job.allow_download)
    data = open_set(job.data, validation=job.validation, data_class=job.data_class)
    folder = TrainFolder(job.out.expanduser().absolute())
    folder.prepare()
    with (
        folder.locked() if is_first() else nullcontext(),
        libraries.private_files(),
        _storage(folder),
    ):
        if data.data_class == "credentialed":
            folder.guard()
        return _Training(job, data, folder, say).run()


class _Training:
    """One call of :func:`finetune`."""

    def __init__(self, job: TrainJob, data: TrainingSet, folder: TrainFolder, say: Say) -> None:
        self.job = job
        self.config = job.config
        self.data = data
        self.folder = folder
        self.say: Say = say if is_first() else lambda line: None
        self.parts = [
            part
            for part in PARTS
            if part in data.parts and (part == "train" or job.config.eval_every != "never")
        ]

    def run(self) -> dict[str, Any]:
        """Train to the end, or to a stop."""
        libraries.quiet()
        known = self.folder.read()
        fresh = known is None or known.get("state") == PREPARING
        if fresh and is_first():
            self.folder.write({"state": PREPARING, "data_class": self.data.data_class})
        base = self._base(fresh=fresh)
        self.data_class = (
            "credentialed" if base.data_class == "credentialed" else self.data.data_class
        )
        if self.data_class == "credentialed":
            self.folder.guard()
        self._fit_context(base)
        deciding = {
            "options": self.config.deciding(),
            "data": {part: self.data.hashes[part] for part in self.parts},
            "base model": base.sha256,
        }
        resumes = self.folder.check_same(deciding)
        if known is not None and known.get("state") == DONE:
            self.say(f"{self.folder.root} is done: {known['steps']:,} steps")
            return known
        self._say_set(base)
        tokenizer, template = self._tokenizer(base)
        counts = self._tokens(tokenizer)
        precision = self._precision()
        needed = self._memory(base, precision, counts["train"].longest)
        manifest = {
            "kind": "adapter" if self.config.method == "lora" else "model",
            "state": RUNNING,
            "data_class": self.data_class,
            "contains_restricted_derivatives": self.data_class == "credentialed",
            "notice": notice(self.data_class),
            "data": self.data.facts(),
            "base": {
                "path": str(base.path),
                "sha256": base.sha256,
                "architecture": base.folder.architecture,
                "parameters": base.parameters,
                "from_scratch": self.job.model is None,
            },
            "preset": self._preset(),
            "options": self.config.model_dump(mode="json"),
            "template": template,
            "precision": precision,
            "tokens": {part: asdict(one) for part, one in counts.items()},
            "memory_estimate_bytes": needed.total,
            "versions": libraries.versions(),
            "started": (known or {}).get("started", _now()),
            "sessions": [*(known or {}).get("sessions", [])],
            "deciding": deciding,
        }
        return self._train(base, tokenizer, precision, manifest, resumes=resumes)

    # The steps, in order.

    def _base(self, *, fresh: bool) -> BaseModel:
        if self.job.model is not None:
            return read_model(find_model(self.job.model, allow_download=self.job.allow_download))
        if fresh and is_first():
            from pipeline.training.scratch import make_scratch

            shutil.rmtree(self.folder.base, ignore_errors=True)
            make_scratch(self.data, self.config.scratch, self.config.seed, self.folder.base)
        return read_model(self.folder.base)

    def _fit_context(self, base: BaseModel) -> None:
        """Lower a ``max_length`` that nobody chose to what the model can read."""
        context = base.folder.context
        if not context or self.config.max_length <= context:
            return
        if "max_length" in self.config.model_fields_set:
            raise ConfigError(
                f"max_length {self.config.max_length:,} is more than the {context:,} tokens that "
                f"the model can read; --set max_length={context}"
            )
        self.config = self.config.model_copy(update={"max_length": context})

    def _say_set(self, base: BaseModel) -> None:
        data = self.data
        others = "" if "validation" in self.parts else ", no validation part is used"
        self.say(f"data    {data.path} ({data.format}, {data.data_class}){others}")
        if data.changed:
            self.say(f"note    {', '.join(data.changed)} changed since the export was written")
        made = "made from scratch" if self.job.model is None else str(base.path)
        self.say(f"base    {made}: {base.parameters / 1e6:,.2f} million weights")

    def _tokenizer(self, base: BaseModel) -> tuple[Any, str]:
        from transformers import AutoTokenizer

        from pipeline.training.templates import set_template

        try:
            tokenizer = AutoTokenizer.from_pretrained(base.path, trust_remote_code=False)
        except Exception as error:  # of many kinds: files, formats, missing libraries
            raise ConfigError(
                f"{base.path} has no tokenizer that can be loaded ({type(error).__name__})"
            ) from None
        return tokenizer, set_template(tokenizer, self.config.template)

    def _tokens(self, tokenizer: Any) -> dict[str, Counts]:
        key = fingerprint(
            {
                "data": {part: self.data.hashes[part] for part in self.parts},
                "vocabulary": fingerprint(tokenizer.get_vocab()),
                "template": tokenizer.chat_template,
                "max_length": self.config.max_length,
                "too_long": self.config.too_long,
            }
        )
        samples = SampleTokenizer(tokenizer, self.config.max_length, self.config.too_long)
        place = self.folder.tokens if is_first() else self.folder.tokens / f"process{_rank()}"
        self._token_files = place
        counts = tokenize_parts(self.data, self.parts, samples, place, key)
        for part, one in counts.items():
            self.say(
                f"tokens  {part}: {one.samples:,} samples, {one.prompt:,} of prompts, "
                f"{one.completion:,} of answers, longest {one.longest:,}"
            )
            if one.too_long:
                self.say(
                    f"        {part}: {one.too_long:,} longer than {self.config.max_length:,}: "
                    f"{one.rejected:,} left out, {one.truncated:,} cut by {one.cut:,} tokens"
                )
            for reason, number in one.skipped.items():
                self.say(f"        {part}: {number:,} rows left out: {reason}")
        return counts

    def _precision(self) -> str:
        import torch

        wanted, gpu = self.config.precision, torch.cuda.is_available()
        if wanted == "auto":
            if not gpu:
                return "fp32"
            return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
        if wanted == "fp16" and not gpu:
            raise ConfigError("precision fp16 needs a GPU; on a CPU take fp32 or bf16")
        return wanted

    def _memory(self, base: BaseModel, precision: str, longest: int) -> Estimate:
        import torch

        if "ACCELERATE_USE_DEEPSPEED" in os.environ or "ACCELERATE_USE_FSDP" in os.environ:
            # Weights are spread over the devices; how, only the launcher knows.
            config = self.config.model_copy(update={"check_memory": False})
            return check_memory(base, config, precision, longest, 0)
        length = self.config.max_length if self.config.packing else longest
        free = available(torch.cuda.is_available())
        needed = check_memory(base, self.config, precision, length, free)
        self.say(f"memory  about {needed.total / 2**30:.1f} of {free / 2**30:.1f} GiB free")
        return needed

    def _preset(self) -> dict[str, Any] | None:
        preset = self.job.preset
        if preset is None:
            return None
        return {"name": preset.name, "base": preset.base, "published": preset.published}

    def _train(
        self,
        base: BaseModel,
        tokenizer: Any,
        precision: str,
        manifest: dict[str, Any],
        *,
        resumes: bool,
    ) -> dict[str, Any]:
        from pipeline.training.trainer import make_trainer

        checkpoint = self.folder.last_checkpoint() if resumes else None
        step = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        if is_first():
            self.folder.cut_log(step if checkpoint else -1)
        started = time.monotonic()
        with StopSignal() as stop:
            trainer = make_trainer(
                self.config,
                base,
                tokenizer,
                precision,
                train=load_rows(self._token_files, "train"),
                validation=self._validation(manifest),
                checkpoints=self.folder.checkpoints,
            )
            manifest["trainable_parameters"] = sum(
                weight.numel() for weight in trainer.model.parameters() if weight.requires_grad
            )
            if is_first():
                self.folder.write(manifest)
            trainer.add_callback(make_watcher(self.folder.log, self.say, stop, writes=is_first()))
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            manifest["sessions"].append(
                {
                    "from_step": step,
                    "to_step": trainer.state.global_step,
                    "seconds": round(time.monotonic() - started, 2),
                }
            )
            if stop.asked and trainer.state.global_step < trainer.state.max_steps:
                if is_first():
                    self.folder.write(manifest)
                raise Stopped(
                    f"interrupted after step {trainer.state.global_step:,} of "
                    f"{trainer.state.max_steps:,}; run the same command to go on"
                )
        self._save(trainer, tokenizer, precision)
        return self._conclude(trainer, manifest)

    def _validation(self, manifest: dict[str, Any]) -> Any:
        if manifest["tokens"].get("validation", {}).get("samples"):
            return load_rows(self._token_files, "validation")
        if self.config.keep == "best":
            raise ConfigError(
                "keep: best needs validation samples; give --validation FILE or --set keep=last"
            )
        return None

    def _save(self, trainer: Any, tokenizer: Any, precision: str) -> None:
        """Put adapter or model, tokenizer and template into the folder; no pickle among them."""
        import torch

        unfinished = self.folder.root / "final.tmp"
        if is_first():
            shutil.rmtree(unfinished, ignore_errors=True)
        half = self.config.method == "full" and precision != "fp32"
        if half and not trainer.is_deepspeed_enabled:
            trainer.model.to(torch.bfloat16 if precision == "bf16" else torch.float16)
        trainer.save_model(str(unfinished))
        if not is_first():
            return
        tokenizer.save_pretrained(unfinished)
        for name in (*_PICKLES, "README.md"):
            (unfinished / name).unlink(missing_ok=True)
        for file in sorted(unfinished.iterdir()):
            file.replace(self.folder.root / file.name)
        unfinished.rmdir()

    def _conclude(self, trainer: Any, manifest: dict[str, Any]) -> dict[str, Any]:
        log = read_log(self.folder.log)
        losses = [line for line in log if "loss" in line]
        evals = [line for line in log if "eval_loss" in line]
        manifest |= {
            "state": DONE,
            "finished": _now(),
            "steps": trainer.state.global_step,
            "epochs": round(float(trainer.state.epoch or 0), 4),
            "seconds": round(sum(one["seconds"] for one in manifest["sessions"]), 2),
            "losses": {
                "first": losses[0]["loss"] if losses else None,
                "last": losses[-1]["loss"] if losses else None,
                "validation_first": evals[0]["eval_loss"] if evals else None,
                "validation_last": evals[-1]["eval_loss"] if evals else None,
                "validation_best": min((one["eval_loss"] for one in evals), default=None),
                "kept": self.config.keep,
                "kept_step": trainer.state.best_global_step
                if self.config.keep == "best"
                else trainer.state.global_step,
            },
            "device": str(trainer.args.device),
            "processes": trainer.args.world_size,
        }
        if not is_first():
            return manifest
        write_plot(log, self.folder.plot, f"{self.data.name}: loss, {manifest['kind']}")
        write_card(self.folder.root, manifest)
        manifest["files"] = {
            file.name: {"bytes": file.stat().st_size, "sha256": sha256_file(file)}
            for file in sorted(self.folder.root.iterdir())
            if file.is_file() and file.name not in {"train.json", ".lock"}
        }
        self.folder.write(manifest)
        self.folder.tidy()
        return manifest


@contextmanager
def _storage(folder: TrainFolder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{folder.root} cannot be written ({error.strerror or type(error).__name__}); make "
            "room and run the same command to go on"
        ) from None


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return _rank() == 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
