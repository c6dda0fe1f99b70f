"""How files write what the contract names: column names, words, separators, encodings.

All of it concerns files only. Requests to the API use the contract's own names and values.
"""

import string
import unicodedata
from dataclasses import dataclass
from typing import Literal

SEPARATORS = (",", ";", "\t", "|", "\x01")
"""Those that are recognised; the last one is Hive's."""
_NO_SEPARATORS = frozenset(string.ascii_letters + string.digits + '"\r\n\0 +-.')
Decimal = Literal[".", ","]
DECIMALS: tuple[Decimal, ...] = (".", ",")


USUAL_MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "#na", "<na>", "nan", "+nan", "-nan", "nat", "null", "\\n"}
)
"""Texts that tools write for a missing value, in lower case."""

BLANKS = string.whitespace + "".join(
    map(
        chr,
        (
            *range(0x1C, 0x20),
            *(0x85, 0xA0, 0xAD, 0x61C, 0x1680, 0x180E, 0x3000, 0xFEFF),
            *range(0x2000, 0x2010),
            *range(0x2028, 0x2030),
            *range(0x205F, 0x2070),
        ),
    )
)
"""Blanks of every width, and characters that nobody sees: direction and byte order marks, ..."""


def fold_case(text: str) -> str:
    """The text without capitals, in Turkish too, whichever way its accents are written."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return folded if folded.isascii() else folded.replace("i\u0307", "i").replace("\u0131", "i")


def is_separator(text: object) -> bool:
    """Whether it may separate fields: one character of ASCII that no number or word has."""
    return (
        isinstance(text, str) and len(text) == 1 and text.isascii() and text not in _NO_SEPARATORS
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFormat:
    """How files write one column.

    `source`: the column's name in files, where it differs from the contract's. `missing`: texts
    that mean "no value", besides the usual ones. `true`, `false`: words for 1 and 0.
    """

    source: str = ""
    missing: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How whole files are written.

    `separator` and `encoding`: empty means that they are recognised file by file.
    `partition_columns`: columns whose value is in the name of a folder, as in ``gender=Male/``.
    """

    separator: str = ""
    decimal: Decimal = "."
    encoding: str = ""
    partition_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingColumns:
    """Columns that only training files have, by their names there; empty: there is none.

    `time`: when each row was observed; the newest rows are the test side. `weight`: of each row,
    in any unit; a row of weight 2 counts as two rows of weight 1.
    """

    time: str = ""
    weight: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(name for name in (self.time, self.weight) if name)


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column that a file must have (`required`) or may have.

    `name`: the contract's. `source`: what files call it.
    """

    name: str
    source: str
    required: bool
