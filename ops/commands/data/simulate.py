"""`simulate`: send rows of the champion's test split to the API, one request after the other."""

import itertools
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from typer import Option

from domain.api.schemas import ROLE
from domain.contract.context import CONTEXT
from domain.contract.contract import Contract
from domain.errors import BadBundle
from domain.plural import agree, write_count
from ops.api import Api, describe_problem
from ops.console import Answer, Progress
from ops.errors import OpsError
from ops.samples import scenarios
from ops.samples.outcomes import LabelPlan, Selection
from ops.samples.scenarios import Disturbance, Row, Scenario
from ops.target import Target, require_champion

if TYPE_CHECKING:
    import pyarrow as pa

    from ops.samples.changes import Outcomes

T = TypeVar("T")
MAXIMUM_BATCH = 1000
PEOPLE = 500
"""So many people are made up where the contract has a subject."""
NO_LABELS = LabelPlan(share=0.0)
THREADS = 2
"""Concurrent requests: more would only queue up in front of the emulator's one Firehose."""


def run(
    target: Target,
    *,
    rows: Annotated[int, Option(min=1, help="Rows to send.")] = 1000,
    rate: Annotated[float, Option(help="Rows a second.")] = 100,
    batch: Annotated[int, Option(min=1, max=MAXIMUM_BATCH, help="Rows a request.")] = 10,
    scenario: Annotated[Scenario, Option(help="How the rows are changed.")] = Scenario.NONE,
    feature: Annotated[
        str | None,
        Option(help="What is changed (what best tells positive rows from negative ones)."),
    ] = None,
    amount: Annotated[
        float | None,
        Option(
            help="By how much: what a number is higher by (shift; half a standard deviation), the "
            f"factor of its spread (scale; {scenarios.SPREAD}), the share of the rows (missing, "
            f"category; {scenarios.CHANGED_SHARE}; swap; {scenarios.SWAPPED_SHARE}), or the number "
            "from which on rows are positive (concept)."
        ),
    ] = None,
    value: Annotated[
        str | None,
        Option(help="The category that rows get (category; the rarest), or turns them (concept)."),
    ] = None,
    seed: Annotated[int, Option(help="Seed of the choice of rows.")] = 1,
    labels: Annotated[
        float, Option(min=0, max=1, help="Share of the predictions that get a label.")
    ] = 0.0,
    label_selection: Annotated[
        Selection, Option(help="Whose label comes back: score prefers predicted positives.")
    ] = Selection.RANDOM,
    label_noise: Annotated[
        float, Option(min=0, max=1, help="Share of the labels that are wrong.")
    ] = 0.0,
    label_delay: Annotated[
        float, Option(min=0, help="Seconds between the predictions and their labels.")
    ] = 0.0,
) -> Answer:
    """Send rows of the test split to the API, changed if you like.

    The scenarios, each of one feature: shift raises a number, scale spreads it wider, missing takes
    values away, category gives most rows a category that was rare, swap gives half of the rows
    another row's value, and concept changes outcomes. Only labels show the last two.
    """
    plan = LabelPlan(
        share=labels, selection=label_selection, noise=label_noise, delay_seconds=label_delay
    )
    wanted = Disturbance(scenario=scenario, feature=feature, amount=amount, value=value)
    _refuse_idle_options(wanted)
    sent = simulate(
        target, rows=rows, rate=rate, batch=batch, wanted=wanted, seed=seed, labels=plan
    )
    if sent.problems:
        kinds = "; ".join(f"{count:,} x {text}" for text, count in sent.problems.most_common(3))
        raise OpsError(
            f"{sent.answered:,} of {write_count(rows, 'row')} "
            f"{agree(sent.answered, 'was', 'were')} answered. Some requests were refused: "
            f"{kinds}.",
            "python -m ops status",
        )
    versions = ", ".join(f"{count:,} by {version}" for version, count in sent.versions.items())
    return Answer(
        data={
            "rows": rows,
            "answered": sent.answered,
            "versions": dict(sent.versions),
            "labels": sent.labelled,
            "change": sent.change,
        },
        shown=[
            *([sent.change] if sent.change else []),
            f"{sent.answered:,} of {write_count(rows, 'row')} "
            f"{agree(sent.answered, 'was', 'were')} answered: {versions or 'none'}.",
            *([f"Sent {write_count(sent.labelled, 'label')}."] if sent.labelled else []),
        ],
        next_step=f"python -m ops drift --last-rows {rows}",
    )


