"""`score`: one execution that scores files with the champion, watched until it ends."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from domain import keys, typed_json
from domain.errors import BadRecord
from domain.plural import write_count
from domain.training.steps import Scored
from domain.typed_json import encode
from ops import executions
from ops.commands.data.upload import plan
from ops.console import Answer, Progress, facts, write_line
from ops.errors import OpsError
from ops.target import Target, require_champion
from training_job.scoring.score_request import ScoreRequest

if TYPE_CHECKING:
    from rich.text import Text

    from adapters.s3 import Bucket, Listed


UNNAMED = f"{keys.SCORING}out/unnamed/"
"""Stands for the folder of the scores until the input's content, which names it, is known."""
NO_MODEL = "No model serves yet, so nothing can be scored."


@dataclass(frozen=True, slots=True)
class _Done:
    """What ``progress.json`` says."""

    rows: int
    refused: int
    bytes: int


def run(
    target: Target,
    *,
    input: Annotated[
        str, Option(help="A local file or folder, or a key or folder of the data bucket.")
    ],
    output: Annotated[
        str | None,
        Option(
            help=f"A folder under {keys.SCORING} of the data bucket, or a local one, into which"
            f" the scores are copied. Without it, a folder named after input and model."
        ),
    ] = None,
    model_version: Annotated[
        str | None, Option(help="Score with this version instead of the champion.")
    ] = None,
    log: Annotated[bool, Option("--log", help="Add the scores to the prediction log.")] = False,
    keep: Annotated[
        list[str] | None, Option(help="A column of the input for the output; may be repeated.")
    ] = None,
) -> Answer:
    """Score a file, or a folder of files, with the champion.

    The output has the contract's row id, and the columns of the input that you name with --keep.
    One that is called like a column of the output, e.g. probability, becomes kept_probability.
    The same command run again continues where it was interrupted.
    """
    kept = tuple(keep or ())
    if not input.strip():
        raise OpsError("The input has no name.", "Name a file or folder after --input.")
    wanted = model_version or require_champion(target, NO_MODEL).version
    source, uploads = _plan_uploads(input)
    if output and output.startswith(keys.SCORING):
        # A scoring that goes on in that folder keeps the model that it began with.
        folder, version, place = None, model_version, f"{output.rstrip('/')}/"
    else:
        folder, version, place = _make_folder(output) if output else None, wanted, UNNAMED
    request = ScoreRequest(input=source, output=place, version=version, log=log, keep=kept)
    executions.require_valid({"score": encode(request)})
    _require_model(target, model_version)
    bucket = target.bucket("data")
    _upload(bucket, uploads)
    inputs = _list_tables(bucket, source)
    if place == UNNAMED:
        place = keys.scoring_output(_digest(inputs, kept), wanted, log=log)
        request = replace(request, output=place)
    scored = score(target, request, size=sum(entry.size for entry in inputs))
    if folder is not None:
        for entry in bucket.list(place):
            bucket.download(entry.key, folder / entry.key.removeprefix(place))
        next_step = f"Read the Parquet files in {folder}"
    elif log:
        next_step = "python -m ops query"
    else:
        next_step = f"Read the Parquet files in {bucket.uri(place)}"
    return Answer(
        data=scored.to_dict() | {"scores": str(folder) if folder else bucket.uri(place)},
        shown=[_describe(scored)],
        next_step=next_step,
    )


def score(target: Target, request: ScoreRequest, *, size: int) -> Scored:
    """Start the execution and follow it; returns its summary, raises OpsError when it failed.

    `size`: of the input, in bytes.
    """
    execution = executions.start(target, {"score": encode(request)})
    data = target.bucket("data")
    with Progress("score", total=size, unit=" bytes") as progress:
        progress.note("starting")
        result = executions.follow(
            target,
            execution,
            on_poll=lambda _: _show_progress(progress, data, request.output),
            noun="scoring",
            next_step="Correct what it names; the same command then continues where it was.",
        )
    return Scored.from_dict(result.output[Scored.step])


def _make_folder(name: str) -> Path:
    """The local folder for the scores, made before they are; raises OpsError."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OpsError(
            f"{name} can't be made a folder for the scores: {error.strerror}.",
            "Name another folder after --output.",
        ) from None
    return folder


def _plan_uploads(given: str) -> tuple[str, list[tuple[Path, str]]]:
    """``(key or folder to score, local files with the keys that they get)``."""
    path = Path(given)
    if not path.exists():
        if not given.startswith((keys.RAW, keys.SCORING)):
            raise _nothing_to_score(given)
        return keys.place(given), []
    chosen, ignored = plan([path], "")
    for skipped in ignored:
        write_line(f"Ignored: {skipped}.")
    content = [(one.key, one.digest()) for one in chosen]
    if path.is_dir():
        # A folder is named by all that it holds: another file, another folder of scores.
        whole = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        places = [keys.scoring_upload(whole, key) for key, _ in content]
        source = keys.scoring_upload(whole, f"{path.resolve().name}/")
    else:
        ((key, digest),) = content
        places = [keys.scoring_upload(digest, key)]
        source = places[0]
    return source, [(one.path, place) for one, place in zip(chosen, places, strict=True)]


def _upload(bucket: "Bucket", uploads: Sequence[tuple[Path, str]]) -> None:
    """Upload local files, unless they are there."""
    for path, place in uploads:
        if not bucket.exists(place):
            bucket.upload(path, place)
            write_line(f"Uploaded {path} as {place}.")


def _list_tables(bucket: "Bucket", source: str) -> "list[Listed]":
    found = [entry for entry in bucket.list(source) if keys.is_data(entry.key, source)]
    if not found:
        raise _nothing_to_score(source)
    return found


def _nothing_to_score(named: str) -> OpsError:
    return OpsError(
        f"{named} is neither a local file or folder nor anything to score in the data bucket.",
        f"Name a file or folder of this machine, or a key under {keys.RAW} or {keys.SCORING} of the"
        " bucket.",
    )


def _digest(inputs: "list[Listed]", keep: Sequence[str] = ()) -> str:
    """Hash of a listing: another one when a file was added, changed or removed.

    It is another one for other kept columns, too.
    """
    listed: list[object] = [(e.key, e.size, e.modified.isoformat()) for e in inputs]
    return hashlib.sha256(json.dumps([*listed, *keep]).encode()).hexdigest()


def _require_model(target: Target, version: str | None) -> None:
    if version is not None and not target.models.bucket.exists(keys.bundle(version)):
        raise OpsError(f"There is no version {version}.", "python -m ops ledger")


def _show_progress(progress: Progress, data: "Bucket", output: str) -> None:
    """Show how far it is, in bytes of the input and rows."""
    stored = data.get(keys.scoring_progress(output))
    if stored is not None:
        try:
            done = typed_json.from_json(_Done, stored.data)
        except BadRecord:  # it is for show only
            return
        progress.detail(f"{write_count(done.rows, 'row')}, {done.refused:,} refused")
        progress.reach(done.bytes)
    elif data.exists(keys.scoring_plan(output)):
        progress.note("at work")
        progress.detail("")


def _describe(scored: Scored) -> "Text":
    """How many rows were scored, and why some were refused."""
    pairs = [
        ("version", scored.model_version),
        ("rows scored", f"{scored.rows - scored.refused:,}"),
        ("positive", f"{scored.positives:,}"),
        ("rows refused", f"{scored.refused:,}"),
    ]
    pairs += [("reason", f"{r.reason} ({write_count(r.rows, 'row')})") for r in scored.top_reasons]
    return facts(pairs)
