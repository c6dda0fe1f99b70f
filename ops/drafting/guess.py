"""What a column's values suggest: an entry of the contract, or that it is better left out."""

import math
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from domain.contract.feature import LARGEST, may_be_new_category
from domain.contract.feature_document import MOST_CATEGORIES, is_name
from domain.contract.file_format import Decimal
from domain.contract.reserved_names import RESERVED_COLUMNS, RESERVED_FIELDS
from domain.plural import agree, write_count
from domain.typed_json import Json
from ops.drafting.column import Column
from ops.errors import OpsError
from training_job.dataset.hashing import ENOUGH_OF_A_CLASS

MOSTLY = 0.95
"""The share of a column's values that must look alike before it is taken for that."""
FEW_WORDS = 3
"""The most different words among numbers that are taken for "no value"."""
NAME_ROOM = 60
"""Characters of a header that become a name; questionnaires have whole questions as headers."""
LONG_TAIL = 50
"""From more different values on, the rare ones are collected, if there are rare ones."""
FREQUENT = 10
"""Rows of a value that is not rare: what fewer rows say of it is chance."""
FREQUENT_SHARE = 0.001
"""Share of the rows, too: each listed value is a column of the model's input, which takes time."""
LISTED_SHARE = 0.5
"""The least share of the rows that must have a listed value."""
FREE_TEXT = 40
"""Mean length, in characters, from which texts are taken for sentences."""
PLACEHOLDERS = {
    *("unknown", "missing", "n.a.", "n.a", "not available", "not applicable", "none"),
    *("inf", "-inf", "infinity", "-infinity"),
}
"""Words in lower case that stand for "no value" among numbers, beside the usual ones."""
_SIGNS = re.compile(r"[^\w\s]+|#\w+[/!?]\w*[!?]?")
"""Other such words: a dash or a question mark, and what a spreadsheet says of a fault (#DIV/0!)."""
SENTINELS = {"-1", "-9", "-99", "-999", "-9999", "-99999", "99", "999", "9999", "99999"}
"""Numbers by which "no value" is often written."""
FAR = 3.0
"""How far beyond all other values such a number must lie, in their largest."""
NUMBERING = {"id", "ids", "key", "nr", "no", "uuid", "guid", "index", "idx", "serial", "rowid"}
"""Words of the names of columns that tell rows apart."""
MOST_CODES = 12
"""Different whole numbers up to which they may well be codes."""
_UNIT = re.compile(
    r"(?P<before>[^\w\s]{0,2} ?)[\d.,]*\d(?P<after> ?[^\w\s]{1,2}| ?[a-zA-Zµ°]{1,3})?"
)
"""A number with a sign or a short unit."""
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
TARGET_OPPOSITES = (*OPPOSITES, ("1", "-1"), ("+", "-"))
"""As a feature, 1 and -1 are numbers."""
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
    name = re.sub(r"[^0-9A-Za-z]+", "_", plain).strip("_")[:NAME_ROOM].strip("_") or "column"
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
    different = {value.casefold() for value in values}
    if not column.rows:
        raise OpsError(
            f"The column {column.source} has no value in any row: nothing can be learned from it.",
            "Choose another --target.",
        )
    if positive is not None:
        if positive not in values:
            raise OpsError(
                f"No row has the value that --positive names in the column {column.source}.",
                f"Its values are {_listed(values)}.",
            )
        same = [value for value in values if _fold(value) == _fold(positive)]
        others = [value for value in values if value not in same]
        keys |= {"true": _spell_once(same), "false": _spell_once(others)}
        positives = same
    elif found := _opposites(values, TARGET_OPPOSITES):
        positives = found[0]
        keys |= _truth_words(found)
    elif not column.rows:
        raise OpsError(
            f"The column {column.source} has no value in any row.", "Choose another --target."
        )
    elif len(different) == 1:
        raise OpsError(
            f"The column {column.source} has one value only: nothing can be learned from it.",
            "Choose another --target.",
        )
    elif len(different) == 2:
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
    rows = sum(column.counts[value] for value in positives)
    remarks = {"name": f"{rows / column.rows:.1%} of the rows are positive"}
    if column.missing:
        remarks["name"] += (
            f"; {write_count(column.missing, 'row')} without a value can't be learned from"
        )
    few = min(rows, column.rows - rows)
    if few < ENOUGH_OF_A_CLASS:
        remarks["name"] += (
            f"; with only {write_count(few, 'row')} of one class a side of the split may get none "
            f"of it: {ENOUGH_OF_A_CLASS} are enough"
        )
    return Entry(keys, remarks)


