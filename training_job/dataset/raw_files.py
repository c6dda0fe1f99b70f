"""Raw files as columns of valid rows, and a quarantine of the others."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from training_job.dataset import reading, tables
from training_job.dataset.quarantine import Quarantine
from training_job.dataset.validation import Columns, check, target_feature
from training_job.errors import BadData

NAMED = 20
"""So many ignored files are named in the log; the manifest names all."""


@dataclass(slots=True)
class Collected:
    """What the raw files held, column by column."""

    parts: list[Columns] = field(default_factory=list)
    quarantine: Quarantine = field(default_factory=Quarantine)
    ignored: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows read, good and bad."""
        return sum(self.files.values())

    def columns(self) -> Columns:
        """All valid rows; empties the parts, so that memory holds the rows about once."""
        names = list(self.parts[0])
        return {name: np.concatenate([part.pop(name) for part in self.parts]) for name in names}


def collect(
    *, contract: Contract, bucket: Bucket, raw_prefix: str, say: Callable[[str], None]
) -> Collected:
    """Read every file under `raw_prefix`; raises BadData when there is none, or no row in them."""
    listed, ignored = tables.find(bucket, raw_prefix)
    if not listed:
        raise BadData(
            f"There is no {', '.join(keys.FORMATS)} file under {raw_prefix}; upload one first."
        )
    names = [*(feature.name for feature in contract.features), target_feature(contract).name]
    collected = Collected(ignored=ignored)
    if ignored:
        say(f"ignored, being none of {', '.join(keys.FORMATS)}: {', '.join(ignored[:NAMED])}")
    for entry in listed:
        with tables.fetched(bucket, entry.key) as path:
            extra = reading.extra_columns(path, entry.key, names)
            _collect_file(collected, path, entry.key, contract, names)
        collected.extra[entry.key] = extra
        say(
            f"read {entry.key}: {collected.files[entry.key]:,} rows"
            + (f", further columns ignored: {', '.join(extra)}" if extra else "")
        )
    if not collected.rows:
        raise BadData(f"No file under {raw_prefix} holds any row: {', '.join(collected.files)}.")
    return collected


def _collect_file(
    collected: Collected, path: Path, key: str, contract: Contract, names: list[str]
) -> None:
    rows = 0
    for batch in reading.read(path, key, names):
        checked = check(batch.table, contract)
        collected.parts.append(checked.columns)
        collected.quarantine.add_batch(key, batch, checked)
        rows += batch.table.num_rows + len(batch.malformed)
    collected.files[key] = rows


def refuse_bad_rows(collected: Collected, bad_row_share: float, bucket: Bucket, key: str) -> None:
    """Raise BadData when more than that share is bad, or all are; they are listed under `key`."""
    bad, rows = len(collected.quarantine), collected.rows
    if bad <= bad_row_share * rows and bad < rows:
        return
    tables.store(collected.quarantine.table(), bucket, key)
    top = collected.quarantine.top_reasons()
    reasons = ". ".join(f"{found['rows']:,} rows: {found['reason']}" for found in top)
    raise BadData(
        f"{bad:,} of {rows:,} rows break the contract, more than the allowed share of "
        f"{bad_row_share:.1%}. {reasons}. Each of them is listed in {bucket.uri(key)}."
    )
