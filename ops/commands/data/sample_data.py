"""`sample-data`: a CSV file of made-up patients in the schema of Kaggle's data set."""

import contextlib
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Option

from ops.console import Answer, Progress
from ops.errors import OpsError
from ops.target import Target

MAXIMUM_ROWS = 1_000_000_000
DEFAULT_ROWS = 100_000


def run(
    target: Target,
    *,
    rows: Annotated[int, Option(help="How many rows.")] = DEFAULT_ROWS,
    seed: Annotated[int, Option(help="The same seed gives the same rows.")] = 1,
    out: Annotated[Path | None, Option(help="The file (.local/sample.csv).")] = None,
) -> Answer:
    """Write a CSV file of made-up patients, in the schema of Kaggle's diabetes data set."""
    path = out or target.folder / "sample.csv"
    make(rows=rows, seed=seed, path=path)
    return Answer(
        data={"rows": rows, "file": str(path)},
        shown=[f"{rows:,} rows of sample data are in {path}."],
        next_step=f"python -m ops upload {shlex.quote(str(path))}",
    )


def make(*, rows: int, seed: int, path: Path) -> None:
    """Call `write` with a progress bar."""
    with Progress("sample-data", total=rows) as progress:
        write(rows=rows, seed=seed, path=path, advance=progress.advance)


def write(
    *, rows: int, seed: int, path: Path, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write the CSV chunk by chunk, in flat memory; raises OpsError when it can't be written.

    `advance` gets the number of rows written since its last call. An unfinished file never has the
    final name.
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
