"""Every object key, built and parsed in one place.

data bucket
    raw/**.csv | .csv.gz | .parquet
    datasets/<dataset_id>/{train,valid,test,recent,quarantine}.parquet, manifest.json
    datasets/<dataset_id>/<split>-<part>-of-<parts>.parquet   where several machines made it
    datasets/refused/<execution>/quarantine.parquet   the rows for which raw files were refused
    scoring/**                                    what batch scoring reads and writes
    erasures/<erasure>/subjects.txt, links.json, objects/*.json   while it is under way
    erasures/<erasure>/dry_run_subjects.txt       whose rows a dry run counts, while it does
    erasures/<erasure>/certificate.json, erased_predictions.json
models bucket
    mlflow/<experiment>/...                       MLflow's artifacts
    serving/bundles/<version>/{bundle.json.gz,reference.parquet,card.json}   immutable
    serving/champion.json                         the only truth about what serves
    serving/ledger/<seq>-<action>-<version>.json
    serving/lock.json
    serving/check.json                            outcome of the last consistency check
    studies/<execution>/journal.log
predictions bucket
    log/dt=YYYY-MM-DD/, labels/dt=YYYY-MM-DD/     Parquet, written by Firehose, and by batch scoring
    {log,labels}/dt=YYYY-MM-DD/compact-<stored_at>-<hash>.parquet   many of these as one
    fallback/{log,labels}/dt=YYYY-MM-DD/<uuid>.jsonl
    rejected/<stream>/<error>/dt=YYYY-MM-DD/...   Firehose's error output
    athena/                                       query results
    label_draws/<draw_id>/{draw.json,predictions.parquet}   draw_id = <run_id>--<count>-<seed>
reports bucket
    runs/<run_id>/{summary.json,<report>.html}    run_id = <start>--<end>--<version>
    runs/index.json
    requests/<id>.json
    alerts/state.json
    alerts/acknowledgements/<kind>-<opened_at>.json   who knows of an incident; immutable
    retraining/<detection>.json                   a decision of the retrain guard
    prediction_views/<sha256 of its id>/<viewed_at>-<random>.json   who looked at a prediction
    proposals/<execution>.json                    a model that waits, or waited, for an approval
    probation/<seq>.json                          a promotion compared with the champion before it
    notices/<notice>.json                         what a channel has taken of a decision

A version is ``<registry number>-<first 8 of the bundle's sha256>``.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from domain import times
from domain.errors import BadKey

RAW = "raw/"
FORMATS = (".csv", ".csv.gz", ".parquet")
"""How the name of a file ends that holds rows, in upper or lower case."""
DATASETS = "datasets/"
SCORING = "scoring/"
ERASURES = "erasures/"
BATCH_LOGS = "log/dt=*/batch-*"
"""Pattern of `batch_log`: what batch scoring may write into the prediction log."""
COMPACTED = tuple(f"{name}/dt=*/compact-*" for name in ("log", "labels"))
"""Patterns of `compacted`."""
MLFLOW = "mlflow/"
SERVING = "serving/"
BUNDLES = "serving/bundles/"
CHAMPION = "serving/champion.json"
LEDGER = "serving/ledger/"
LOCK = "serving/lock.json"
CHECK = "serving/check.json"
STUDIES = "studies/"
RUNS = "runs/"
RUN_INDEX = "runs/index.json"
REQUESTS = "requests/"
ALERT_STATE = "alerts/state.json"
ACKNOWLEDGEMENTS = "alerts/acknowledgements/"
RETRAINING = "retraining/"
PROPOSALS = "proposals/"
PREDICTION_VIEWS = "prediction_views/"
NOTICES = "notices/"
PROBATION = "probation/"
ATHENA = "athena/"
LABEL_DRAWS = "label_draws/"
FALLBACK = "fallback/"
REJECTED = "rejected/"

SPLITS = ("train", "valid", "test")
RECENT = "recent"
"""Side of the newest labelled production rows, which only a dataset with such rows has."""
QUARANTINE = "quarantine"
REPORTS = ("data_drift", "prediction_drift", "target_drift", "performance")

_VERSION = re.compile(r"[1-9][0-9]{0,8}-[0-9a-f]{8}")
_ERASURE = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
_PREDICTION_VIEW = re.compile(rf"{PREDICTION_VIEWS}[0-9a-f]{{64}}/(\d{{13}})-[0-9a-f]+\.json")
_COMPACTED = re.compile(r"(?:log|labels)/dt=[0-9-]{10}/compact-(\d{13})-[0-9a-f]{16}\.parquet")
_LEDGER = re.compile(rf"{LEDGER}(\d{{8}})-([a-z]+)-({_VERSION.pattern})\.json")


def version(number: int | str, sha256: str) -> str:
    """Name of a model version: its registry number and the start of its bundle's hash."""
    return check_version(f"{number}-{sha256[:8]}")


