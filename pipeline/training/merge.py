"""Merging: base model and adapter become one model that needs no PEFT."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import make_private_dir
from pipeline.core.errors import ConfigError, StorageError
from pipeline.core.hashing import sha256_file
from pipeline.run.exporting import notice
from pipeline.run.folder import RunFolder
from pipeline.training import libraries
from pipeline.training.base_model import (
    BaseModel,
    find_model,
    folder_hash,
    read_manifest,
    read_model,
)
from pipeline.training.cards import write_card
from pipeline.training.folder import DONE, TrainFolder

TOLERANCE = {"fp32": 1e-3, "bf16": 0.5, "fp16": 0.1}
"""Largest difference of a logit that rounding explains, by the precision of the weights."""

_PROBE_TOKENS, _PROBE_ROWS = 64, 4


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge came to.

    Attributes:
        out: the folder of the merged model.
        parameters: its weights.
        difference: largest difference of a logit between adapter and merged model.
        dtype: precision of the weights.
    """

    out: Path
    parameters: int
    difference: float
    dtype: str


def merge(
    adapter: Path, out: Path, *, base: str | None = None, allow_download: bool = False
) -> MergeResult:
    """Merge a LoRA adapter into its base model.

    Weights keep the precision the base has on disk. Logits of both are compared on seeded random
    tokens before anything is written.

    Args:
        adapter: folder of the adapter.
        out: folder of the merged model, new or empty.
        base: folder of the base, where it is not where the adapter says.
        allow_download: lets ``base`` be a hub id.

    Raises:
        ConfigError: no adapter, another base than it was trained on, a quantised one, or logits
            that differ by more than rounding.
        GovernanceError: ``out`` would leak a model made of credentialed data.
    """
    libraries.require(hub=allow_download)
    settings = _settings(adapter)
    record = read_manifest(adapter) or {}
    model = read_model(_base_path(adapter, settings, base, allow_download))
    trained_on = record.get("base", {}).get("sha256")
    if trained_on and trained_on != model.sha256:
        raise ConfigError(
            f"{model.path} is not the model that the adapter was trained on (its hash differs); "
            "name that one with --base"
        )
    data_class = _data_class(record, model)
    target = TrainFolder(out.expanduser().absolute())
    if target.root.exists() and (not target.root.is_dir() or any(target.root.iterdir())):
        raise ConfigError(f"{target.root} is not empty; choose another --out")
    try:
        make_private_dir(target.root)
        if data_class == "credentialed":
            RunFolder(target.root).guard("--out")
        with libraries.private_files():
            difference, dtype = _merge_into(adapter, model, target.root)
    except OSError as error:
        raise StorageError(
            f"{out} cannot be written ({error.strerror or type(error).__name__})"
        ) from None
    manifest = {
        "kind": "model",
        "state": DONE,
        "data_class": data_class,
        "contains_restricted_derivatives": data_class == "credentialed",
        "notice": notice(data_class),
        "merged": {
            "adapter": str(adapter.absolute()),
            "adapter_sha256": folder_hash(adapter),
            "max_logit_difference": difference,
            "dtype": dtype,
        },
        "data": record.get("data", {"name": adapter.name}),
        "base": {
            "path": str(model.path),
            "sha256": model.sha256,
            "architecture": model.folder.architecture,
            "parameters": model.parameters,
        },
        "training": {
            name: record[name]
            for name in ("preset", "options", "template", "tokens", "steps", "losses")
            if name in record
        },
        "versions": libraries.versions(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_card(target.root, manifest)
    manifest["files"] = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256_file(file)}
        for file in sorted(target.root.iterdir())
        if file.is_file()
    }
    target.write(manifest)
    return MergeResult(target.root, model.parameters, difference, dtype)


def _settings(adapter: Path) -> dict[str, Any]:
    try:
        value = orjson.loads((adapter / "adapter_config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise ConfigError(f"{adapter} is no adapter: it has no adapter_config.json") from None
    if not (adapter / "adapter_model.safetensors").is_file():
        raise ConfigError(f"{adapter} has no adapter_model.safetensors; pickles are not loaded")
    if not isinstance(value, dict) or value.get("peft_type") != "LORA":
        raise ConfigError(f"{adapter} is no LoRA adapter")
    return value


def _base_path(
    adapter: Path, settings: dict[str, Any], base: str | None, allow_download: bool
) -> Path:
    if base is not None:
        return find_model(base, allow_download=allow_download)
    recorded = Path(str(settings.get("base_model_name_or_path") or ""))
    if not recorded.is_dir():
        raise ConfigError(
            f"the base model of {adapter} is not at {recorded}; name its folder with --base"
        )
    return recorded.absolute()


def _data_class(record: dict[str, Any], base: BaseModel) -> str:
    """The stricter of the two classes; an adapter from elsewhere, which says none, may be any."""
    known = {str(record.get("data_class", "credentialed")), base.data_class or "synthetic"}
    order = ("credentialed", "public", "synthetic")
    return next((one for one in order if one in known), order[0])


def _merge_into(adapter: Path, base: BaseModel, out: Path) -> tuple[float, str]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    libraries.quiet()
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = base.folder.dtype if base.folder.dtype in dtypes else "fp32"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base.path, dtype=dtypes[dtype], trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(
            adapter if (adapter / "tokenizer_config.json").is_file() else base.path,
            trust_remote_code=False,
        )
        model = PeftModel.from_pretrained(model, str(adapter))
    except Exception as error:  # of many kinds: files, formats, shapes that do not fit
        raise ConfigError(
            f"{adapter} cannot be put on {base.path} ({type(error).__name__}); name the base it "
            "was trained on with --base"
        ) from None
    model.eval()
    probe = torch.randint(
        0,
        model.config.get_text_config().vocab_size,
        (_PROBE_ROWS, _PROBE_TOKENS),
        generator=torch.Generator().manual_seed(0),
    )
    with torch.inference_mode():
        before = model(input_ids=probe).logits.float()
        merged = model.merge_and_unload()
        after = merged(input_ids=probe).logits.float()
    difference = float((before - after).abs().max())
    if not difference <= TOLERANCE[dtype]:
        raise ConfigError(
            f"the merged model differs from the adapter by {difference:.3g} in a logit, more than "
            f"rounding in {dtype} explains; nothing was written"
        )
    unfinished = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private_dir(unfinished)
    merged.save_pretrained(unfinished, safe_serialization=True)
    tokenizer.save_pretrained(unfinished)
    for file in sorted(unfinished.iterdir()):
        file.replace(out / file.name)
    unfinished.rmdir()
    return difference, dtype
