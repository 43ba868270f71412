"""``python -m pipeline.cli COMMAND``."""

from pipeline.cli.main import run

if __name__ == "__main__":  # worker processes import this file as well
    run()
