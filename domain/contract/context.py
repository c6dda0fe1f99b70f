"""Columns of a file that identify a row or a person and are never scored."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["row_id", "subject"]
ROLES: tuple[Role, ...] = ("row_id", "subject")


@dataclass(frozen=True, slots=True)
class Context:
    """One such column.

    `row_id`: a different value in each row. `subject`: a pseudonym of the person, who may have
    several rows.
    """

    name: str
    role: Role

    @property
    def column(self) -> str:
        """Its name in Glue, Athena and Parquet, which know only lower case."""
        return self.name.lower()
