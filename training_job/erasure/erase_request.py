"""What an erasure is asked to do, and whom the uploaded file names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain import keys
from domain.contract.context import MAXIMUM_LENGTH
from domain.errors import BadKey
from training_job.errors import BadInput

MAXIMUM_SUBJECTS = 1_000
PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseRequest:
    """`subjects`: key of the uploaded file in the data bucket. `dry_run`: change nothing.

    The key says `dry_run` too, so that no other erasure takes the people of a dry run that was
    interrupted for people whose rows are still to be erased.
    """

    subjects: str
    dry_run: bool = False

    @property
    def erasure(self) -> str:
        """The erasure's name."""
        return keys.parse_erasure_subjects(self.subjects)[0]

    @staticmethod
    def problems(document: object) -> list[str]:
        """What is wrong with decoded JSON; empty when ``EraseRequest(**document)`` may be made."""
        if not isinstance(document, Mapping):
            return ["erase must be a JSON object with subjects"]
        fields: dict[str, object] = dict(document)
        known = ("subjects", "dry_run")
        problems = [f"erase.{name} is not known" for name in fields if name not in known]
        dry_run = fields.get("dry_run", False)
        if not isinstance(dry_run, bool):
            problems.append("erase.dry_run must be true or false")
        try:
            _, is_of_dry_run = keys.parse_erasure_subjects(str(fields.get("subjects", "")))
            if isinstance(dry_run, bool) and dry_run != is_of_dry_run:
                problems.append("erase.dry_run contradicts the name of the file in erase.subjects")
        except BadKey:
            problems.append(f"erase.subjects must be a key {keys.ERASURES}<erasure>/subjects.txt")
        return problems


def read_subjects(data: bytes) -> frozenset[str]:
    """The pseudonyms in a text of one a line; raises BadInput that names lines and no value."""
    try:
        # A pseudonym may hold what else Unicode takes for the end of a line.
        lines = re.split("\r\n|\r|\n", data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BadInput("The subject file is not UTF-8: write one pseudonym a line.") from None
    found, problems = set(), []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if len(text) > MAXIMUM_LENGTH:
            problems.append(f"line {number} has more than {MAXIMUM_LENGTH:,} characters")
        elif any(ord(character) < 32 or ord(character) == 127 for character in text):
            problems.append(f"line {number} has a control character")
        elif text:
            found.add(text)
    if not found and not problems:
        problems.append("it names nobody")
    if len(found) > MAXIMUM_SUBJECTS:
        problems.append(
            f"it names {len(found):,} people, and an erasure takes {MAXIMUM_SUBJECTS:,}"
        )
    if problems:
        more = f"; and {len(problems) - PROBLEMS_SHOWN} more" * (len(problems) > PROBLEMS_SHOWN)
        raise BadInput(
            f"The subject file can't be used: {'; '.join(problems[:PROBLEMS_SHOWN])}{more}."
            " Write one pseudonym a line."
        )
    return frozenset(found)
