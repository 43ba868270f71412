"""``python -m pipeline.cli COMMAND``."""

from pipeline.cli.main import run

run()
