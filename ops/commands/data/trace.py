"""`trace`: where a prediction came from, and whether it can be computed again."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from domain import keys, times
from domain.plural import write_count
from domain.retention import Retention
from ops.commands.data.query import describe_expiry, query
from ops.console import Answer, Progress, facts
from ops.errors import OpsError
from ops.target import Target

if TYPE_CHECKING:  # they take their time to import, and --help does without them
    from rich.console import RenderableType

    from domain.erasure import Certificate
    from ops.tracing.trace import Trace

MOST = 100
"""Predictions that are traced at once; a reference may be that of more."""


def run(
    target: Target,
    name: Annotated[
        str,
        Argument(
            metavar="PREDICTION_ID|REFERENCE",
            help="The id in the answer, or the caller's own reference.",
        ),
    ],
    *,
    replay: Annotated[
        bool,
        Option("--replay", help="Score the logged features again, and compare every bit."),
    ] = False,
) -> Answer:
    """Say which model made a prediction, and how that came to serve."""
    from adapters.erasures import find_erasure
    from ops.tracing.datasets import describe_dataset
    from ops.tracing.trace import trace

    with Progress("trace") as progress:
        progress.note("looking for it in the log")
        found = list(_find(target, name))
    if not found:
        erasure = find_erasure(target.bucket("data"), name.lower())
        if erasure is not None:
            return _describe_erased(name.lower(), erasure)
        raise OpsError(
            "No prediction in the log has this id or reference: none was logged, it hasn't been"
            " delivered yet, or its record has expired. An erased record is found by its id only,"
            + " ".join([" since nothing of its reference is kept.", *describe_expiry(target)]),
            "Records reach the log some minutes after the answer. Ask again then, or list what is"
            " there: python -m ops query 'SELECT * FROM predictions LIMIT 10'",
        )
    traces = trace(
        found[:MOST],
        predictions=target.bucket("predictions"),
        models=target.models,
        replayed=replay,
    )
    data, kept_days = target.bucket("data"), Retention.parse(target.deployment.retention).datasets
    datasets = {
        name: describe_dataset(data, name, kept_days=kept_days)
        for name in {one.card.dataset_id for one in traces if one.card}
    }
    shown: list[RenderableType] = []
    for one in traces:
        shown += [facts(_describe(one, datasets)), ""]
    shown[-1:] = [f"Only {MOST:,} of them are shown."] if len(found) > MOST else []
    return Answer(
        data={"predictions": [one.to_dict() for one in traces]},
        shown=shown,
        next_step="" if replay else f"python -m ops trace {found[0][0]} --replay",
        status=1 if any(_differs(one) for one in traces) else 0,
    )


def _find(target: Target, name: str) -> Iterator[tuple[str, date]]:
    """Ids of the predictions, and the day whose folder holds each, the earliest first."""
    text = name.replace("'", "''")
    _, rows = query(
        target,
        "SELECT prediction_id, dt FROM predictions"  # noqa: S608 - the quotes are doubled
        f" WHERE prediction_id = '{text.lower()}' OR reference = '{text}'"
        f" ORDER BY predicted_at, prediction_id LIMIT {MOST + 1}",
    )
    for prediction_id, day in rows:
        yield str(prediction_id), date.fromisoformat(str(day))


def _differs(one: "Trace") -> bool:
    return bool(one.problem) or (one.replay is not None and not one.replay.identical)


def _describe_erased(prediction_id: str, erasure: "Certificate") -> Answer:
    at = f"{times.from_millis(erasure.finished_at):%Y-%m-%d %H:%M:%S} UTC"
    certificate = keys.erasure_certificate(erasure.erasure)
    return Answer(
        data={"predictions": [], "erased": {"at": erasure.finished_at, "certificate": certificate}},
        shown=[
            facts([("prediction", prediction_id), ("erased", at), ("certificate", certificate)]),
            "The record of this prediction was erased, together with its label and its scores.",
        ],
    )


def _describe(one: "Trace", datasets: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """`datasets`: what is said of each."""
    row, card, entry = one.row, one.card, one.entry
    lost = "unknown: the version has no readable model card"
    answer = "yes" if row["predicted"] else "no"
    pairs = [
        ("prediction", str(row["prediction_id"])),
        ("reference", str(row.get("reference") or "none")),
        ("predicted at", f"{times.from_millis(one.predicted_at):%Y-%m-%d %H:%M:%S} UTC"),
        ("source", str(row["source"])),
        ("version", one.version),
        ("answer", f"{answer}: {row['probability']!r} against {row['threshold']!r}"),
        ("contract", str(row["contract_version"])),
        ("dataset", datasets[card.dataset_id] if card else lost),
        ("training", card.execution if card else lost),
        ("code", (card.code_version or "not recorded") if card else lost),
        ("gate", " ".join(card.verdict.reasons) if card else lost),
        ("ledger", "no entry: it never served before that time"),
    ]
    if entry:
        since = f"{times.from_millis(entry.promoted_at):%Y-%m-%d %H:%M:%S} UTC"
        pairs[-1] = ("ledger", f"{entry.seq}, {entry.action} at {since}")
    if card and card.erased:
        rows = sum(part.rows for part in card.erased)
        pairs.append(("erased", f"{write_count(rows, 'row')} of the version's reference"))
    if one.problem:
        pairs.append(("replay", one.problem))
    elif one.replay:
        verdict = "the same bit for bit" if one.replay.identical else "NOT the same"
        pairs.append(("replay", f"{verdict}: {one.replay.probability!r}"))
    return pairs
