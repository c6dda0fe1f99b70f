"""A whole contract from one file: features, target, roles, segments, and what is left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.contract.feature_document import MOST_FEATURES
from domain.contract.file_format import Decimal
from domain.typed_json import Json
from ops.drafting.column import Column, as_texts, to_numbers
from ops.drafting.guess import MOSTLY, Entry, LeftOut, choose_name, guess_feature, guess_target
from ops.drafting.separation import separation
from ops.drafting.table import Table
from ops.errors import OpsError

TOO_GOOD = 0.99
"""Area under the ROC curve from which one column alone gives the target away."""
SEGMENTS = 2
GROUPS = 6
SMALLEST_GROUP = 0.05
PEOPLE = ("sex", "gender", "age", "ethnicity", "race", "region", "site", "country")
"""Names by which groups of people are often told apart; these are suggested first."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The tables of a contract, in its order."""

    files: Entry
    target: Entry
    features: tuple[Entry, ...]
    segments: tuple[Entry, ...]
    context: tuple[Entry, ...]
    split: Entry
    left_out: tuple[LeftOut, ...]


def draft(
    table: Table,
    *,
    target: str,
    key: str | None,
    subject: str | None,
    positive: str | None,
    time: str | None = None,
    weight: str | None = None,
) -> Draft:
    """Guess all of it; all but `positive` are names of columns in the file.

    Raises OpsError if the target can't be predicted, or by nothing.
    """
    named = [source for source in (target, key, subject, time, weight) if source in table.nested]
    if named:
        raise OpsError(
            f"The column {named[0]} holds lists, records or bytes, which aren't read.",
            "Name a column of plain values.",
        )
    roles = {source: role for role, source in (("row_id", key), ("subject", subject)) if source}
    decimal = _choose_decimal(table.columns.values())
    names: dict[str, str] = {}
    for source in table.columns:
        names[source] = choose_name(source, {name.lower() for name in names.values()})
    target_entry = guess_target(table.columns[target], names[target], positive)
    if weight:
        target_entry.keys["weight"] = weight
    is_positive = _labels(table, target, target_entry)
    features: list[Entry] = []
    areas: list[float] = []
    left_out: list[LeftOut] = []
    for source, column in table.columns.items():
        if source in (target, time, weight, *roles):
            continue
        guess = guess_feature(column, names[source], decimal)
        if isinstance(guess, Entry):
            mark = decimal if guess.keys["kind"] == "number" else None
            area = separation(table.sample.column(source), is_positive, mark)
            if area > TOO_GOOD:
                reason = f"it tells the target by itself (AUC {area:.3f}): is it known beforehand?"
                guess = LeftOut(source, reason, guess)
        if isinstance(guess, Entry):
            features.append(guess)
            areas.append(area)
        else:
            left_out.append(guess)
    features, weakest = _keep_best(features, areas)
    left_out += weakest
    left_out += [LeftOut(name, "it holds lists, records or bytes") for name in table.nested]
    if table.unnamed:
        left_out.append(LeftOut("(no name)", "the header gives it no name"))
    if not features:
        reasons = "; ".join(f"{out.source}: {out.reason.rstrip('?')}" for out in left_out)
        raise OpsError(
            f"No column can be a feature ({reasons or 'there is no other column'}).",
            "Give a file with more columns.",
        )
    return Draft(
        files=_files(table, decimal),
        target=target_entry,
        features=tuple(features),
        segments=_segments(features, table),
        split=Entry({"time": time} if time else {}),
        context=tuple(_context(source, role, names[source]) for source, role in roles.items()),
        left_out=tuple(left_out),
    )


def _keep_best(
    features: Sequence[Entry], areas: Sequence[float]
) -> tuple[list[Entry], list[LeftOut]]:
    """As many features as a contract may have, those that say most alone; and the others."""
    ranked = sorted(range(len(features)), key=lambda number: areas[number], reverse=True)
    kept = {*ranked[:MOST_FEATURES]}
    reason = f"{MOST_FEATURES} other columns say more by themselves, and a contract has no more"
    return [entry for number, entry in enumerate(features) if number in kept], [
        LeftOut(str(entry.keys.get("source", entry.keys["name"])), reason, entry)
        for number, entry in enumerate(features)
        if number not in kept
    ]


def _choose_decimal(columns: Iterable[Column]) -> Decimal:
    """The comma if more columns have fractions by it."""
    votes = Counter[Decimal]()
    for column in columns:
        for mark, found in column.ranges.items():
            has_fractions = mark == "," or not found.whole
            votes[mark] += has_fractions and found.rows > MOSTLY / 2 * column.rows
    return "," if votes[","] > votes["."] else "."


def _labels(table: Table, target: str, entry: Entry) -> npt.NDArray[np.bool_]:
    words = entry.keys.get("true", ["1", "1.0", "true"])
    yes = {str(word).casefold() for word in words} if isinstance(words, list) else set()
    texts = as_texts(table.sample.column(target)).fill_null("").to_pylist()
    return np.array([text.casefold() in yes for text in texts], dtype=bool)


def _files(table: Table, decimal: Decimal) -> Entry:
    keys: dict[str, Json] = {}
    if table.separator not in ("", ","):
        keys["separator"] = table.separator
    if decimal != ".":
        keys["decimal"] = decimal
    if table.encoding:
        keys["encoding"] = table.encoding
    return Entry(keys)


def _context(source: str, role: str, name: str) -> Entry:
    keys: dict[str, Json] = {"name": name, "role": role}
    return Entry(keys | ({"source": source} if name != source else {}))


def _segments(features: Sequence[Entry], table: Table) -> tuple[Entry, ...]:
    """A few features whose groups are large enough to be judged apart."""
    found = []
    for entry in features:
        name, source = str(entry.keys["name"]), str(entry.keys.get("source", entry.keys["name"]))
        column = table.columns[source]
        rank = next((i for i, word in enumerate(PEOPLE) if word in name.lower().split("_")), 99)
        if entry.keys["kind"] == "number":
            if rank < len(PEOPLE) and (bounds := _bounds(table, source)):
                found.append((rank, Entry({"feature": name, "bounds": bounds})))
            continue
        groups = [rows for _, rows in column.counts.most_common()]
        if 1 < len(groups) <= GROUPS and groups[1] >= SMALLEST_GROUP * column.rows:
            found.append((rank, Entry({"feature": name})))
    return tuple(entry for _, entry in sorted(found, key=lambda pair: pair[0])[:SEGMENTS])


def _bounds(table: Table, source: str) -> list[Json]:
    """Two round numbers between which about a third of the rows lies."""
    texts = as_texts(table.sample.column(source))
    values = to_numbers(texts, ".").to_numpy(zero_copy_only=False)
    values = values[~np.isnan(values)]
    if not len(values):
        return []
    bounds: list[Json] = []
    for bound in np.quantile(values, (1 / 3, 2 / 3)):
        rounded = float(f"{bound:.1g}")
        if rounded not in bounds and values.min() < rounded <= values.max():
            bounds.append(rounded)
    return bounds
