"""`contract infer`: draft a data contract from a file."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from domain.contract.contract import Contract
from domain.plural import write_count
from ops.console import Answer, Progress, facts
from ops.errors import OpsError
from ops.outputs import require_writable
from ops.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType


def run(
    target: Target,  # noqa: ARG001 - a draft needs no deployment
    file: Annotated[Path, Argument(help="A CSV or Parquet file with a header.")],
    *,
    target_column: Annotated[
        str, Option("--target", help="The column to predict, as the file calls it.")
    ],
    key: Annotated[str | None, Option(help="The column that numbers or names the rows.")] = None,
    subject: Annotated[
        str | None, Option(help="The column that names the person; one may have several rows.")
    ] = None,
    positive: Annotated[
        str | None, Option(help="The target's value that counts as yes, if that isn't plain.")
    ] = None,
    time: Annotated[
        str | None, Option(help="The column that says when a row was observed; the newest test.")
    ] = None,
    weight: Annotated[str | None, Option(help="The column with the weight of each row.")] = None,
    out: Annotated[Path | None, Option(help="Where to write it (FILE's name with .toml).")] = None,
    replace: Annotated[bool, Option("--replace", help="Replace a file that is there.")] = False,
) -> Answer:
    """Draft a data contract from a file: kinds, categories, ranges, words, and what to leave out.

    Each guess has a comment. Read them before you deploy.
    """
    path = out or Path(f"{file.name.split('.')[0]}.toml")
    if not file.is_file():
        problem = f"{file} is no file." if file.exists() else f"There is no file {file}."
        raise OpsError(problem, "Give a CSV or Parquet file.")
    require_writable(path, "--out")
    if path.exists() and not replace:
        raise OpsError(f"{path} is there already.", "Choose another --out, or add --replace.")
    from ops.drafting import document
    from ops.drafting.draft import draft
    from ops.drafting.rehearsal import BAD_ROW_SHARE, rehearse
    from ops.drafting.table import NEXT, read_table
    from training_job.dataset.files.headers import show_name
    from training_job.errors import BadData

    wanted = {
        "--target": target_column,
        "--key": key,
        "--subject": subject,
        "--time": time,
        "--weight": weight,
    }
    with Progress("contract infer", total=100, unit=" %") as progress:
        try:
            table = read_table(
                file,
                lambda header: _require(header, wanted),
                lambda share: progress.reach(int(100 * share)),
            )
        except BadData as error:
            raise OpsError(str(error), NEXT) from None
    made = draft(
        table,
        target=target_column,
        key=key,
        subject=subject,
        positive=positive,
        time=time,
        weight=weight,
    )
    text = document.write(made, file=file.name, rows=table.rows)
    warnings = rehearse(
        table,
        Contract.parse(text),
        {name: source for name, source in wanted.items() if name != "--target"},
    )
    path.write_text(text, encoding="utf-8")
    left_out = {out.source: out.reason for out in made.left_out}
    features, rows = write_count(len(made.features), "feature"), write_count(table.rows, "row")
    shown: list[RenderableType] = [f"{path} has {features}, drafted from {rows}."]
    shown.append(f"Of {target_column}, {made.target.remarks['name']}.")
    if table.malformed:
        many = table.malformed > BAD_ROW_SHARE * (table.rows + table.malformed)
        does = "refuses a file with so many" if many else "puts such rows aside"
        shown.append(f"{write_count(table.malformed, 'row')} can't be read; a training {does}.")
    shown += warnings
    if left_out:
        shown += ["Left out:", facts((show_name(name), why) for name, why in left_out.items())]
    return Answer(
        data={
            "file": str(path),
            "rows": table.rows,
            "malformed": table.malformed,
            "features": [entry.keys["name"] for entry in made.features],
            "left_out": left_out,
        },
        shown=shown,
        next_step=f"Read {path}, then python -m ops up --contract {shlex.quote(str(path))}",
    )


def _require(header: Sequence[str], options: Mapping[str, str | None]) -> None:
    """Raise OpsError with every column that the file lacks, or that is to be two things."""
    named = {option: source for option, source in options.items() if source is not None}
    lacking = [f"{option} {source}" for option, source in named.items() if source not in header]
    if lacking:
        from training_job.dataset.files.headers import show_name

        raise OpsError(
            f"The file has no column for {' and '.join(lacking)}.",
            f"Its columns are {', '.join(map(show_name, header))}.",
        )
    if len(set(named.values())) < len(named):
        raise OpsError(f"One column can't be two of {', '.join(named)}.", "Name different columns.")
