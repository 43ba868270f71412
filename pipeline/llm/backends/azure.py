"""Addresses of an Azure OpenAI resource: the dated deployments surface and the v1 surface."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.llm.config import DeploymentConfig


def chat_address(deployment: DeploymentConfig) -> str:
    """Where chat completions are asked for; on v1 the deployment is named in the body instead."""
    if deployment.api_version is None:
        return f"{base_url(deployment)}/chat/completions"
    name, version = quote(deployment.deployment, safe=""), quote(deployment.api_version, safe="")
    return f"{base_url(deployment)}/deployments/{name}/chat/completions?api-version={version}"


def base_url(deployment: DeploymentConfig) -> str:
    """Root of files, batches and models."""
    return f"{deployment.url}/openai" + ("/v1" if deployment.api_version is None else "")
