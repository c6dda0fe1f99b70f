"""A training's own rules, applied to the rows from which a contract was drafted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields

import pyarrow as pa

from domain.contract.contract import Contract
from domain.contract.file_format import FileColumn
from domain.plural import agree, write_count
from ops.drafting.table import Table
from ops.errors import OpsError
from training_job.dataset.files.headers import loosen, show_name
from training_job.dataset.identity import identify
from training_job.dataset.time_split import refuse_mixed_times
from training_job.dataset.validation import Checked, check
from training_job.errors import BadData
from training_job.settings import Settings

BAD_ROW_SHARE = next(
    float(field.default)  # type: ignore[arg-type]  # it has a default
    for field in fields(Settings)
    if field.name == "bad_row_share"
)


def rehearse(table: Table, contract: Contract, options: Mapping[str, str | None]) -> list[str]:
    """Read the sample as a training would; returns sentences about rows that it would refuse.

    `options`: the columns that the user chose, by option. Raises OpsError when a training would
    refuse the file for one of them.
    """
    found = {loosen(name): name for name in table.sample.column_names}
    sample = pa.table(
        {
            column.name: table.sample.column(found[loosen(column.source)])
            for column in contract.file_columns(labelled=True)
        }
    )
    checked = check(sample, contract, labelled=True)
    sentences = []
    for reason, rows in _count_refused(checked, sample.num_rows):
        column = _find_column(reason, contract)
        if column is None:  # the rest of a reason that lists categories with a semicolon
            continue
        expected = reason.removeprefix(f"{column.name} ")
        advice = ""
        if column.name == contract.target:
            expected, advice = "must be yes or no", " Leave those rows out of the file."
        rule = f"{show_name(column.source)} {expected}"
        sentence = (
            f"{rule}: {rows:,} of {write_count(sample.num_rows, 'row')} "
            f"{agree(rows, 'breaks', 'break')} that."
        )
        option = next((name for name, source in options.items() if source == column.source), "")
        if option:
            raise OpsError(
                f"A training would refuse the file. {sentence}",
                f"Correct that in the file, or draft without {option}.",
            )
        sentences.append(
            f"A training refuses the file as it is, because more than {BAD_ROW_SHARE:.0%} of its"
            f" rows break a rule: {sentence}{advice}"
        )
    conflicting = _identify(checked, contract)
    if conflicting > BAD_ROW_SHARE * sample.num_rows:
        raise OpsError(
            f"A training would refuse the file. {conflicting:,} of "
            f"{write_count(sample.num_rows, 'row')} {agree(conflicting, 'has', 'have')} the "
            f"{show_name(options['--key'] or '')} of a row with other values.",
            "Name the column that has another value in each row, or draft without --key.",
        )
    return sentences


def _find_column(reason: str, contract: Contract) -> FileColumn | None:
    """The column that a reason begins with; a name may be the beginning of another one."""
    named = [
        column
        for column in contract.file_columns(labelled=True)
        if reason.startswith(f"{column.name} ")
    ]
    return max(named, key=lambda column: len(column.name), default=None)


def _count_refused(checked: Checked, rows: int) -> Iterator[tuple[str, int]]:
    """``(reason, rows)`` of what breaks more rows than a training puts aside."""
    counted: Counter[str] = Counter()
    for place, broken in Counter(checked.why.tolist()).items():
        for reason in checked.reasons[place].split("; "):
            counted[reason] += broken
    frequent = [pair for pair in counted.items() if pair[1] > BAD_ROW_SHARE * rows]
    together = len(checked.why) > BAD_ROW_SHARE * rows
    yield from frequent or (counted.most_common(1) if together else [])


def _identify(checked: Checked, contract: Contract) -> int:
    """Rows whose id is that of a row with other values; raises OpsError if times divide no rows."""
    time = contract.training_columns.time
    try:
        refuse_mixed_times({*checked.times}, time)
        return len(identify(checked.columns, contract, "").conflicting)
    except BadData as error:
        raise OpsError(str(error), "Choose another --time, or draft without it.") from None