def guess_feature(column: Column, name: str, decimal: Decimal) -> Entry | LeftOut:
    """A feature, or why the column is left out."""
    if useless := _find_useless(column):
        return LeftOut(column.source, useless)
    keys = _named(name, column)
    if len(column.counts) == 1:
        remark = (
            f"a mark in {column.rows:,} of {write_count(column.total, 'row')}; without it nothing "
            "is known"
        )
        mark: dict[str, Json] = {"kind": "category", "categories": list[Json](column.counts)}
        keys |= mark | {"other": True, "nullable": True}
        return Entry(keys, {"categories": remark, "other": "a category needs two values"})
    if not column.many and (found := _opposites(column.counts)):
        return _with_missing(Entry(keys | {"kind": "flag"} | _truth_words(found)), column)
    if _is_number(column, decimal):
        return _guess_number(column, keys, decimal)
    return _guess_words(column, keys)


def _is_number(column: Column, decimal: Decimal) -> bool:
    """Whether the column has numbers, and beside them at most a few words for "no value"."""
    numbers = column.ranges["."].rows + (column.ranges[","].rows if decimal == "," else 0)
    share = numbers / column.rows
    only_gaps = share > LISTED_SHARE and all(map(_is_placeholder, column.words))
    is_code = column.padded > 0  # as a number, a post code would lose its zeros
    return (share >= MOSTLY or only_gaps) and len(column.words) <= FEW_WORDS and not is_code


def _guess_words(column: Column, keys: dict[str, Json]) -> Entry | LeftOut:
    if sum(map(bool, map(_THOUSANDS.fullmatch, column.words))) > FEW_WORDS:
        return LeftOut(column.source, "its numbers have thousands separators, which aren't read")
    if unit := _find_unit(column):
        return LeftOut(
            column.source,
            f"its numbers are written as {unit}, and only plain numbers are read: take the sign or"
            " unit out of the file",
        )
    return _guess_category(column, keys)


def _find_useless(column: Column) -> str:
    """Why nothing can be learned from the column, if that is plain."""
    if not column.rows:
        return "it has no value in any row"
    if len(column.counts) == 1 and not column.missing:
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
    is_whole = all(r.whole for r in ranges)
    if is_whole and column.rows > 2 and (column.rising or column.falling):
        return LeftOut(column.source, "it counts the rows")
    if is_whole and column.rows > MOST_CODES and _is_numbering(column):
        return LeftOut(column.source, "it has another whole number in each row, as an id")
    words: dict[str, Json] = {}
    remarks = {}
    more = sum(column.words.values())
    if column.words:
        words = {"missing": list[Json](sorted(column.words))}
        remarks["missing"] = "among numbers"
    if sentinel := _find_sentinel(column):
        low, high = sentinel.low, sentinel.high
        words = {"missing": [*column.words, float(sentinel.text)]}
        have = agree(sentinel.rows, "has", "have")
        remarks["missing"] = (
            f"{write_count(sentinel.rows, 'row')} {have} {sentinel.text}, far from all others"
        )
        more += sentinel.rows
    minimum, maximum = _with_room(low, high)
    if not -LARGEST <= minimum < maximum <= LARGEST:
        return LeftOut(column.source, "its numbers are too large for a model's input (32 bits)")
    remarks["minimum"] = "with room below and above what was seen"
    if is_whole and len(column.counts) <= MOST_CODES and not column.many:
        remarks["kind"] = "few whole numbers: if they are codes, make it a category"
    entry = Entry(
        keys | {"kind": "number", "minimum": minimum, "maximum": maximum} | words,
        remarks,
    )
    return _with_missing(entry, column, more=more)


def _is_placeholder(word: str) -> bool:
    return word.casefold() in PLACEHOLDERS or _SIGNS.fullmatch(word) is not None


