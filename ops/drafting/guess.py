"""What a column's values suggest: an entry of the contract, or that it is better left out."""

import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field

from domain.contract.feature_document import MOST_CATEGORIES, is_name
from domain.contract.file_format import Decimal
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS
from domain.typed_json import Json
from ops.drafting.column import Column
from ops.errors import OpsError

MOSTLY = 0.95
"""The share of a column's values that must look alike before it is taken for that."""
FEW_WORDS = 3
"""The most different words among numbers that are taken for "no value"."""
LONG_TAIL = 50
"""From more different values on, the rare ones are collected, if there are rare ones."""
FREQUENT = 10
"""Rows of a value that is not rare: what fewer rows say of it is chance."""
MOST_LISTED = 1_000
TOLD = 0.5
"""The least share of the rows that must have a listed value."""
FREE_TEXT = 40
"""Mean length, in characters, from which texts are taken for sentences."""
OPPOSITES = (
    ("yes", "no"),
    ("y", "n"),
    ("true", "false"),
    ("t", "f"),
    ("1", "0"),
    ("positive", "negative"),
    ("pos", "neg"),
    ("on", "off"),
    ("ja", "nein"),
    ("oui", "non"),
)
_READ_ALREADY = {"1", "0", "1.0", "0.0", "true", "false"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.' ]\d{3})+([.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A table of the contract, and for some of its keys what the guess rests on."""

    keys: dict[str, Json]
    remarks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is no feature; `entry`: how it would be one, if that can be said."""

    source: str
    reason: str
    entry: Entry | None = None


def choose_name(source: str, taken: Collection[str]) -> str:
    """A name that a feature may have; `taken`: names in lower case that are in use."""
    plain = unicodedata.normalize("NFKD", source.replace("ß", "ss"))
    plain = plain.encode("ascii", "ignore").decode()
    name = re.sub(r"[^0-9A-Za-z]+", "_", plain).strip("_") or "column"
    if not is_name(name):
        name = f"c_{name}"
    used = {*taken, *RESERVED_COLUMNS, *RESERVED_FIELDS}
    if name.lower() in RESERVED_COLUMNS | RESERVED_FIELDS:
        name = f"{name}_value"
    number, wanted = 2, name
    while name.lower() in used:
        name, number = f"{wanted}_{number}", number + 1
    return name


def guess_target(column: Column, name: str, positive: str | None) -> Entry:
    """The table of the target; raises OpsError unless two values or `positive` decide it."""
    keys = _named(name, column)
    values = [] if column.many else list(column.counts)
    if positive is not None:
        if positive not in values:
            raise OpsError(
                f"No row has the value that --positive names in the column {column.source}.",
                f"Its values are {_listed(values)}.",
            )
        others: list[Json] = [value for value in values if value != positive]
        keys |= {"true": [positive], "false": others}
        positives = [positive]
    elif len(values) == 2 and (found := _opposites(values)):
        positives = [found[0]]
        keys |= _truth_words(found)
    elif len(values) == 1:
        raise OpsError(
            f"The column {column.source} has one value only: nothing can be learned from it.",
            "Choose another --target.",
        )
    elif len(values) == 2:
        raise OpsError(
            f"Which of the two values of {column.source} is the positive one can't be told.",
            " or ".join(f"--positive {value}" for value in values),
        )
    else:
        raise OpsError(
            f"The column {column.source} has more than two values. A contract is for yes or no:"
            " regression and several classes are not part of it.",
            "Name the value that counts as yes with --positive, or choose another --target.",
        )
    share = sum(column.counts[value] for value in positives) / column.rows
    remarks = {"name": f"{share:.1%} of the rows are positive"}
    if column.missing:
        remarks["name"] += f"; {column.missing:,} rows without a value will be quarantined"
    return Entry(keys, remarks)


def guess_feature(column: Column, name: str, decimal: Decimal) -> Entry | LeftOut:
    """A feature, or why the column is left out."""
    if useless := _find_useless(column):
        return LeftOut(column.source, useless)
    keys = _named(name, column)
    values = set() if column.many else set(column.counts)
    found = _opposites(sorted(values)) if len(values) == 2 else None
    if found:
        return _with_missing(Entry(keys | {"kind": "flag"} | _truth_words(found)), column)
    numbers = column.ranges["."].rows + (column.ranges[","].rows if decimal == "," else 0)
    if numbers >= MOSTLY * column.rows and len(column.words) <= FEW_WORDS:
        return _guess_number(column, keys, decimal)
    if sum(map(bool, map(_THOUSANDS.fullmatch, column.words))) > FEW_WORDS:
        return LeftOut(column.source, "its numbers have thousands separators, which aren't read")
    return _guess_category(column, keys)


def _find_useless(column: Column) -> str:
    """Why nothing can be learned from the column, if that is plain."""
    if not column.rows:
        return "it has no value in any row"
    if len(column.counts) == 1 and not column.many:
        return "it has the same value in each row"
    if column.dates >= MOSTLY * column.rows:
        return (
            "it holds dates; a time between two of them could be a feature, and with --time the"
            " newest rows would be the test side"
        )
    return ""


def _guess_number(column: Column, keys: dict[str, Json], decimal: Decimal) -> Entry | LeftOut:
    ranges = [column.ranges[mark] for mark in (".", decimal) if column.ranges[mark].rows]
    low, high = min(r.low for r in ranges), max(r.high for r in ranges)
    if column.rising and column.rows > 2 and all(r.whole for r in ranges):
        return LeftOut(column.source, "it counts the rows")
    minimum, maximum = _with_room(low, high)
    remarks = {"minimum": "with room below and above what was seen"}
    words: dict[str, Json] = {}
    if column.words:
        words = {"missing": list[Json](sorted(column.words))}
        remarks["missing"] = "among numbers"
    if all(r.whole for r in ranges) and len(column.counts) <= 12 and not column.many:
        remarks["kind"] = "few whole numbers: if they are codes, make it a category"
    entry = Entry(
        keys | {"kind": "number", "minimum": minimum, "maximum": maximum} | words,
        remarks,
    )
    return _with_missing(entry, column, more=sum(column.words.values()))


def _guess_category(column: Column, keys: dict[str, Json]) -> Entry | LeftOut:
    if column.characters > FREE_TEXT * column.rows:
        return LeftOut(column.source, "it holds free text")
    different = len(column.counts)
    if not column.many and different > 0.5 * column.rows and column.rows > 10:
        return LeftOut(column.source, "it has another value in almost each row, as an id")
    ordered: list[Json] = [text for text, _ in column.counts.most_common()]
    frequent = [text for text, count in column.counts.most_common() if count >= FREQUENT]
    rare = column.rows - sum(column.counts[text] for text in frequent)
    keys |= {"kind": "category"}
    remarks = {"categories": "by frequency"}
    if len(column.counts) > LONG_TAIL and column.rows >= 1_000 and rare:
        kept = frequent[:MOST_LISTED]
        if sum(column.counts[text] for text in kept) < TOLD * column.rows:
            return LeftOut(
                column.source,
                f"fewer than {TOLD:.0%} of its rows have a value that {FREQUENT} rows or more have",
            )
        others = column.rows - sum(column.counts[text] for text in kept)
        keys |= {"categories": list[Json](kept), "other": True}
        remarks = {
            "categories": f"those of at least {FREQUENT} rows, by frequency",
            "other": f"{others:,} rows have rarer values, and new ones are no error",
        }
        return _with_missing(Entry(keys, remarks), column)
    if column.many or different > MOST_CATEGORIES:
        return LeftOut(column.source, f"it has more than {MOST_CATEGORIES:,} different values")
    return _with_missing(Entry(keys | {"categories": ordered}, remarks), column)


def _with_missing(entry: Entry, column: Column, more: int = 0) -> Entry:
    missing = column.missing + more
    if not missing:
        return entry
    remark = f"{missing:,} of {column.total:,} rows have no value"
    return Entry(entry.keys | {"nullable": True}, entry.remarks | {"nullable": remark})


def _named(name: str, column: Column) -> dict[str, Json]:
    return {"name": name, **({"source": column.source} if name != column.source else {})}


def _opposites(values: Collection[str]) -> tuple[str, str] | None:
    """The word for yes and the word for no among two values, as the file writes them."""
    words = {value.casefold().removesuffix(".0"): value for value in values}
    for yes, no in OPPOSITES:
        if words.keys() == {yes, no}:
            return words[yes], words[no]
    return None


def _truth_words(found: tuple[str, str]) -> dict[str, Json]:
    yes, no = found
    if {yes.casefold(), no.casefold()} <= _READ_ALREADY:
        return {}
    return {"true": [yes], "false": [no]}


def _with_room(low: float, high: float) -> tuple[float, float]:
    """Half the range more on both sides, rounded outwards; nothing below 0 where nothing is."""
    room = (high - low) / 2 or abs(high) or 1.0
    minimum = _round(low - room, down=True)
    if low >= 0:
        minimum = max(minimum, 0.0)
    return minimum, _round(high + room, down=False)


def _round(value: float, *, down: bool) -> float:
    """Two significant digits, outwards."""
    if not value:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    steps = math.floor(value / step) if down else math.ceil(value / step)
    return float(f"{steps * step:.12g}")


def _listed(values: Collection[str], most: int = 10) -> str:
    shown = sorted(values)[:most]
    return ", ".join(shown) + (" and others" if len(values) > most or not values else "")
