"""What a batch scoring is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain import keys

READABLE = (keys.RAW, keys.SCORING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Keys in the data bucket.

    `input`: a file, or a folder of them, ending with a slash. `output`: a folder under
    ``scoring/``, ending with a slash. `version`: of the model; None is the champion. `log`: whether
    the predictions join the prediction log, with the source ``batch``.
    """

    input: str
    output: str
    version: str | None = None
    log: bool = False

    @staticmethod
    def problems(document: object) -> list[str]:
        """What is wrong with decoded JSON; empty when ``ScoreRequest(**document)`` may be made."""
        if not isinstance(document, Mapping):
            return ["score must be a JSON object with input and output"]
        fields: dict[str, object] = dict(document)
        known = ("input", "output", "version", "log")
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
        return problems


def _under(key: object, prefixes: tuple[str, ...]) -> bool:
    return isinstance(key, str) and key.startswith(prefixes) and len(key) <= 512


def _is_place(source: str) -> bool:
    return source.endswith("/") or keys.is_table(source)