def _is_numbering(column: Column) -> bool:
    """Whether name and values say that the column tells rows apart."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column.source)
    is_unique = max(column.counts.values()) == 1
    return is_unique and not NUMBERING.isdisjoint(word.lower() for word in words)


@dataclass(frozen=True, slots=True)
class _Sentinel:
    """A number that means "no value", with its rows, and the range of all other values."""

    text: str
    rows: int
    low: float
    high: float


def _find_sentinel(column: Column) -> _Sentinel | None:
    """The number by which a column of known values says that there is none."""
    if column.many or column.ranges["."].rows < column.rows:
        return None
    for text, rows in column.counts.items():
        if text.removesuffix(".0") not in SENTINELS or rows < FEW_WORDS:
            continue
        found = float(text)
        others = [float(other) for other in column.counts if float(other) != found]
        if len(others) <= MOST_CODES:
            continue
        low, high = min(others), max(others)
        is_far = found < 0 <= low if found < 0 else found > FAR * max(high, abs(low))
        if is_far:
            return _Sentinel(text.removesuffix(".0"), rows, low, high)
    return None


def _find_unit(column: Column) -> str:
    """How numbers with one and the same sign or unit are written (``#%``), if all are."""
    if len(column.words) <= MOST_CODES or len(column.words) < len(column.counts):
        return ""
    found = [_UNIT.fullmatch(word) for word in column.words]
    shapes = {f"{m['before']}#{m['after'] or ''}" for m in found if m}
    return shapes.pop() if all(found) and len(shapes) == 1 else ""


def _guess_category(column: Column, keys: dict[str, Json]) -> Entry | LeftOut:
    if column.characters > FREE_TEXT * column.rows:
        return LeftOut(column.source, "it holds free text")
    different = len(column.counts)
    if not column.many and different > 0.5 * column.rows and column.rows > 10:
        return LeftOut(column.source, "it has another value in almost each row, as an id")
    ordered: list[Json] = [text for text, _ in column.counts.most_common()]
    enough = max(FREQUENT, math.ceil(FREQUENT_SHARE * column.rows))
    kept = [text for text, count in column.counts.most_common() if count >= enough]
    rare = column.rows - sum(column.counts[text] for text in kept)
    keys |= {"kind": "category"}
    remarks = {"categories": "by frequency"}
    if len(column.counts) > LONG_TAIL and column.rows >= 1_000 and rare:
        reason = ""
        if rare > (1 - LISTED_SHARE) * column.rows:
            reason = (
                f"fewer than {LISTED_SHARE:.0%} of its rows have a value that {enough:,} rows or "
                "more have"
            )
        elif not all(map(may_be_new_category, kept)):
            reason = "some of its texts are too long, or have line breaks"
        if reason:
            return LeftOut(column.source, reason)
        keys |= {"categories": list[Json](kept), "other": True}
        remarks = {
            "categories": f"those of at least {enough:,} rows, by frequency",
            "other": f"{write_count(rare, 'row')} {agree(rare, 'has', 'have')} rarer values, and"
            " new ones are no error",
        }
        return _with_missing(Entry(keys, remarks), column)
    if column.many or different > MOST_CATEGORIES:
        return LeftOut(column.source, f"it has more than {MOST_CATEGORIES:,} different values")
    return _with_missing(Entry(keys | {"categories": ordered}, remarks), column)


def _with_missing(entry: Entry, column: Column, more: int = 0) -> Entry:
    missing = column.missing + more
    if not missing:
        return entry
    rows, have = write_count(column.total, "row"), agree(missing, "has", "have")
    remark = f"{missing:,} of {rows} {have} no value"
    return Entry(entry.keys | {"nullable": True}, entry.remarks | {"nullable": remark})


def _named(name: str, column: Column) -> dict[str, Json]:
    return {"name": name, **({"source": column.source} if name != column.source else {})}


Words = tuple[list[str], list[str]]
"""The words for yes and those for no, as the file writes them."""


def _opposites(
    values: Collection[str], pairs: Sequence[tuple[str, str]] = OPPOSITES
) -> Words | None:
    """The words for yes and for no, if the values are one pair of opposites in any case."""
    words: dict[str, list[str]] = {}
    for value in values:
        words.setdefault(value.casefold().removesuffix(".0"), []).append(value)
    for yes, no in pairs:
        if words.keys() == {yes, no}:
            return words[yes], words[no]
    return None


def _truth_words(found: Words) -> dict[str, Json]:
    """The keys that declare them."""
    if {word.casefold() for words in found for word in words} <= _READ_ALREADY:
        return {}
    yes, no = found
    return {"true": _spell_once(yes), "false": _spell_once(no)}


def _spell_once(words: Sequence[str]) -> list[Json]:
    """The words without those that differ in capitals only: files are read in any case."""
    return list[Json]({word.casefold(): word for word in reversed(words)}.values())[::-1]


def _fold(word: str) -> str:
    """A word without what one word is written differently by: capitals, and a full stop."""
    return word.casefold().rstrip(".")


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
