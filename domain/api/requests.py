"""Read request bodies more strictly than a JSON parser does.

Duplicate keys, NaN, infinities, unpaired surrogates, deep nesting and encodings other than UTF-8
all raise BadRequest. No message repeats what was sent.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.contract.field_problem import FieldProblem, pointer_token
from domain.errors import DomainError
from domain.plural import agree, write_count

MAXIMUM_BYTES = 1024 * 1024
MAXIMUM_ENTRIES = 1_000
MAXIMUM_EXPLAINED = 50
"""Explaining an instance takes some thirty times as long as answering without."""
LISTED_PROBLEMS = 1_000
"""The most problems that a refusal lists. It always says how many there are."""


class BadRequest(DomainError):
    """A request that is refused; `problems` names the invalid fields, if fields are the reason."""

    def __init__(self, message: str, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems[:LISTED_PROBLEMS])
        self.by_field = Counter(p.field for p in problems if p.field)
        """Number of problems per field of the contract, including those beyond the listed ones."""

    @classmethod
    def listing(cls, problems: Sequence[FieldProblem]) -> "BadRequest":
        """A refusal that lists invalid fields."""
        count, listed = len(problems), min(len(problems), LISTED_PROBLEMS)
        sentence = f"{write_count(count, 'field')} {agree(count, 'is', 'are')} not valid."
        more = f" The first {listed:,} are listed." if count > listed else ""
        return cls(sentence + more, problems)


class TooLarge(BadRequest):
    """A body larger than MAXIMUM_BYTES."""


class UnsupportedMediaType(BadRequest):
    """A body that isn't declared as uncompressed JSON in UTF-8."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a request, and the JSON pointer to it: ``#`` or ``#/instances/3``."""

    value: Any
    at: str


def check_media_type(content_type: str | None, content_encoding: str | None = None) -> None:
    """Accept ``application/json`` in UTF-8, uncompressed; raises UnsupportedMediaType."""
    media, *parameters = (part.strip() for part in (content_type or "").lower().split(";"))
    charsets = [p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset=")]
    if media != "application/json" or any(charset != "utf-8" for charset in charsets):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json, in UTF-8.")
    if content_encoding and content_encoding.strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed, without Content-Encoding.")


def parse_json(body: bytes) -> Any:
    """Decode one strict JSON document; raises BadRequest or TooLarge.

    An integer with more than 32 digits becomes a float, which may be infinite. So its field is
    reported as out of range, like that of any other number that is too large.
    """
    if len(body) > MAXIMUM_BYTES:
        raise TooLarge(f"The body is larger than {MAXIMUM_BYTES:,} bytes; send fewer instances.")
    if not body.strip():
        raise BadRequest("The body is empty; send a JSON object.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8.") from None
    if text.startswith("\ufeff"):
        raise BadRequest("The body starts with a byte order mark; send UTF-8 without one.")
    try:
        document = _decode(text)
        if "\\ud" in text.lower():
            _refuse_unpaired_surrogates(document)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not JSON: {error.msg} at {where}.") from None
    return document


def read_flags(query: Mapping[str, Sequence[str]], *names: str) -> tuple[bool, ...]:
    """Read all query parameters of a route: each ``true``, ``false`` or absent.

    `query`: all values of each parameter. Raises BadRequest for any other parameter or value.
    """
    if set(query) - set(names):
        raise BadRequest(f"The query parameters here are {' and '.join(names)}, and no other.")
    flags = []
    for name in names:
        values = query.get(name, ("false",))
        if len(values) != 1 or values[0] not in ("true", "false"):
            raise BadRequest(f"The query parameter {name} must be true or false, and sent once.")
        flags.append(values[0] == "true")
    return tuple(flags)


def read_entries(
    document: Any, wrapper: str, *, explained: bool = False
) -> tuple[list[Entry], bool]:
    """Return the objects of a request, and whether they came as a batch, ``{wrapper: [...]}``.

    `explained`: whether explanations are asked for, which lowers the limit. Raises BadRequest if
    there is no object, more than the limit, or another field beside `wrapper`.
    """
    if not isinstance(document, dict):
        raise BadRequest.listing([FieldProblem("#", "must be a JSON object")])
    if wrapper not in document:
        return [Entry(document, "#")], False
    values = document[wrapper]
    problems = [
        FieldProblem(f"#/{pointer_token(name)}", f"is not a field beside {wrapper}")
        for name in document
        if name != wrapper
    ]
    maximum = MAXIMUM_EXPLAINED if explained else MAXIMUM_ENTRIES
    if not isinstance(values, list) or not 1 <= len(values) <= maximum:
        reason = " where explain=true" if explained else ""
        detail = f"must be a list of 1 to {maximum:,} objects{reason}"
        problems.append(FieldProblem(f"#/{wrapper}", detail))
    if problems:
        raise BadRequest.listing(problems)
    return [Entry(value, f"#/{wrapper}/{index}") for index, value in enumerate(values)], True


def refuse(problems: Iterable[FieldProblem]) -> None:
    """Raise BadRequest if there is any problem."""
    if found := list(problems):
        raise BadRequest.listing(found)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise BadRequest("The body contains an object with the same key twice.")
    return document


def _refuse_constant(_: str) -> None:
    raise BadRequest("The body contains NaN or an infinity, which JSON doesn't have.")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= 32 else float(digits)


def _refuse_unpaired_surrogates(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadRequest("The body contains half of a surrogate pair, which is no text.") from None


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer
).decode
"""Made once: json.loads makes one per call."""
