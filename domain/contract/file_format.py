"""How files write what the contract names: column names, words, separators, encodings.

All of it concerns files only. Requests to the API use the contract's own names and values.
"""

from dataclasses import dataclass
from typing import Literal

Separator = Literal["", ",", ";", "\t", "|"]
SEPARATORS: tuple[Separator, ...] = (",", ";", "\t", "|")
Decimal = Literal[".", ","]
DECIMALS: tuple[Decimal, ...] = (".", ",")


USUAL_MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "#na", "<na>", "nan", "+nan", "-nan", "nat", "null", "\\n"}
)
"""Texts that tools write for a missing value, in lower case."""


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

    separator: Separator = ""
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
