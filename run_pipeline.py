"""Run the pipeline from a checkout: ``python run_pipeline.py COMMAND``."""

from pipeline.cli.main import run

run()
