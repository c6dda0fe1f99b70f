"""`sample-data`: a CSV file of made-up rows, from which a model can learn."""

import codecs
import contextlib
import csv
import io
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

from typer import Option

from domain.contract.contract import Contract
from domain.plural import agree, write_count
from ops.console import Answer, Progress
from ops.contract_changes import find_contract
from ops.errors import OpsError
from ops.target import Target

MAXIMUM_ROWS = 1_000_000_000
DEFAULT_ROWS = 100_000


def run(
    target: Target,
    *,
    contract: Annotated[
        Path | None, Option(help="The contract that the rows obey (that of the last up).")
    ] = None,
    rows: Annotated[int, Option(help="How many rows.")] = DEFAULT_ROWS,
    seed: Annotated[int, Option(help="The same seed gives the same rows.")] = 1,
    out: Annotated[Path | None, Option(help="The file (.local/sample.csv).")] = None,
) -> Answer:
    """Write a CSV file of made-up rows under a contract.

    The features tell the target, so that a model can learn. Under the project's own contract the
    rows look like those of Kaggle's diabetes data set.
    """
    path = out or target.folder / "sample.csv"
    make(contract=find_contract(target, contract), rows=rows, seed=seed, path=path)
    return Answer(
        data={"rows": rows, "file": str(path)},
        shown=[f"{write_count(rows, 'row')} of sample data {agree(rows, 'is', 'are')} in {path}."],
        next_step=f"python -m ops upload {shlex.quote(str(path))}",
    )


def make(*, rows: int, seed: int, path: Path, contract: Contract | None = None) -> None:
    """Call `write` with a progress bar."""
    with Progress("sample-data", total=rows) as progress:
        write(rows=rows, seed=seed, path=path, contract=contract, advance=progress.advance)


def write(
    *,
    rows: int,
    seed: int,
    path: Path,
    contract: Contract | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the CSV chunk by chunk, in flat memory; raises OpsError when it can't be written.

    Without a contract, and under one that it fits, the rows are in the schema of Kaggle's diabetes
    data set. `advance` gets the number of rows written since its last call. An unfinished file
    never has the final name.
    """
    wrong = [] if 1 <= rows <= MAXIMUM_ROWS else [f"--rows must be from 1 to {MAXIMUM_ROWS:,}"]
    wrong += [] if seed >= 0 else ["--seed must not be negative"]
    if wrong:
        raise OpsError(f"{', and '.join(wrong)}.", "Correct that and run the command again.")
    encoder = codecs.getincrementalencoder((contract and contract.files.encoding) or "utf-8")()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for text, written in _make_texts(contract, rows=rows, seed=seed):
                file.write(encoder.encode(text))
                advance(written)
        part.replace(path)
    except UnicodeEncodeError:
        raise OpsError(
            "The encoding that the contract declares lacks a character of its categories or names.",
            "Correct `encoding` under [files] in the contract.",
        ) from None
    except OSError as error:
        raise OpsError(
            f"{path} can't be written: {error.strerror or error}.",
            "Choose another --out, fewer --rows, or free some space.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _make_texts(contract: Contract | None, *, rows: int, seed: int) -> Iterator[tuple[str, int]]:
    """Parts of the file, each with its number of rows; the first begins with the header."""
    import pyarrow as pa
    import pyarrow.csv

    from ops.samples import contract_rows, diabetes_rows

    if contract is not None and contract.files.partition_columns:
        raise OpsError(
            "The contract reads columns from the names of folders, and sample data are one file.",
            "Take partition_columns out of a copy of the contract, and name that with --contract.",
        )
    separator, quoted = ",", False
    if contract is None or diabetes_rows.fits(contract):
        tables = diabetes_rows.chunks(rows=rows, seed=seed)
    else:
        tables = contract_rows.World.of(contract).chunks(rows=rows, seed=seed)
        separator = contract.files.separator or (";" if contract.files.decimal == "," else ",")
        quoted = any(
            not {separator, '"', "\n", "\r"}.isdisjoint(text)
            for categories, form in (
                ((), contract.target_in_files),
                *((feature.categories, feature.in_files) for feature in contract.features),
                *((e.values.categories, e.in_files) for e in contract.context if e.values),
            )
            for text in (*categories, *form.true, *form.false, *form.missing)
        )
    options = pyarrow.csv.WriteOptions(
        include_header=False,
        delimiter=separator,
        quoting_style="needed" if quoted else "none",
    )
    for number, table in enumerate(tables):
        header = io.StringIO()
        if number == 0:
            writer = csv.writer(header, delimiter=separator, lineterminator="\n")
            writer.writerow(table.column_names)
        written = pa.BufferOutputStream()
        pyarrow.csv.write_csv(table, written, options)
        yield header.getvalue() + written.getvalue().to_pybytes().decode(), table.num_rows
