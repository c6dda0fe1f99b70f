"""What a batch scoring is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from domain import keys
from domain.contract.records import SUBJECT_KEY

MOST_KEPT = 100
OUTPUT_COLUMNS = frozenset(
    {
        "file",
        "row",
        "probability",
        "predicted",
        "reason",
        "prediction_id",
        "row_id",
        SUBJECT_KEY,
    }
)
"""The output's own columns."""
KEPT = "kept_"
"""Begins the output's name of a kept column that is called like one of those."""
READABLE = (keys.RAW, keys.SCORING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Keys in the data bucket.

    `input`: a file, or a folder of them, ending with a slash. `output`: a folder under
    ``scoring/``, ending with a slash. `version`: of the model; None is the champion. `log`: whether
    the predictions join the prediction log, with the source ``batch``. `keep`: columns of the input
    that the output gets as they are, by their names in files (see `name_kept`).
    """

    input: str
    output: str
    version: str | None = None
    log: bool = False
    keep: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Decode JSON without `problems`."""
        return cls(**{**document, "keep": tuple(document.get("keep", ()))})

    @staticmethod
    def problems(document: object) -> list[str]:
        """What is wrong with decoded JSON; empty when `parse` may be called."""
        if not isinstance(document, Mapping):
            return ["score must be a JSON object with input and output"]
        fields: dict[str, object] = dict(document)
        known = ("input", "output", "version", "log", "keep")
        problems = [f"score.{name} is not known" for name in fields if name not in known]
        source, output = fields.get("input"), fields.get("output")
        if not _under(source, READABLE) or not _is_place(str(source)):
            problems.append(
                f"score.input must be a file under {' or '.join(READABLE)}, or a folder there,"
                " ending with /"
            )
        if not _under(output, (keys.SCORING,)) or not str(output).endswith("/"):
            problems.append(f"score.output must be a folder under {keys.SCORING}, ending with /")
        elif str(output).startswith(str(source)):
            problems.append("score.output must lie outside score.input")
        version = fields.get("version")
        if version is not None and not keys.is_version(version):
            problems.append("score.version must be a version such as 7-0a1b2c3d")
        if not isinstance(fields.get("log", False), bool):
            problems.append("score.log must be true or false")
        problems += _keep_problems(fields.get("keep", []))
        return problems


def _keep_problems(keep: object) -> list[str]:
    if not isinstance(keep, list | tuple) or not all(isinstance(n, str) and n for n in keep):
        return ["score.keep must be a list of column names"]
    if len(set(keep)) != len(keep) or len(keep) > MOST_KEPT:
        return [f"score.keep must name each column once, and at most {MOST_KEPT}"]
    twice = [name for name in keep if name_kept(name) != name and name_kept(name) in keep]
    return [
        f"score.keep: {name} and {name_kept(name)} would both be called {name_kept(name)} in the"
        " output: keep one of them, or give one another name in the files"
        for name in twice
    ]


def name_kept(source: str) -> str:
    """What the output calls a kept column: as the input does, unless it is one of its own names."""
    return f"{KEPT}{source}" if source in OUTPUT_COLUMNS else source


def _under(key: object, prefixes: tuple[str, ...]) -> bool:
    return isinstance(key, str) and key.startswith(prefixes) and len(key) <= 512


def _is_place(source: str) -> bool:
    return source.endswith("/") or keys.is_table(source)
