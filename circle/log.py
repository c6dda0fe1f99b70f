"""The prediction log of the last days, with and without outcomes."""

import time
from pathlib import Path

import pandas as pd
import pyarrow as pa

from circle.champion import read_champion
from circle.place import find_place
from domain import times
from domain.contract.contract import Contract
from ops.target import Target
from tabular.labelled import has_features, read_labelled, stream_rows
from tabular.log_objects import Damage, LogObjects
from tabular.models import Models

OWN = ("prediction_id", "predicted_at", "model_version", "probability", "predicted", "source")


def read_log(
    days: int = 7,
    *,
    stage: str | None = None,
    name: str | None = None,
    local: Path | None = None,
) -> pd.DataFrame:
    """Read the predictions of the last `days`, each once, the earliest first.

    Columns: prediction_id, predicted_at (UTC), model_version, probability, predicted, source,
    reference, subject, and the features in lower case. Rows that the champion's contract can't read
    are left out, and so are tries (source ``test``). Raises OpsError without a champion.
    """
    target, contract = _find(stage, name, local)
    end = time.time_ns() // 1_000_000
    parts = [
        rows.append_column("model_version", pa.repeat(version, rows.num_rows))
        for version, rows in stream_rows(
            log=LogObjects(target.bucket("predictions")),
            models=Models(target.bucket("models")),
            contract=contract,
            start=end - days * times.DAY_MS,
            end=end,
            damage=Damage(),
        )
        if has_features(rows, contract)
    ]
    features = [feature.column for feature in contract.features]
    columns = [*OWN, "reference", "subject", *features]
    if not parts:
        return pd.DataFrame(columns=columns)
    found = pa.concat_tables(parts).select(columns).to_pandas()
    found = found.sort_values("predicted_at", kind="stable").drop_duplicates("prediction_id")
    return _with_times(found).reset_index(drop=True)


def labelled(
    days: int = 28,
    *,
    stage: str | None = None,
    name: str | None = None,
    local: Path | None = None,
) -> pd.DataFrame:
    """Read the predictions of the last `days` whose outcome is known, each once.

    The columns of `read_log` without reference and subject, then `label` (the outcome) and
    `weight`: with it the rows represent all predictions where labels are selective. Raises OpsError
    without a champion.
    """
    target, contract = _find(stage, name, local)
    end = time.time_ns() // 1_000_000
    found = read_labelled(
        log=LogObjects(target.bucket("predictions")),
        models=Models(target.bucket("models")),
        contract=contract,
        start=end - days * times.DAY_MS,
        end=end,
        now=end,
    )
    columns = [*OWN, *(feature.column for feature in contract.features)]
    if not found.table.num_rows:
        return pd.DataFrame(columns=[*columns, "label", "weight"])
    frame = found.table.select(columns).to_pandas()
    return _with_times(frame).assign(label=found.labels.astype(bool), weight=found.weights)


def _find(stage: str | None, name: str | None, local: Path | None) -> tuple[Target, Contract]:
    target = find_place(stage=stage, name=name, local=local)
    return target, read_champion(target).contract


def _with_times(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(predicted_at=pd.to_datetime(frame["predicted_at"], unit="ms", utc=True))
