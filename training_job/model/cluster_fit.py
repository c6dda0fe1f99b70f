"""Fit one model on all workers of a cluster, each with its parts of the rows.

`DaskQuantileDMatrix` bins a worker's parts where they are. The step gets the validation rows by
probability, label and weight, equal ones together, and chooses the threshold from these counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import itemgetter
from threading import Thread
from typing import Any, TypeAlias

import dask.array as da
import numpy as np
import xgboost as xgb
from dask.delayed import delayed
from distributed import Future
from xgboost import dask as xgb_dask

from adapters.s3 import OpenBucket
from domain.contract.contract import Contract
from training_job.cluster.cluster import Cluster
from training_job.errors import Interrupted
from training_job.model.masking import Masking, choose_rare
from training_job.model.model import (
    EARLY_STOPPING_ROUNDS,
    MAXIMUM_ROUNDS,
    UPLOADED_WEIGHT,
    Fitted,
    Params,
    complete,
    validates_alone,
)
from training_job.model.parts import (
    Loaded,
    PartFacts,
    Place,
    count_part,
    load,
    read_facts,
)
from training_job.model.scored_lines import ScoredLines

LOST = (
    "A worker was lost in training, or the workers could not reach each other. Nothing half-made"
    " counts; start the step again."
)

POLL_SECONDS = 1.0
GRACE_SECONDS = 20.0
"""How long XGBoost may take to notice by itself that a worker is gone."""

Part: TypeAlias = Future[Loaded]


@dataclass(frozen=True, slots=True)
class Side:
    """The parts of one side: keys, and facts about each."""

    keys: tuple[str, ...]
    facts: tuple[PartFacts, ...]

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(fact.rows for fact in self.facts)

    @property
    def places(self) -> list[Place]:
        """The place of each part."""
        starts = accumulate((fact.rows for fact in self.facts), initial=0)
        return [Place(start, self.rows) for start, _ in zip(starts, self.keys, strict=False)]

    @property
    def prevalence(self) -> float:
        """The share of positive rows, each counted by its weight."""
        return sum(f.positives for f in self.facts) / sum(f.weight for f in self.facts)

    @property
    def validates_alone(self) -> bool:
        """Whether its production rows are enough to validate alone."""
        return validates_alone(
            sum(fact.produced for fact in self.facts),
            sum(fact.produced_positives for fact in self.facts),
        )


@dataclass(frozen=True, slots=True)
class ClusterData:
    """A dataset's training and validation rows, which stay on the workers."""

    cluster: Cluster
    open_bucket: OpenBucket
    contract: Contract
    train: Side
    valid: Side
    masked: tuple[str, ...]
    masking: Masking
    weighted: bool
    search_uploaded: bool

    @classmethod
    def open(
        cls,
        cluster: Cluster,
        open_bucket: OpenBucket,
        contract: Contract,
        *,
        train: Sequence[str],
        valid: Sequence[str],
        seed: int,
    ) -> "ClusterData":
        """Look at the parts of both sides."""
        sides = []
        for found in (train, valid):
            read = cluster.map(partial(read_facts, open_bucket), found, contract=contract)
            sides.append(Side(tuple(found), tuple(cluster.results(read))))
        nullable = [feature.name for feature in contract.features if feature.nullable]
        missing = {n: sum(fact.missing[n] for fact in sides[0].facts) for n in nullable}
        masked = choose_rare(missing, sides[0].rows)
        weighted = any(fact.weighted for side in sides for fact in side.facts)
        return cls(
            cluster=cluster,
            open_bucket=open_bucket,
            contract=contract,
            train=sides[0],
            valid=sides[1],
            masked=masked,
            masking=Masking.of_names(masked, contract, seed),
            weighted=weighted,
            search_uploaded=weighted and sides[1].validates_alone,
        )

    def fit(self, params: Params, *, seed: int) -> Fitted:
        """Train with early stopping; raises Interrupted when a worker is lost meanwhile."""
        weight = float(params.get(UPLOADED_WEIGHT, 1.0))
        train = self._load(self.train, masking=self.masking, uploaded_weight=weight)
        valid = self._load(self.valid, uploaded_weight=0.0 if self.search_uploaded else 1.0)
        self.cluster.wait([*train, *valid])
        booster = self._watch(lambda: self._train(train, valid, params, seed))
        best = booster[: booster.best_iteration + 1]
        counted = self.cluster.map(count_part, valid, booster=best, weighted=self.weighted)
        lines = ScoredLines.add_up(self.cluster.results(counted))
        return Fitted.of_lines(best, float(booster.best_score), lines, self.contract.objective)

    def _train(
        self, train: Sequence[Part], valid: Sequence[Part], params: Params, seed: int
    ) -> xgb.Booster:
        binned = self._bin(train, self.train)
        other = self._bin(valid, self.valid, ref=binned)
        found: Mapping[str, xgb.Booster] = xgb_dask.train(
            self.cluster.client,
            complete(params, self.contract.monotone, seed),
            binned,
            num_boost_round=MAXIMUM_ROUNDS,
            evals=[(other, "valid")],
            early_stopping_rounds=EARLY_STOPPING_ROUNDS,
            verbose_eval=False,
        )
        return found["booster"]

    def _watch(self, work: Callable[[], xgb.Booster]) -> xgb.Booster:
        """Call it in a thread, since XGBoost waits for ever for a worker that is lost."""
        found: list[xgb.Booster] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                found.append(work())
            except Exception as error:  # the step's thread raises it
                errors.append(error)

        before = self.cluster.addresses
        thread = Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(POLL_SECONDS)
            if thread.is_alive() and not before <= self.cluster.addresses:
                thread.join(GRACE_SECONDS)
                if not before <= self.cluster.addresses:  # a worker that was only slow is back
                    break
        if found:
            return found[0]
        if before <= self.cluster.addresses and errors:
            raise errors[0]
        raise Interrupted(LOST) from (errors[0] if errors else None)

    def _load(self, side: Side, **options: Any) -> list[Part]:
        """Each part always goes to the same worker, so that a repeated fit adds alike."""
        workers = sorted(self.cluster.addresses)
        return [
            self.cluster.submit(
                partial(load, self.open_bucket, key, place, self.contract, **options),
                worker=workers[index % len(workers)],
            )
            for index, (key, place) in enumerate(zip(side.keys, side.places, strict=True))
        ]

    def _bin(self, parts: Sequence[Part], side: Side, **options: Any) -> Any:
        columns = len(self.contract.encoded_names)

        def gather(item: int, kind: type, width: int | None = None) -> Any:
            blocks = [
                da.from_delayed(
                    delayed(itemgetter(item))(part),
                    shape=(fact.rows,) if width is None else (fact.rows, width),
                    dtype=kind,
                )
                for part, fact in zip(parts, side.facts, strict=True)
            ]
            return da.concatenate(blocks)

        return xgb_dask.DaskQuantileDMatrix(
            self.cluster.client,
            gather(0, np.float32, columns),
            gather(1, np.int8),
            weight=gather(2, np.float64) if self.weighted else None,
            **options,
        )
