"""Trace a prediction: its record, the version that made it, and how that came to serve."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.contract.records import PREDICTION_COLUMNS
from domain.errors import BadBundle, BadKey, BadRecord
from domain.model.bundle import Bundle
from domain.model.card import ModelCard
from domain.model.champion import LedgerEntry
from domain.typed_json import Json, encode
from ops.tracing.replay import Replay, replay
from tabular.log_objects import LogObjects
from tabular.log_rows import Row, find_rows

Found = Iterable[tuple[str, date]]
"""Prediction ids, and the day whose folder holds the record of each."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one prediction. `row`: its record.

    `entry`: the ledger's, by which the version served at that time. `card` and `replay` are None
    where they can't be read, or weren't asked for; `problem` says why no replay was possible.
    """

    row: Row
    card: ModelCard | None
    entry: LedgerEntry | None
    replay: Replay | None = None
    problem: str = ""

    @property
    def version(self) -> str:
        """The version that answered."""
        return str(self.row["model_version"])

    @property
    def predicted_at(self) -> int:
        """UTC milliseconds."""
        return _predicted_at(self.row)

    def to_dict(self) -> dict[str, Json]:
        """Plain JSON values, without a feature or a subject."""
        names = [n for n in PREDICTION_COLUMNS if n not in ("subject", "sample_key")]
        card = self.card
        return {
            **{name: self.row.get(name) for name in names},
            "dataset_id": card.dataset_id if card else None,
            "training_execution": card.execution if card else None,
            "code_version": card.code_version if card else None,
            "verdict": encode(card.verdict) if card else None,
            "ledger_entry": encode(self.entry) if self.entry else None,
            "replay": encode(self.replay) if self.replay else None,
            "problem": self.problem or None,
        }


def trace(found: Found, *, predictions: Bucket, models: ModelStore, replayed: bool) -> list[Trace]:
    """Trace the predictions that were found, the earliest first; copies count once."""
    rows = _read_rows(found, LogObjects(predictions))
    entries = _read_ledger(models)
    cards: dict[str, ModelCard | None] = {}
    bundles: dict[str, Bundle | str] = {}
    traces = []
    for row in sorted(rows, key=_predicted_at):
        version = str(row["model_version"])
        if version not in cards:
            cards[version] = models.read_card(version)
        entry = _find_entry(entries, version, _predicted_at(row))
        if not replayed:
            traces.append(Trace(row, cards[version], entry))
            continue
        if version not in bundles:
            bundles[version] = _load(models, version)
        bundle = bundles[version]
        if isinstance(bundle, str):
            traces.append(Trace(row, cards[version], entry, problem=bundle))
        else:
            traces.append(Trace(row, cards[version], entry, replay(row, bundle)))
    return traces


def _load(models: ModelStore, version: str) -> Bundle | str:
    """A version's bundle, checked against its seal; a sentence where it can't be loaded."""
    try:
        return models.load_bundle(models.find_model(version))
    except (BadBundle, BadKey) as error:
        return f"The bundle of version {version} can't be used: {error}"


def _read_ledger(models: ModelStore) -> list[LedgerEntry]:
    """The entries that can be read, the oldest first."""
    entries = []
    for seq, action, version in models.list_ledger():
        with suppress(BadRecord):
            entries.append(models.read_entry(keys.ledger_entry(seq, action, version)))
    return entries


def _find_entry(entries: Sequence[LedgerEntry], version: str, at: int) -> LedgerEntry | None:
    """The last entry before that time by which the version came to serve.

    None for a version that batch scoring was told to use before it ever served.
    """
    before = [e for e in entries if e.version == version and e.promoted_at <= at]
    return before[-1] if before else None


def _predicted_at(row: Row) -> int:
    return int(row["predicted_at"] or 0)


def _read_rows(found: Found, log: LogObjects) -> Iterable[Row]:
    """The rows themselves; of several copies the earliest."""
    days: dict[date, set[str]] = {}
    for prediction_id, day in found:
        days.setdefault(day, set()).add(prediction_id)
    rows: dict[str, Row] = {}
    for day, ids in days.items():
        for row in find_rows(log, day, ids):
            known = rows.setdefault(str(row["prediction_id"]), row)
            if _predicted_at(row) < _predicted_at(known):
                rows[str(row["prediction_id"])] = row
    return rows.values()
