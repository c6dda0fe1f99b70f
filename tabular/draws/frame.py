"""The predictions that are drawn from: those of one model version in one window."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from domain import times
from domain.contract.contract import Contract
from domain.drift.window import Window
from tabular import rows
from tabular.classification import Bools, Floats
from tabular.draws.bands import Band, Positions, Worlds, cut_bands, imagine_worlds
from tabular.draws.power import find_power
from tabular.log_objects import Damage, LogObjects, touched_days
from tabular.sample import Sample, SampledRows
from tabular.segments import assign_groups

POWER_SEED = 0


def load_predictions(
    *, log: LogObjects, contract: Contract, version: str, window: Window, sample_rows: int
) -> SampledRows:
    """A version's predictions in the window; of more than `sample_rows`, a random part."""
    features = tuple(
        {group.feature.column: group.feature for group in contract.segment_groups}.values()
    )
    columns = rows.READ_COLUMNS | {feature.column for feature in features}
    start, end = times.to_millis(window.start), times.to_millis(window.end)
    sample, damage = Sample(sample_rows), Damage()
    entries = log.list_objects(touched_days(window.days()), since=start)
    for _, table in rows.read_usable(
        log.read_batches(entries, damage, columns=columns),
        start=start,
        end=end,
        features=lambda found: features if found == version else None,
        damage=damage,
    ):
        sample.add(table)
    return sample.finish() if sample.logged else SampledRows()


@dataclass(frozen=True)
class Frame:
    """The predictions with all that a draw depends on.

    `table` has their log columns. `segments`: for each of the contract's segments the group of
    each row. `ids`: a number of each row's own.
    """

    table: pa.Table
    predicted: Bools
    worlds: Worlds
    segments: tuple[Positions, ...]
    ids: Positions

    @classmethod
    def of(
        cls, contract: Contract, table: pa.Table, *, chances: Floats, threshold: float
    ) -> "Frame":
        """Prepare some predictions; `chances`: their calibrated probabilities."""
        predicted = np.asarray(table["probability"].to_numpy() >= threshold, dtype=bool)
        return cls(
            table=table,
            predicted=predicted,
            worlds=imagine_worlds(chances, predicted),
            segments=tuple(
                assign_groups(table[feature.column], segment, feature)
                for segment, feature, _ in contract.segment_groups
            ),
            ids=pd.util.hash_array(table["prediction_id"].to_numpy()).view(np.int64),
        )

    def cut(self, count: int) -> list[Band]:
        """Bands for `count` labels."""
        return cut_bands(
            worlds=self.worlds,
            predicted=self.predicted,
            segments=self.segments,
            ids=self.ids,
            count=count,
        )

    def find_power(self, count: int) -> float:
        """The probability that `count` labels find a fall of F1."""
        return find_power(self.cut(count), self.worlds, np.random.default_rng(POWER_SEED))
