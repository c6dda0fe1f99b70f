"""A dataset, and a version whose reference lost rows, keep their name and say so."""

import json
from collections.abc import Iterable
from dataclasses import replace

from adapters.s3 import Bucket
from domain import keys
from domain.erasure import ErasedObject
from domain.errors import BadKey, BadRecord
from domain.model.card import ModelCard
from domain.model.erased_rows import ErasedRows
from domain.typed_json import Json, encode


def mark(
    entries: Iterable[ErasedObject], *, data: Bucket, models: Bucket, erasure: str, now: int
) -> None:
    """Enter what was erased into manifests and cards; a repeated call changes nothing."""
    for entry in entries:
        if entry.sha256_after is None or entry.rows == 0:
            continue
        folder, _, name = entry.key.rpartition("/")
        rows = ErasedRows(
            part=name.partition(".")[0],
            rows=entry.rows,
            erasure=erasure,
            erased_at=now,
            sha256_before=entry.sha256_before,
            sha256_after=entry.sha256_after,
        )
        if entry.bucket == "data" and entry.key.startswith(keys.DATASETS):
            manifest = keys.manifest(folder.removeprefix(keys.DATASETS))
            data.update(manifest, lambda content, rows=rows: _mark_manifest(content, rows))  # type: ignore[misc]  # bound here
        elif entry.bucket == "models" and entry.key.startswith(keys.BUNDLES):
            _mark_card(models, folder.removeprefix(keys.BUNDLES), rows)


def _mark_card(models: Bucket, version: str, rows: ErasedRows) -> None:
    def edit(content: bytes | None) -> bytes | None:
        try:
            card = ModelCard.from_json(content or b"")
        except BadRecord:
            return None  # every reader takes it for missing
        if any(_is_same(one.part, one.erasure, one.sha256_before, rows) for one in card.erased):
            return None
        return replace(card, erased=(*card.erased, rows)).to_json()

    try:
        models.update(keys.card(version), edit)
    except BadKey:
        return  # not a version's folder


def _mark_manifest(content: bytes | None, rows: ErasedRows) -> bytes | None:
    try:
        manifest = json.loads(content or b"")
        marks: list[dict[str, Json]] = manifest.setdefault("erased", [])
    except (ValueError, AttributeError):
        return None  # there is none to say it
    for one in marks:
        if _is_same(one.get("part"), one.get("erasure"), one.get("sha256_before"), rows):
            return None
    marks.append(encode(rows))
    return json.dumps(manifest, indent=2, sort_keys=True).encode()


def _is_same(part: object, erasure: object, sha256_before: object, rows: ErasedRows) -> bool:
    return (part, erasure, sha256_before) == (rows.part, rows.erasure, rows.sha256_before)