def check_version(text: str) -> str:
    """Return the text if it is a version; raises BadKey."""
    if not is_version(text):
        raise BadKey("A model version looks like 7-0a1b2c3d.")
    return text


def is_version(value: object) -> bool:
    """Whether a value of any type is a version."""
    return isinstance(value, str) and _VERSION.fullmatch(value) is not None


def registry_number(text: str) -> str:
    """The registry's number inside a version."""
    return check_version(text).split("-")[0]


def acknowledgement(kind: str, opened_at: int) -> str:
    """That somebody knows of an incident, which was opened then (UTC milliseconds)."""
    return f"{ACKNOWLEDGEMENTS}{kind}-{opened_at}.json"


def dataset(dataset_id: str, part: str) -> str:
    """Parquet object of one part (a split or the quarantine) of a dataset."""
    return f"{DATASETS}{dataset_id}/{part}.parquet"


def dataset_part(side: str, index: int, parts: int) -> str:
    """A part of a split that was made in several parts, as the name that `dataset` takes."""
    return f"{side}-{index:05d}-of-{parts:05d}"


def is_table(key: str) -> bool:
    """Whether the object holds rows, by its name."""
    return key.lower().endswith(FORMATS)


def is_data(key: str, place: str) -> bool:
    """Whether an object found in a folder, or given by its key, holds rows.

    Files and folders that begin with a dot, an underscore or ``~$`` are what programs leave beside
    data: macOS (``._a.csv``, ``__MACOSX/``), Jupyter (``.ipynb_checkpoints/``), Spark
    (``_temporary/``), Office (``~$a.csv``).
    """
    below = key.removeprefix(place) if place.endswith("/") else ""
    hidden = any(part.startswith((".", "_", "~$")) for part in below.split("/"))
    return is_table(key) and not hidden


def place(given: str) -> str:
    """Where rows are, as somebody typed it: a file, or a folder, which gets its slash."""
    return given if is_table(given) else f"{given.rstrip('/')}/"


def refused_rows(execution: str) -> str:
    """Parquet object of the bad rows of a training that had too many."""
    return f"{DATASETS}refused/{execution}/{QUARANTINE}.parquet"


def manifest(dataset_id: str) -> str:
    """What a dataset is made of, in counts."""
    return f"{DATASETS}{dataset_id}/manifest.json"


def bundle(version: str) -> str:
    """The model as the predictor reads it."""
    return f"{BUNDLES}{check_version(version)}/bundle.json.gz"


def reference(version: str) -> str:
    """The sample against which this version's predictions are compared."""
    return f"{BUNDLES}{check_version(version)}/reference.parquet"


def card(version: str) -> str:
    """The model card as JSON."""
    return f"{BUNDLES}{check_version(version)}/card.json"


def parse_card(key: str) -> str:
    """The version whose card this is; raises BadKey."""
    folder, _, name = key.removeprefix(BUNDLES).partition("/")
    if name != "card.json":
        raise BadKey("This is not the key of a model card.")
    return check_version(folder)


def ledger_entry(seq: int, action: str, version: str) -> str:
    """One promotion or rollback; the order of keys is the order of events."""
    return f"{LEDGER}{seq:08d}-{action}-{check_version(version)}.json"


def parse_ledger_entry(key: str) -> tuple[int, str, str]:
    """``(seq, action, version)`` of a ledger key; raises BadKey."""
    match = _LEDGER.fullmatch(key)
    if not match:
        raise BadKey("This is not the key of a ledger entry.")
    return int(match[1]), match[2], match[3]


