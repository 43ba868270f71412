"""Write docs/cli.md from the commands' own help, or with --check say whether it is current."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cli.md"
COMMANDS = (
    "",
    "run",
    "plan",
    "status",
    "retry",
    "report",
    "export",
    "evaluate labels",
    "evaluate keyinfo",
    "evaluate phrases",
    "evaluate answers",
    "finetune",
    "merge",
    "sample",
    "libs build",
    "explain",
    "infer",
    "chat",
    "check",
)


def page() -> str:
    """The page as the commands say it now."""
    parts = ["# Commands\n\nWritten by `python docs/make_cli.py` from the commands' own help.\n"]
    for command in COMMANDS:
        shown = f"cxr-pipeline {command}".strip()
        done = subprocess.run(
            [sys.executable, "run_pipeline.py", *command.split(), "--help"],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
        text = done.stdout.replace("run_pipeline.py", "cxr-pipeline").strip()
        parts.append(f"## {shown}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Write or check."""
    made = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
            sys.exit("docs/cli.md is not current: run python docs/make_cli.py")
    else:
        PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
