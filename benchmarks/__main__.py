"""``python -m benchmarks``: every benchmark, one after the other, each in its own process."""

import subprocess
import sys
from pathlib import Path

SHARED = (
    "__init__",
    "__main__",
    "choices",
    "folder_bucket",
    "gate_limits",
    "gate_pool",
    "gate_recall",
    "harness",
    "public_sets",
)


def main() -> int:
    """Run all benchmarks; the exit code says whether every target was reached."""
    folder = Path(__file__).parent
    found = [path.stem for path in folder.glob("*.py")]
    found += [path.parent.name for path in folder.glob("*/__main__.py")]
    names = sorted(name for name in found if name not in SHARED)
    missed = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]).returncode:  # noqa: PLW1510 - the code is what is looked at
            missed.append(name)
    if missed:
        print("Targets missed in: " + ", ".join(missed))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