def artifacts(model_name: str) -> str:
    """Folder of MLflow's artifacts of one experiment."""
    return f"{MLFLOW}{model_name}"


def study(execution: str) -> str:
    """Optuna's journal of one training execution."""
    return f"{STUDIES}{execution}/journal.log"


def partition(day: date) -> str:
    """Hive-style partition folder of a UTC day."""
    return f"dt={day.isoformat()}/"


def stream(name: str, day: date) -> str:
    """Folder of one day of a stream's Parquet; `name`: ``log`` or ``labels``."""
    return f"{name}/{partition(day)}"


def scoring_upload(sha256: str, name: str) -> str:
    """Where a local file goes that is to be scored: by its content, so that it goes there once."""
    return f"{SCORING}in/{sha256[:12]}/{name}"


def scoring_output(sha256: str, version: str, *, log: bool) -> str:
    """Folder of the scores of an input, whose hash it is, by a model: the same one for a repeat."""
    return f"{SCORING}out/{sha256[:12]}-{version}{'-logged' if log else ''}/"


def scoring_part(output: str, file: int, part: int) -> str:
    """Scores of one part of the input's file number `file`, under the folder `output`."""
    return f"{output}part-{file:05d}-{part:05d}.parquet"


def scoring_plan(output: str) -> str:
    """What a batch scoring set out to do."""
    return f"{output}plan.json"


def scoring_progress(output: str) -> str:
    """How far it is."""
    return f"{output}progress.json"


def scoring_summary(output: str) -> str:
    """What it did; there once it is finished."""
    return f"{output}summary.json"


def batch_log(day: date, batch: str, file: int, part: int) -> str:
    """Predictions of one part of a batch in the prediction log."""
    return f"{stream('log', day)}batch-{batch}-{file:05d}-{part:05d}.parquet"


def compacted(name: str, day: date, stored_at: int, digest: str) -> str:
    """One object for many of the stream's day, of which the newest was stored at `stored_at` (ms).

    `digest`: 16 hexadecimal digits that say which.
    """
    return f"{stream(name, day)}compact-{stored_at:013d}-{digest}.parquet"


def parse_compacted(key: str) -> int | None:
    """When the newest rows of a compacted object were stored first; None for any other object."""
    match = _COMPACTED.fullmatch(key)
    return int(match[1]) if match else None


def fallback(name: str, day: date, uuid: str) -> str:
    """Where records go that the stream `name` refused."""
    return f"{fallback_day(name, day)}{uuid}.jsonl"


def fallback_day(name: str, day: date) -> str:
    """Folder of one day of a stream's fallback records."""
    return f"{FALLBACK}{name}/{partition(day)}"


def rejected(name: str) -> str:
    """Firehose's error output of one stream; below it a folder for each kind of error, and day."""
    return f"{REJECTED}{name}/"


_SUBJECTS = {False: "subjects.txt", True: "dry_run_subjects.txt"}


def erasure_subjects(erasure: str, *, dry_run: bool = False) -> str:
    """Whom an erasure is about; deleted at its end."""
    return f"{ERASURES}{_check_erasure(erasure)}/{_SUBJECTS[dry_run]}"


def parse_erasure_subjects(key: str) -> tuple[str, bool]:
    """The erasure whose subjects these are, and whether it is a dry run; raises BadKey."""
    erasure, _, name = key.removeprefix(ERASURES).partition("/")
    if not key.startswith(ERASURES) or name not in _SUBJECTS.values():
        raise BadKey(f"This is no {ERASURES}<erasure>/subjects.txt.")
    return _check_erasure(erasure), name == _SUBJECTS[True]


def erasure_links(erasure: str) -> str:
    """The predictions of its subjects, by which labels are found; deleted at its end."""
    return f"{ERASURES}{_check_erasure(erasure)}/links.json"


def erasure_objects(erasure: str) -> str:
    """Folder of what it has done so far; deleted at its end."""
    return f"{ERASURES}{_check_erasure(erasure)}/objects/"


def erasure_certificate(erasure: str) -> str:
    """What it did, object by object."""
    return f"{ERASURES}{_check_erasure(erasure)}/certificate.json"


