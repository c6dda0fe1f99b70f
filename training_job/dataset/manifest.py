"""What a dataset is made of, in counts: written last, since only then the dataset is whole."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.model.left_out import LeftOut
from domain.model.production import Production
from domain.plural import agree, write_count
from domain.training.steps import Prepared
from domain.typed_json import Json, encode
from training_job.dataset import production_rows, tables
from training_job.dataset.hashing import ENOUGH_OF_A_CLASS
from training_job.dataset.production_rows import ProductionRows
from training_job.dataset.profile import Profile
from training_job.dataset.raw_files import Collected
from training_job.dataset.row_weights import WeightSums
from training_job.dataset.time_split import TimeCut, TimeKind
from training_job.errors import BadData
from training_job.model import masking

ROOM = 700
"""Characters of what was left out that are handed from state to state."""

Counts = dict[str, dict[str, int]]
"""Side → ``rows`` and ``positives``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The uploaded rows of a dataset, in numbers.

    `dataset_id`: what its name would be without production rows. `test_rows_id`: a name for the
    test rows, which datasets of other training rows may share. `notes`: sentences about a split by
    time and about weights, by the manifest's key for them.
    """

    dataset_id: str
    test_rows_id: str
    counts: Counts
    left_out: LeftOut
    notes: Mapping[str, str] = field(default_factory=dict)


class Profiles(Protocol):
    """Figures about each column of all rows of a dataset, see `training_job.dataset.profile`."""

    def profile(self) -> dict[str, Profile]:
        """Profile this dataset."""
        ...

    def compare(self, previous: Mapping[str, Any], manifest: Mapping[str, Any]) -> Profile:
        """Compare with the dataset of an earlier manifest."""
        ...


def finish(
    *,
    contract: Contract,
    bucket: Bucket,
    salt: str,
    collected: Collected,
    uploaded: Uploaded,
    loaded: ProductionRows | Production | None,
    profiles: Profiles,
    store: Callable[[str], Mapping[str, Json]],
    say: Callable[[str], None],
) -> Prepared:
    """Store the rows, the quarantine and the manifest; returns the dataset's id and counts.

    `loaded`: production rows, or what is known of them where there are none. `store` writes the
    rows of the dataset of that id; what it returns is part of the manifest.
    """
    added = loaded if isinstance(loaded, ProductionRows) else None
    production = added.production if added else loaded if isinstance(loaded, Production) else None
    left_out, dataset_id, counts = uploaded.left_out, uploaded.dataset_id, uploaded.counts
    if added is not None:
        dataset_id = added.dataset_id(dataset_id)
        counts = _add_counts(counts, added, contract)
    manifest: dict[str, Any] = {
        "dataset_id": dataset_id,
        "contract_version": contract.version,
        "target": contract.target,
        "salt": salt,
        "files": collected.files,
        "ignored_files": collected.ignored,
        "extra_columns": collected.extra,
        "absent_columns": collected.absent,
        "left_out": encode(left_out),
        "splits": counts,
        "test_rows_id": uploaded.test_rows_id,
        "columns": profiles.profile(),
    }
    if production is not None:
        manifest["production"] = encode(production)
    manifest |= uploaded.notes
    manifest |= _compare(bucket, manifest, profiles)
    kept = sum(count["rows"] for count in uploaded.counts.values())
    say(f"{write_count(collected.rows, 'row')} read, {kept:,} in dataset {dataset_id}")
    for sentence in uploaded.notes.values():
        say(sentence)
    notes = (*left_out.objections(), *left_out.notes(), *(production.notes() if production else ()))
    for sentence in notes:
        say(sentence)
    _say_rare(manifest, contract, say)
    manifest |= store(dataset_id)
    bad = collected.quarantine.table()
    tables.store(bad, bucket, keys.dataset(dataset_id, keys.QUARANTINE))
    document = json.dumps(manifest, indent=2, sort_keys=True).encode()
    bucket.put(keys.manifest(dataset_id), document, content_type="application/json")
    return Prepared(
        dataset_id=dataset_id,
        rows={name: count["rows"] for name, count in counts.items()},
        rows_read=collected.rows,
        rows_quarantined=left_out.rows_quarantined,
        rows_repeated=left_out.rows_repeated,
        left_out=_shorten(notes),
    )


def make_notes(
    contract: Contract, cut: TimeCut | None, kinds: Iterable[TimeKind], weights: WeightSums | None
) -> dict[str, str]:
    """The notes on uploaded rows; `kinds`: the one kind of their times, if they have any."""
    notes = {}
    if cut is not None:
        (kind,) = kinds
        notes["split_by"] = cut.describe(contract.training_columns.time, kind)
    if weights is not None:
        notes["weighted_by"] = weights.describe(contract.training_columns.weight)
    return notes


def count_sides(rows: Iterable[int], positives: Iterable[int]) -> Counts:
    """Rows and positives by side; raises BadData when a side lacks a class."""
    counts = {
        name: {"rows": int(all_rows), "positives": int(of_them)}
        for name, all_rows, of_them in zip(keys.SPLITS, rows, positives, strict=True)
    }
    found = [sum(count[name] for count in counts.values()) for name in ("rows", "positives")]
    if not 0 < found[1] < found[0]:
        raise BadData("All rows have the same label: a classifier needs both classes.")
    for name, count in counts.items():
        for kind, here, everywhere in (
            ("positive", count["positives"], found[1]),
            ("negative", count["rows"] - count["positives"], found[0] - found[1]),
        ):
            if not here:
                raise BadData(
                    f"None of the {write_count(count['rows'], 'row')} on the {name} side is "
                    f"{kind}, and {everywhere:,} of all {found[0]:,} "
                    f"{agree(everywhere, 'is', 'are')}. With {ENOUGH_OF_A_CLASS} or more of each "
                    "class every side nearly always has some: add rows."
                )
    return counts


def _add_counts(counts: Counts, added: ProductionRows, contract: Contract) -> Counts:
    """Rows and positives per side with the production rows; their share of both beside them."""
    labels, found = added.columns[contract.target], dict(counts)
    for side in production_rows.SIDES:
        rows = added.on_side(side)
        own = {"rows": int(rows.sum()), "positives": int((labels[rows] == 1).sum())}
        base = counts.get(side, {"rows": 0, "positives": 0})
        found[side] = {name: base[name] + own[name] for name in own}
        found[side] |= {f"production_{name}": value for name, value in own.items()}
    return found


def _say_rare(manifest: Mapping[str, Any], contract: Contract, say: Callable[[str], None]) -> None:
    columns = manifest["columns"]
    rare = [
        feature.name
        for feature in contract.features
        if feature.nullable and columns[feature.name]["missing"] < masking.ENOUGH
    ]
    if rare:
        say(
            f"{', '.join(rare)} may be missing but hardly ever is in these files: training blanks "
            f"{masking.SHARE:.0%} of the values at random, to learn what to answer without them"
        )


def _shorten(sentences: Iterable[str]) -> tuple[str, ...]:
    """As many as the state has room for, the first one at least."""
    kept: list[str] = []
    for sentence in sentences:
        if kept and len(sentence) + sum(map(len, kept)) > ROOM:
            return (*kept, "There is more: the dataset's manifest has all.")
        kept.append(sentence[:ROOM])
    return tuple(kept)


def _compare(bucket: Bucket, manifest: Mapping[str, Any], profiles: Profiles) -> dict[str, Profile]:
    """``previous``: against the dataset made last before this one whose manifest can be read."""
    own = keys.manifest(manifest["dataset_id"])
    made = sorted(
        (entry.modified, entry.key)
        for entry in bucket.list(keys.DATASETS)
        if entry.key == keys.manifest(entry.key.split("/")[1]) != own
    )
    for _, key in reversed(made):
        stored = bucket.get(key)
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            earlier = json.loads(stored.data if stored else b"")
            return {"previous": profiles.compare(earlier, manifest)}
    return {}
