"""Evaluate: fit the final model, compare it with the champion, register it, store its bundle."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.registry import Tracking
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.contract.gate_limits import GateLimits
from domain.model.bundle import Bundle, digest
from domain.model.card import ModelCard
from domain.model.champion import ModelRef
from domain.model.typical import TypicalValue, read_typical
from domain.plural import write_count
from domain.training.steps import Evaluated
from tabular.classification import Floats
from training_job.code_version import code_version
from training_job.dataset import dataset
from training_job.dataset.dataset import Split, read_first
from training_job.evaluation import card as cards
from training_job.evaluation.answers.answering import AnswerSide, Models, answer_side
from training_job.evaluation.curves import compute_curves
from training_job.evaluation.final import FitFinal, fit_final
from training_job.evaluation.incumbent import Incumbent
from training_job.evaluation.looks import EarlierVerdicts
from training_job.evaluation.missing import MOST_ROWS, measure_missing
from training_job.evaluation.packaging import (
    describe_model,
    describe_version,
    name_run,
    package,
)
from training_job.evaluation.plots import PlotData, draw
from training_job.evaluation.recent import compare_on_recent
from training_job.evaluation.reference import draw_sample, make_reference
from training_job.evaluation.release import store
from training_job.evaluation.replay import (
    LoggedRequests,
    SampleRequests,
    replay,
    sample_requests,
)
from training_job.evaluation.typical import find_typical
from training_job.evaluation.verdict import Evaluation, evaluate_against
from training_job.model.export import export
from training_job.model.model import predict_split
from training_job.search import history


@dataclass(frozen=True, slots=True)
class RowEngine:
    """What computes over all rows of a dataset, and over the log."""

    fit: FitFinal = fit_final
    answer: AnswerSide = answer_side
    sample: SampleRequests = sample_requests


OpenEngine = Callable[[], AbstractContextManager[RowEngine]]


def open_one_machine() -> AbstractContextManager[RowEngine]:
    """This process computes."""
    return nullcontext(RowEngine())


def evaluate(
    *,
    contract: Contract,
    data: Bucket,
    models: Bucket,
    tracking: Tracking,
    dataset_id: str,
    params: Mapping[str, float],
    execution: str,
    seed: int,
    limits: GateLimits,
    say: Callable[[str], None],
    requests: LoggedRequests | None = None,
    open_engine: OpenEngine = open_one_machine,
    operator: str = "ops",
) -> Evaluated:
    """Fit the best parameters, evaluate on the test rows, register the model and export it.

    The final model is fitted on the training rows. Early stopping and the threshold use the
    validation rows, never the test rows. `requests` are those that the model's answers are replayed
    on. `open_engine` is closed again once all rows are answered. `operator`: how the operator's
    command line is called, for the model's description. Raises ExportDisagrees before
    anything is registered.
    """
    manifest = dataset.read_manifest(data, dataset_id)
    left_out = manifest.left_out
    with open_engine() as engine:
        final = engine.fit(data, dataset_id, contract, params, seed=seed)
        fitted = final.fitted
        bundle = Bundle(contract, export(fitted.booster), fitted.threshold)
        incumbent = Incumbent.read(models, contract)
        both = Models(bundle, fitted.booster, incumbent)
        answered = engine.answer(data, dataset_id, "test", contract, both)
        replayable = requests is not None and incumbent.champion is not None
        sampled = engine.sample(requests, contract) if replayable else None
    say(f"the exported scorer agrees with XGBoost on {write_count(answered.compared, 'row')}")
    answers = answered.answers

    first = read_first(data, dataset_id, "test", contract, MOST_ROWS)
    missing = measure_missing(
        fitted.booster, first, contract, threshold=fitted.threshold, masked=final.masked
    )
    earlier = EarlierVerdicts.read(models, execution, incumbent.version)

    def score(rows: Split) -> Floats:
        return predict_split(fitted.booster, rows, contract).astype(np.float64)

    recent, newest = None, None
    if manifest.production and manifest.production.recent:
        newest = Split.download(data, dataset_id, keys.RECENT, contract)
        recent = compare_on_recent(
            newest,
            contract,
            incumbent,
            scores=score(newest),
            threshold=fitted.threshold,
            limits=limits,
            earlier=earlier,
            seed=seed,
        )
    replayed = None
    if sampled is not None:
        replayed = replay(sampled, contract, incumbent, score=score, threshold=fitted.threshold)
    evaluation = evaluate_against(
        incumbent,
        answers,
        contract,
        limits=limits,
        earlier_verdicts=earlier.count_on_uploaded(dataset_id, manifest.test_rows_id),
        recent=recent,
        replay=replayed,
        left_out=left_out,
        missing=missing,
        seed=seed,
    )
    for reason in evaluation.verdict.reasons:
        say(reason)
    decided = recent is not None and recent.choose_role(limits) == "decides"
    sample = draw_sample(data, dataset_id, contract, newest if decided else None, seed=seed)

    run_id = tracking.run_of(execution)
    reference = make_reference(sample, fitted, contract)
    typical = find_typical(reference, contract)
    content = bundle.to_bytes()
    model = _register(tracking, run_id, bundle, content, typical)
    quality = evaluation.quality
    trials = history.read_finished(models, execution)
    plot_data = PlotData.of(contract, fitted, first, answers, trials)
    card = ModelCard(
        version=model.version,
        registered_at=int(time.time() * 1000),
        execution=execution,
        mlflow_run_id=run_id,
        dataset_id=dataset_id,
        contract_version=contract.version,
        target=contract.target,
        threshold=fitted.threshold,
        objective=contract.objective,
        trees=fitted.booster.num_boosted_rounds(),
        params=params,
        rows=final.rows | {"test": answers.rows},
        prevalence=final.prevalence,
        left_out=left_out,
        missing=missing,
        reference_rows=len(sample.labels),
        code_version=code_version(),
        test_rows_id=manifest.test_rows_id,
        production=manifest.production,
        recent=evaluation.recent,
        replay=replayed,
        typical=typical,
        effective_test_rows=answers.effective_rows,
        metrics=quality.metrics,
        intervals=quality.intervals,
        curves=compute_curves(plot_data),
        segments=quality.segments,
        verdict=quality.verdict,
    )
    store(models, model, content, reference, card)
    tracking.describe(
        keys.registry_number(model.version),
        model=describe_model(contract, operator),
        version=describe_version(card),
    )
    _publish(tracking, run_id, card, plot_data, say)
    return _make_result(evaluation, model)


def _register(
    tracking: Tracking,
    run_id: str,
    bundle: Bundle,
    content: bytes,
    typical: Sequence[TypicalValue],
) -> ModelRef:
    """Register the bundle, whose file has this content, in MLflow as the model's new version."""
    sha256 = digest(content)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        packaged = package(
            Path(folder), bundle, content, sha256=sha256, typical=read_typical(typical)
        )
        return ModelRef.of(tracking.register(run_id=run_id, model=packaged), sha256)