def erased_predictions(erasure: str) -> str:
    """Hashes of the ids of the predictions that it took from the log."""
    return f"{ERASURES}{_check_erasure(erasure)}/erased_predictions.json"


def _check_erasure(erasure: str) -> str:
    if not _ERASURE.fullmatch(erasure):
        raise BadKey("An erasure is named like 20260131T140000-0a1b2c3d.")
    return erasure


@dataclass(frozen=True, slots=True)
class RunId:
    """One drift run: a half-open window ``[start, end)`` and a model version.

    Without a version (no row and no champion) the third part is ``none``.
    """

    start: datetime
    end: datetime
    version: str | None

    def __str__(self) -> str:
        return f"{times.to_name(self.start)}--{times.to_name(self.end)}--{self.version or 'none'}"

    @classmethod
    def parse(cls, text: str) -> "RunId":
        """The inverse of `str`; raises BadKey."""
        try:
            start, end, version = text.split("--")
            parsed = cls(
                times.from_name(start),
                times.from_name(end),
                None if version == "none" else check_version(version),
            )
        except ValueError:
            raise BadKey("A run id looks like <start>--<end>--<version>.") from None
        if str(parsed) != text or parsed.start >= parsed.end:
            raise BadKey("A run id looks like <start>--<end>--<version>.")
        return parsed


@dataclass(frozen=True, slots=True)
class DrawId:
    """One draw of predictions to be labelled: of which window and version, how many, which seed."""

    frame: RunId
    count: int
    seed: int

    def __str__(self) -> str:
        return f"{self.frame}--{self.count}-{self.seed}"

    @classmethod
    def parse(cls, text: str) -> "DrawId":
        """The inverse of `str`; raises BadKey."""
        frame, _, numbers = text.rpartition("--")
        match = re.fullmatch(r"([1-9]\d{0,8})-(\d{1,9})", numbers)
        if not match:
            raise BadKey("A draw's id looks like <start>--<end>--<version>--<count>-<seed>.")
        return cls(RunId.parse(frame), int(match[1]), int(match[2]))


def label_draw(draw_id: DrawId) -> str:
    """How predictions were drawn; written last, so that a draw without it is none."""
    return f"{LABEL_DRAWS}{draw_id}/draw.json"


def drawn_predictions(draw_id: DrawId) -> str:
    """The predictions that were drawn."""
    return f"{LABEL_DRAWS}{draw_id}/predictions.parquet"


def summary(run_id: RunId) -> str:
    """What a run found: the truth about it."""
    return f"{RUNS}{run_id}/summary.json"


def retraining(detection: str) -> str:
    """The retrain guard's decision about a detection, see `DetectedDrift.id`."""
    return f"{RETRAINING}{detection}.json"


def proposal(execution: str) -> str:
    """The model that an execution, given by its name, proposes for promotion."""
    return f"{PROPOSALS}{execution}.json"


def prediction_view(digest: str, viewed_at: int, token: str) -> str:
    """That somebody looked at a prediction, whose id has that hash, at that time (UTC ms).

    The id itself is in no key: an erasure can't rename objects.
    """
    return f"{PREDICTION_VIEWS}{digest}/{viewed_at:013d}-{token}.json"


def parse_prediction_view(key: str) -> int:
    """When that was (UTC milliseconds); raises BadKey."""
    match = _PREDICTION_VIEW.fullmatch(key)
    if not match:
        raise BadKey("This is not the key of a view of a prediction.")
    return int(match[1])


def probation(seq: int) -> str:
    """The probation of the promotion with that seq."""
    return f"{PROBATION}{seq:08d}.json"


def notice(notice_id: str) -> str:
    """What one channel has taken of one decision, see `lambdas.decisions.notify`."""
    return f"{NOTICES}{notice_id}.json"


def report(run_id: RunId, name: str) -> str:
    """One of a run's HTML reports; raises BadKey for a name outside `REPORTS`."""
    if name not in REPORTS:
        raise BadKey("The reports are: " + ", ".join(REPORTS) + ".")
    return f"{RUNS}{run_id}/{name}.html"


def request(request_id: str) -> str:
    """An on-demand drift run that somebody asked for."""
    return f"{REQUESTS}{request_id}.json"
