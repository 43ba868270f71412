"""Which model a backend really is: of a local one, the weights in its folder belong to its name."""

from __future__ import annotations

from pipeline.core.errors import ConfigError
from pipeline.llm.config import BackendConfig
from pipeline.llm.model_folder import weights_of

SHOWN = 12
"""Digits of the hash in the name of a local model."""


def identified(config: BackendConfig) -> BackendConfig:
    """``config`` with the full name of its model: that of a local one ends with ``@`` and a hash.

    The name is part of a request's key and of a stage's identity, so that answers of the old
    weights are never taken for answers of a model that was trained again in the same folder.

    Raises:
        ConfigError: a model folder is not there, or a pool holds different models.
    """
    if config.kind != "transformers":
        return config
    hashes = {weights_of(one) for one in config.local_models}
    if len(hashes) > 1:
        raise ConfigError(
            f"backend {config.model}: its deployments hold different models or settings; "
            "a pool is one model on several devices"
        )
    return config.model_copy(update={"model": f"{config.model}@{hashes.pop()[:SHOWN]}"})
