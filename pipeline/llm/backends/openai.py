"""Addresses of an OpenAI-compatible server: vLLM, Ollama, llama.cpp, ``transformers serve``."""

from __future__ import annotations

from pipeline.llm.config import DeploymentConfig


def chat_address(deployment: DeploymentConfig) -> str:
    """Where chat completions are asked for."""
    return f"{base_url(deployment)}/chat/completions"


def base_url(deployment: DeploymentConfig) -> str:
    """Root of everything else: files, batches, models."""
    return deployment.url
