"""Build the wheel, install it elsewhere, and run the main job with nothing of the checkout."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", name]
        subprocess.run([*build, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        # Dependencies come from the environment the tests run in; the package from the wheel alone.
        venv.create(folder / "env", with_pip=False)
        python = folder / "env" / "bin" / "python"
        site = next((folder / "env" / "lib").glob("python*/site-packages"))
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "install",
            "--no-deps",
            "--target",
            str(site),
        ]
        subprocess.run([*pip, str(wheel)], check=True)
        here = next(path for path in map(Path, sys.path) if path.name == "site-packages")
        (site / "dependencies.pth").write_text(f"{here}\n", encoding="utf-8")
        where = "import pipeline; print(pipeline.__file__)"
        found = subprocess.check_output([python, "-P", "-c", where], cwd=folder, text=True)
        if not Path(found.strip()).is_relative_to(folder):
            sys.exit(f"the wheel is not what was imported: {found}")
        data = site / "pipeline" / "_resources" / "data"
        command = [python, "-P", "-m", "pipeline.cli", "run", "medical-cxr-vqa"]
        command += ["--input", str(data), "--backend", "rules", "--run-dir", str(folder / "run")]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        rows = (folder / "run" / "exports" / "questions.csv").read_text().count("\n")
        if done.returncode not in (0, 1) or rows < 100:
            sys.exit(f"exit code {done.returncode}, {rows} rows\n{done.stdout}\n{done.stderr}")
        report = [python, "-P", "-m", "pipeline.cli", "report", str(folder / "run")]
        subprocess.run(report, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        print(f"wheel: installed elsewhere, made {rows:,} question rows")


if __name__ == "__main__":
    main()
