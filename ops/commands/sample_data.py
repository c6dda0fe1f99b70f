"""`sample-data`: a CSV of made-up patients in the schema of Kaggle's data set."""

import argparse
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from ops.console import Progress
from ops.errors import OpsError
from ops.target import Target

MAXIMUM_ROWS = 1_000_000_000
DEFAULT_ROWS = 100_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """`--rows`, `--seed`, `--out`."""
    parser.add_argument("--rows", type=int, default=DEFAULT_ROWS, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same rows (%(default)s)")
    parser.add_argument("--out", type=Path, help="the file (default: .local/sample.csv)")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    path = args.out or target.folder / "sample.csv"
    make(rows=args.rows, seed=args.seed, path=path)
    return f"{target.command('upload')} {path}"


def make(*, rows: int, seed: int, path: Path) -> None:
    """`write`, with a progress bar."""
    with Progress("sample-data", total=rows) as progress:
        write(rows=rows, seed=seed, path=path, advance=progress.advance)
    print(f"{rows:,} rows of sample data are in {path}.")


def write(
    *, rows: int, seed: int, path: Path, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write the CSV chunk by chunk, in flat memory; raises OpsError when it can't be written.

    `advance` is told how many rows were written since its last call. An unfinished file never
    bears the final name.
    """
    if not 1 <= rows <= MAXIMUM_ROWS or seed < 0:
        raise OpsError(
            f"--rows must be from 1 to {MAXIMUM_ROWS:,} and --seed must not be negative.",
            "Correct them and run the command again.",
        )
    import pyarrow.csv

    from ops.samples import diabetes_rows

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write((",".join(diabetes_rows.COLUMNS) + "\n").encode())
            for table in diabetes_rows.chunks(rows=rows, seed=seed):
                pyarrow.csv.write_csv(table, file, options)
                advance(table.num_rows)
        part.replace(path)
    except OSError as error:
        raise OpsError(
            f"{path} can't be written: {error.strerror or error}.",
            "Choose another --out, fewer --rows, or free some space.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
