"""``make test-wheel``: what is published, outside the checkout.

The source distribution is unpacked, the wheel is built out of it, both are looked at by twine, the wheel is installed alone
beside an Airflow and used, and the tests of the source distribution run in its own folder.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.matrix.environment import CACHE, PINS, Environment, features

AIRFLOW = "3.3.2"
#: Of the source distribution's tests, some that are quick.
SAMPLE = ("tests/test_provider_info.py", "tests/compat", "tests/hooks/test_form.py", "tests/hooks/test_rows.py")


def run(*command: str | Path, cwd: Path | str = "/") -> str:
    """Run something that must not fail; return what it printed."""
    done = subprocess.run([str(each) for each in command], cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def main() -> None:
    """Build, look, install, use."""
    uv = (sys.executable, "-m", "uv")
    with tempfile.TemporaryDirectory(prefix="sfjwt-published-") as text:
        folder = Path(text)
        run(*uv, "build", "--quiet", "--sdist", "--out-dir", folder / "dist", Path.cwd())
        (sdist,) = (folder / "dist").glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (source,) = (folder / "unpacked").iterdir()
        run(*uv, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", source)
        (wheel,) = (folder / "dist").glob("*.whl")
        print(run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel).strip())

        alone = CACHE / "alone"
        shutil.rmtree(alone, ignore_errors=True)
        run(*uv, "venv", "--quiet", alone)
        pins = ("--constraint", PINS / f"airflow-{AIRFLOW}.txt")
        run(*uv, "pip", "install", "--quiet", "--python", alone / "bin" / "python", f"{wheel}[parquet]", *pins)
        script = run(alone / "bin" / "airflow-salesforce-jwt", "--help").splitlines()[0]
        print(f"The wheel alone beside Airflow {AIRFLOW}: {script}")
        # Copied, so that no folder above has a package of the same name.
        shutil.copytree(source / "tests" / "matrix", folder / "matrix")
        found = features(alone / "bin" / "python", folder / "matrix", CACHE / "alone.log")
        print(f"Used: {found}")
        if any("FAILED" in each for each in found.values()):
            raise SystemExit(1)

        tools = Environment(AIRFLOW, f"{sys.version_info[0]}.{sys.version_info[1]}")
        tools.install(wheel)
        tested = run(tools.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SAMPLE, cwd=source).splitlines()[-1]
        print(f"The source distribution tests itself: {tested}")


if __name__ == "__main__":
    main()