@dataclass(slots=True)
class Sent:
    """Answers of the API: predictions per model version, refused requests per reason.

    `change`: what the scenario did to the rows, as a sentence.
    """

    versions: Counter[str] = field(default_factory=Counter)
    prediction_ids: set[str] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    labelled: int = 0
    change: str = ""

    @property
    def answered(self) -> int:
        """How many predictions came back."""
        return self.versions.total()

    def count(self, status: int, body: Any) -> None:
        """Count one answer."""
        if status != 200:
            self.problems[describe_problem(status, body)] += 1
            return
        for prediction in body["predictions"]:
            self.versions[prediction["model_version"]] += 1
            self.prediction_ids.add(prediction["prediction_id"])


def simulate(
    target: Target,
    *,
    rows: int,
    rate: float,
    batch: int,
    wanted: Disturbance,
    seed: int,
    labels: LabelPlan = NO_LABELS,
) -> Sent:
    """Send `rows` rows at `rate` rows a second; raises OpsError for what can't work at all."""
    if rows < 1 or not 1 <= batch <= MAXIMUM_BATCH or not rate > 0:
        raise OpsError(
            f"--rows and --rate must be positive, --batch from 1 to {MAXIMUM_BATCH:,}.",
            "Correct them and run the command again.",
        )
    from ops.samples import changes

    api = Api(target.deployment.api_url, target.api_key(), connections=THREADS)
    contract, table, outcomes = _load_test_rows(target)
    change = changes.plan_change(wanted, contract, table, outcomes)
    test_rows = list(zip(_drop_missing(table), outcomes.tolist(), strict=True))
    rng = random.Random(seed)  # noqa: S311 - which rows are sent is no secret
    sent, key = Sent(change=change.sentence), uuid.uuid4().hex
    label_rng = random.Random(seed)  # noqa: S311 - of its own, so that labels move no row
    add_context = make_context(api, rng, key[:8])
    chosen = (
        (add_context(change.alter(row, rng)), change.relabel(row, outcome))
        for row, outcome in itertools.islice(_shuffle(test_rows, rng), rows)
    )
    pending: list[tuple[Future[tuple[int, Any]], list[bool]]] = []
    returning: list[dict[str, Any]] = []

    def take_answer() -> None:
        future, outcomes = pending.pop(0)
        status, body = future.result()
        sent.count(status, body)
        if status == 200:
            returning.extend(
                labels.choose(body["predictions"], outcomes, target=contract.target, rng=label_rng)
            )

    began, submitted = time.monotonic(), 0
    changed = "" if wanted.scenario is Scenario.NONE else f" {wanted.scenario.value}"
    label = f"simulate{changed}"
    with Progress(label, total=rows) as progress, ThreadPoolExecutor(THREADS) as threads:
        try:
            for number, part in enumerate(_split(chosen, batch)):
                instances = [instance for instance, _ in part]
                time.sleep(max(0.0, began + submitted / rate - time.monotonic()))
                future = threads.submit(
                    api.post,
                    "/predict",
                    {"instances": instances},
                    idempotency_key=f"{key}-{number}",
                )
                pending.append((future, [outcome for _, outcome in part]))
                submitted += len(instances)
                # No more than the threads can hold: the API may be slower than the rate.
                while len(pending) > 2 * THREADS or (submitted >= rows and pending):
                    take_answer()
                    progress.reach(sent.answered)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    if returning:
        time.sleep(labels.delay_seconds)
        send_labels(api, returning, sent, batch=batch, key=key)
    return sent


