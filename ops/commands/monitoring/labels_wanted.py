"""`labels-wanted`: draw the predictions whose labels tell most about the model."""

import csv
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from domain.drift.window import MAXIMUM_DAYS, Window
from domain.errors import BadBundle
from domain.keys import DrawId, RunId
from domain.plural import write_count
from ops.console import Answer, Progress, table, write_line
from ops.errors import OpsError
from ops.outputs import require_writable
from ops.target import Target, require_champion

if TYPE_CHECKING:  # they take their time to import, and --help does without them
    from tabular.draws.frame import Frame
    from tabular.draws.store import StoredDraw

OTHER_COUNTS = (100, 150, 200, 300, 500)
"""Numbers of labels whose power is shown beside the wanted one's."""
LEAST, MOST = 50, 10_000
SAMPLE_ROWS = 200_000
"""Of more predictions a random part of this size is drawn from."""


def run(
    target: Target,
    *,
    count: Annotated[int, Option(min=LEAST, max=MOST, help="Predictions to draw.")] = 300,
    days: Annotated[
        int, Option(min=1, max=MAXIMUM_DAYS, help="Draw from those of so many days until now.")
    ] = 28,
    seed: Annotated[int, Option(min=0, max=999_999_999, help="Seed of the draw.")] = 1,
    out: Annotated[Path, Option(metavar="FILE", help="The CSV file to write.")] = Path(
        "labels-wanted.csv"
    ),
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what the labels could show, and draw nothing.")
    ] = False,
) -> Answer:
    """Draw the predictions whose labels tell most about the model, and write their ids as CSV.

    The champion's predictions are drawn by score and segment with known probabilities, so that few
    labels tell how it performs on all of them. Send the labels to POST /labels as usual. Once nine
    of ten are known, each drift run shows F1, precision and recall with their intervals, and says
    whether F1 has fallen.
    """
    if out.exists() and not dry_run:
        raise OpsError(f"{out} exists already.", "Name another file with --out.")
    if not dry_run:
        require_writable(out, "--out")
    now = datetime.now(UTC).replace(microsecond=0)
    version, frame = load_frame(target, Window(now - timedelta(days=days), now))
    rows = frame.table.num_rows
    if rows < count:
        raise OpsError(
            f"Version {version} has {write_count(rows, 'prediction')} in the last "
            f"{write_count(days, 'day')}, fewer than {count:,}.",
            f"python -m ops labels-wanted --count {rows}" if rows >= LEAST else "Add --days.",
        )
    counts = sorted({count, *(other for other in OTHER_COUNTS if other <= rows)})
    power = {labels: frame.find_power(labels) for labels in counts}
    f1 = frame.worlds.f1
    header = ("labels", f"probability to find a fall of F1 from {f1:.2f} to {f1 - 0.1:.2f}")
    lines = [(f"{labels:,}", f"{100 * found:.0f} %") for labels, found in power.items()]
    data = {"version": version, "predictions": rows, "f1": f1, "power": power}
    if dry_run:
        return Answer(
            data=data,
            shown=[table(header, lines)],
            next_step=f"python -m ops labels-wanted --count {count}",
        )
    write_line(f"{count:,} labels find a fall of F1 by 0.10 with {100 * power[count]:.0f} %.")
    draw_id = DrawId(RunId(now - timedelta(days=days), now, version), count, seed)
    drawn = _draw(target, frame, draw_id, power[count])
    write_csv(out, drawn)
    return Answer(
        data=data | {"draw": str(draw_id), "file": str(out)},
        shown=[
            table(header, lines),
            f"{count:,} of {rows:,} predictions of version {version} are in {out}.",
        ],
        next_step="Send their labels to POST /labels, then: python -m ops drift --as-scheduled",
    )


def load_frame(target: Target, window: Window) -> "tuple[str, Frame]":
    """The champion's version, and its predictions in the window; raises OpsError without any."""
    import numpy as np

    from monitoring_job.statistics.calibration import AS_GIVEN, fit_line
    from tabular.draws.frame import Frame, load_predictions
    from tabular.log_objects import LogObjects
    from tabular.models import Models, NoReference

    champion = require_champion(target)
    models = Models(target.bucket("models"))
    try:
        bundle, reference = models.bundle(champion.version), models.reference(champion.version)
    except (BadBundle, NoReference) as error:
        raise OpsError(str(error), "python -m ops rollback") from None
    with Progress("labels-wanted") as progress:
        progress.note("reading the prediction log")
        found = load_predictions(
            log=LogObjects(target.bucket("predictions")),
            contract=bundle.contract,
            version=champion.version,
            window=window,
            sample_rows=SAMPLE_ROWS,
        ).table
    if not found.num_rows:
        raise OpsError(
            f"Version {champion.version} has no predictions in this time.",
            "python -m ops simulate",
        )
    labels = None
    if "label" in reference.column_names and not reference["label"].null_count:
        labels = np.asarray(reference["label"].to_numpy(), dtype=bool)
    line = fit_line(labels, reference["probability"].to_numpy()) or AS_GIVEN
    chances = line.apply(found["probability"].to_numpy())
    frame = Frame.of(bundle.contract, found, chances=chances, threshold=bundle.threshold)
    return champion.version, frame


def _draw(target: Target, frame: "Frame", draw_id: DrawId, power: float) -> "StoredDraw":
    """Draw, and remember the draw."""
    from tabular.draws.store import draw_predictions, write_draw

    drawn_at = time.time_ns() // 1_000_000
    drawn = draw_predictions(frame, draw_id, drawn_at=drawn_at, power=power)
    write_draw(target.bucket("predictions"), drawn)
    return drawn


def write_csv(path: Path, drawn: "StoredDraw") -> None:
    """Write the ids in their own order: whoever labels them should not see the scores."""
    ids: Sequence[str] = drawn.table["prediction_id"].to_pylist()
    references: Sequence[str | None] = drawn.table["reference"].to_pylist()
    with path.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("prediction_id", "reference"))
        writer.writerows(sorted(zip(ids, (text or "" for text in references), strict=True)))
