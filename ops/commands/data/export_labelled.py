"""`export-labelled`: labelled predictions as Parquet, the rows that a training would learn from."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from domain.contract.contract import Contract
from domain.drift.window import MAXIMUM_DAYS
from domain.errors import BadContract
from domain.plural import agree, write_count
from ops.console import Answer, Progress
from ops.errors import OpsError
from ops.laptop import ROOT
from ops.outputs import require_writable
from ops.target import Target
from training_job.settings import Settings

if TYPE_CHECKING:  # pyarrow takes its time to import, and --help does without it
    import pyarrow as pa

    from domain.model.production import Production

DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Settings)}
DAYS: int
MATURITY: int
DAYS, MATURITY = DEFAULTS["production_days"], DEFAULTS["label_maturity_days"]


def run(
    target: Target,
    *,
    days: Annotated[
        int, Option(min=1, max=MAXIMUM_DAYS, help="Export the predictions of so many days.")
    ] = DAYS,
    maturity_days: Annotated[
        int, Option(min=0, max=MAXIMUM_DAYS, help="Leave out those of so many last days.")
    ] = MATURITY,
    contract: Annotated[
        Path, Option(metavar="FILE", help="The contract that the rows must obey.")
    ] = ROOT / "contract.toml",
    out: Annotated[Path, Option(metavar="FILE", help="The Parquet file to write.")] = Path(
        "labelled.parquet"
    ),
) -> Answer:
    """Write labelled predictions as Parquet, for a notebook.

    These are the production rows of a training that starts now: predictions that are old enough for
    their labels, each once, valid by the contract. `sampling_weight` makes them represent all
    predictions where labels are selective, `side` is the side of the split. Don't upload the file
    to raw/: a training reads the rows from the log.
    """
    if out.exists():
        raise OpsError(f"{out} exists already.", "Name another file with --out.")
    require_writable(out, "--out")
    with Progress("export-labelled") as progress:
        progress.note("reading labels and predictions")
        rows, production = read_rows(target, _read_contract(contract), days, maturity_days)
    notes = production.notes()
    if rows is None:
        raise OpsError(" ".join(notes), "Send labels to POST /labels, or change --maturity-days.")
    write(rows, out)
    count = rows.num_rows
    return Answer(
        data={"file": str(out), "rows": rows.num_rows, "production": asdict(production)},
        shown=[*notes, f"{write_count(count, 'row')} {agree(count, 'is', 'are')} in {out}."],
    )


def read_rows(
    target: Target, contract: Contract, days: int, maturity_days: int
) -> "tuple[pa.Table | None, Production]":
    """The rows with their side, or None when there are none to use; raises OpsError."""
    import pyarrow as pa

    from domain import times
    from domain.contract.deployed_context import DeployedContext
    from tabular.log_objects import LogObjects
    from tabular.models import Models
    from training_job.dataset.production_rows import SIDES, ProductionRows, Source, load
    from training_job.dataset.quarantine import Quarantine

    now = time.time_ns() // 1_000_000
    end = now - maturity_days * times.DAY_MS
    found = load(
        Source(
            log=LogObjects(target.bucket("predictions")),
            models=Models(target.bucket("models"), DeployedContext.of(contract)),
            start=end - days * times.DAY_MS,
            end=end,
            now=now,
            test_share=float(DEFAULTS["production_test_share"]),
        ),
        contract,
        salt=str(DEFAULTS["split_salt"]),
        bad_row_share=1.0,
        quarantine=Quarantine(),
        find_sides=None,
    )
    if not isinstance(found, ProductionRows):
        return None, found
    tables = []
    for side in SIDES:
        part = found.table(side, contract)
        tables.append(part.append_column("side", pa.repeat(side, part.num_rows)))
    return pa.concat_tables(tables), found.production


def write(rows: "pa.Table", out: Path) -> None:
    """Write the file whole or not at all: whoever is killed leaves no half of it."""
    import pyarrow.parquet as pq

    with _partial(out) as path:
        pq.write_table(rows, path, compression="zstd")


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    path = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        yield path
        path.replace(out)
    finally:
        path.unlink(missing_ok=True)


def _read_contract(path: Path) -> Contract:
    try:
        return Contract.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, BadContract) as error:
        sentence = str(error) if isinstance(error, BadContract) else f"{path} can't be read."
        raise OpsError(sentence, "Name the deployed contract with --contract.") from None