def send_labels(
    api: Api, labels: Sequence[Mapping[str, Any]], sent: Sent, *, batch: int, key: str
) -> None:
    """Send labels as their senders do, so many in a request."""
    with Progress("labels", total=len(labels)) as progress:
        for number, part in enumerate(_split(iter(labels), batch)):
            status, body = api.post(
                "/labels", {"labels": part}, idempotency_key=f"{key}-labels-{number}"
            )
            if status == 200:
                sent.labelled += len(part)
            else:
                sent.problems[describe_problem(status, body)] += 1
            progress.reach(sent.labelled)


def _refuse_idle_options(wanted: Disturbance) -> None:
    """Refuse what would change nothing without a scenario; raises OpsError."""
    given = {"--feature": wanted.feature, "--amount": wanted.amount, "--value": wanted.value}
    idle = [name for name, value in given.items() if value is not None]
    if idle and wanted.scenario is Scenario.NONE:
        need = agree(len(idle), "needs", "need")
        raise OpsError(
            f"{' and '.join(idle)} {need} a --scenario, and none is named.",
            "Add for example --scenario shift: python -m ops simulate --help names them all.",
        )


def make_context(api: Api, rng: random.Random, run: str) -> Callable[[Row], dict[str, Any]]:
    """What adds a made-up context to a row, where the API's document describes one.

    Each row has a reference of its own, and each person of `PEOPLE` several rows. `run` keeps the
    references of two runs apart.
    """
    status, document = api.get("/openapi.json")
    if status != 200:
        raise OpsError(describe_problem(status, document), "python -m ops status")
    instance = document["components"]["schemas"]["Instance"]["properties"]
    if CONTEXT not in instance:
        return lambda row: {**row}
    columns = instance[CONTEXT]["properties"]
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    example = content["application/json"]["example"][CONTEXT]
    numbers = itertools.count(1)

    def value(name: str) -> Any:
        schema = columns[name]
        made = {"reference": f"{run}-{next(numbers)}", "subject": f"p-{rng.randrange(PEOPLE)}"}
        if schema.get(ROLE) in made:
            return made[schema[ROLE]][-schema["maxLength"] :]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        return (
            rng.uniform(schema["minimum"], schema["maximum"])
            if "minimum" in schema
            else example[name]
        )

    return lambda row: {**row, CONTEXT: {name: value(name) for name in columns}}


def _load_test_rows(target: Target) -> "tuple[Contract, pa.Table, Outcomes]":
    """The champion's contract, and the features and outcomes of its dataset's test rows."""
    from botocore.exceptions import ClientError

    from adapters.aws import error_code
    from training_job.dataset.dataset import Split

    champion = require_champion(target, "There is no champion yet, so nothing answers.")
    try:
        contract = target.models.load_bundle(champion.model).contract
    except BadBundle as error:
        raise OpsError(str(error), "python -m ops rollback") from None
    dataset_id = target.card(champion.version).dataset_id
    try:
        test = Split.download(target.bucket("data"), dataset_id, "test", contract)
    except ClientError as error:
        if error_code(error) not in ("404", "NoSuchKey"):
            raise
        raise OpsError(
            f"The test rows of dataset {dataset_id} are no longer there: datasets may expire"
            " (docs/retention-and-erasure.md).",
            "python -m ops train",
        ) from None
    names = [feature.name for feature in contract.features]
    return contract, test.table.select(names), test.labels.astype(bool)


def _drop_missing(table: "pa.Table") -> list[Row]:
    """The rows without the fields whose value is missing."""
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]


def _shuffle(rows: list[T], rng: random.Random) -> Iterator[T]:
    """Each row once in random order, then all again in another one."""
    while rows:
        yield from rng.sample(rows, len(rows))


def _split(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch
