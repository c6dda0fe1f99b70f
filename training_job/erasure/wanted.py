"""Whose rows are erased, and the columns that say of a row whose it is."""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.contract.contract import Contract
from domain.contract.records import SUBJECT_KEY
from training_job.dataset.files.headers import loosen
from training_job.dataset.hashing import hash_texts
from training_job.dataset.ids import read_ids

Mask = npt.NDArray[np.bool_]

PEOPLE_COLUMNS = ("subject", SUBJECT_KEY, "prediction_id", "reference")
"""What the logs, and what is derived from them, call the columns that say whose a row is."""
PROBED = 64
"""Up to so many identifiers are looked for in raw bytes before anything is decoded."""
UNIQUE_LENGTH = 8
"""A shorter identifier, or a number, may stand in a free text by chance."""


@dataclass(frozen=True)
class Wanted:
    """People, and their predictions and references as far as they are known.

    `references`: those that no other person's prediction has.
    """

    subjects: frozenset[str]
    predictions: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()

    @cached_property
    def _subjects(self) -> pa.Array:
        return read_ids(pa.array(sorted(self.subjects), pa.string())).drop_null()

    @cached_property
    def _keys(self) -> pa.Array:
        return pa.array(hash_texts(self._subjects), pa.uint64())

    @cached_property
    def _predictions(self) -> pa.Array:
        return pa.array(sorted(self.predictions), pa.string())

    @cached_property
    def _references(self) -> pa.Array:
        return pa.array(sorted(self.references), pa.string())

    @cached_property
    def subject_texts(self) -> frozenset[str]:
        """The pseudonyms as a column of ids has them."""
        return frozenset(self._subjects.to_pylist())

    @cached_property
    def key_numbers(self) -> frozenset[int]:
        """Their hashes."""
        return frozenset(self._keys.to_pylist())

    @cached_property
    def probes(self) -> tuple[bytes, ...] | None:
        """Bytes of which one is in any text that names any of them; None where they are many."""
        keys = frozenset(map(str, self.key_numbers))
        return _spell_all(self.subject_texts | keys | self.predictions | self.references)

    def choose_probes(self, roles: "Roles") -> tuple[bytes, ...] | None:
        """The same for a table that has these columns only."""
        texts: set[str] = set()
        texts |= self.subject_texts if roles.subjects else set()
        texts |= set(map(str, self.key_numbers)) if roles.keys else set()
        texts |= self.predictions if roles.predictions else set()
        texts |= self.references if roles.references else set()
        return _spell_all(frozenset(texts))

    @cached_property
    def unique(self) -> tuple[str, ...]:
        """Identifiers that no text has by chance, the longest first."""
        texts = self.subject_texts | self.predictions | self.references
        found = [t for t in texts if len(t) >= UNIQUE_LENGTH and not t.replace(".", "").isdigit()]
        return tuple(sorted(found, key=lambda text: (-len(text), text)))

    @cached_property
    def unique_texts(self) -> frozenset[str]:
        """The same, to look them up."""
        return frozenset(self.unique)

    def mask(self, text: str) -> str:
        """The text without such identifiers: a certificate names objects and no person."""
        for one in self.unique:
            text = text.replace(one, "***")
        return text

    def may_be_in(self, data: bytes) -> bool:
        """Whether a text may name any of them; cheap, and never wrong when it says no."""
        return self.probes is None or any(probe in data for probe in self.probes)

    def find_rows(self, columns: "Columns", rows: int) -> Mask:
        """Which rows are theirs. A row that names its subject goes by that alone.

        A row without one goes by the prediction, or by a reference that only they have.
        """
        found, named = np.zeros(rows, bool), np.zeros(rows, bool)
        for array in columns.subjects:
            ids = read_ids(array)
            found |= _is_in(ids, self._subjects)
            named |= ids.is_valid().to_numpy(zero_copy_only=False)
        for array in columns.keys:
            found |= _is_in(array, self._keys)
            named |= array.is_valid().to_numpy(zero_copy_only=False)
        theirs = np.zeros(rows, bool)
        for array in columns.predictions:
            theirs |= _is_in(_as_text(array), self._predictions)
        for array in columns.references:
            theirs |= _is_in(_as_text(array), self._references)
        return found | (theirs & ~named)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a batch that say whose its rows are."""

    subjects: tuple[pa.Array, ...] = ()
    keys: tuple[pa.Array, ...] = ()
    predictions: tuple[pa.Array, ...] = ()
    references: tuple[pa.Array, ...] = ()


@dataclass(frozen=True, slots=True)
class Roles:
    """Positions of such columns in a header."""

    subjects: tuple[int, ...]
    keys: tuple[int, ...]
    predictions: tuple[int, ...]
    references: tuple[int, ...]

    @classmethod
    def of(cls, header: Sequence[str], contract: Contract) -> "Roles":
        """By the contract's names, as files write them, and by those of the logs."""
        subjects, references = (
            _names(contract, role) | {role} for role in ("subject", "reference")
        )
        return cls(
            subjects=_find(header, subjects),
            keys=_find(header, {SUBJECT_KEY}),
            predictions=_find(header, {"prediction_id"}),
            references=_find(header, references),
        )

    @property
    def positions(self) -> tuple[int, ...]:
        """All of them, in order."""
        return tuple(sorted({*self.subjects, *self.keys, *self.predictions, *self.references}))

    def choose(self, arrays: Mapping[int, pa.Array]) -> Columns:
        """The columns of a batch, by position."""
        return Columns(
            *(
                tuple(arrays[place] for place in places)
                for places in (self.subjects, self.keys, self.predictions, self.references)
            )
        )


def _names(contract: Contract, role: str) -> set[str]:
    entries = [entry for entry in contract.context if entry.role == role]
    return {name for e in entries for name in (e.name, e.in_files.source) if name}


def _find(header: Sequence[str], names: set[str]) -> tuple[int, ...]:
    wanted = {loosen(name) for name in names}
    return tuple(place for place, text in enumerate(header) if loosen(text) in wanted)


def _is_in(array: Any, values: pa.Array) -> Mask:
    if not len(values):
        return np.zeros(len(array), bool)
    if values.type == pa.uint64() and array.type != pa.uint64():
        array = _as_numbers(array)
    found = pc.is_in(array, value_set=values)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _as_text(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_nested(array.type):
        return pa.nulls(len(array), pa.string())
    return pc.cast(array, pa.string(), safe=False)


def _as_numbers(array: pa.Array) -> pa.Array:
    """Hashes that a file of texts holds."""
    values = _as_text(array).to_pylist()
    return pa.array(
        [int(v) if v is not None and v.isdigit() and len(v) <= 20 else None for v in values],
        pa.uint64(),
    )


def _spell_all(texts: frozenset[str]) -> tuple[bytes, ...] | None:
    if len(texts) > PROBED:
        return None
    return tuple(sorted({form for text in texts for form in _spell(text)}))


def _spell(text: str) -> set[bytes]:
    """The text as CSV, JSON and HTML may write it."""
    return {
        form.encode(errors="surrogateescape")
        for form in (
            text,
            text.replace('"', '""'),
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            html.escape(text),
            html.escape(text, quote=False),
        )
    }