def _make_result(evaluation: Evaluation, model: ModelRef) -> Evaluated:
    """The step's result: what the promotion needs to know."""
    return Evaluated(
        promote=evaluation.verdict.promote,
        rule=evaluation.verdict.rule,
        reasons=evaluation.verdict.reasons,
        version=model.version,
        sha256=model.sha256,
        metrics=evaluation.quality.metrics,
        f1_interval=evaluation.quality.intervals["f1"],
        champion_version=evaluation.incumbent.version,
        champion_metric=evaluation.champion_metric,
        champion_etag=evaluation.incumbent.etag,
    )


def _publish(
    tracking: Tracking,
    run_id: str,
    card: ModelCard,
    plot_data: PlotData,
    say: Callable[[str], None],
) -> None:
    """Log figures, card and plots in the execution's MLflow run, and finish the run."""
    bounds = {
        f"test_{name}_{side}": bound
        for name, interval in card.intervals.items()
        for side, bound in zip(("low", "high"), interval, strict=True)
    }
    document = card.to_dict()
    tracking.log_final(
        run_id,
        name=name_run(card),
        params=card.params,
        metrics={f"test_{name}": value for name, value in card.metrics.items()}
        | bounds
        | cards.production_metrics(card),
        tags={
            "circle.version": card.version,
            "circle.verdict": " ".join(card.verdict.reasons),
        },
        documents={"card.json": document, "verdict.json": document["verdict"]},
    )
    with tempfile.TemporaryDirectory(prefix="plots-") as folder:
        (Path(folder) / "model_card.md").write_text(cards.to_markdown(card), encoding="utf-8")
        for name in draw(plot_data, Path(folder)):
            say(f"the plot {name} could not be drawn; the model itself is not affected")
        tracking.log_files(run_id, Path(folder), "evaluation")
    tracking.finish(run_id)
