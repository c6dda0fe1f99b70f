"""Labels that came for some predictions rather than others: which of them a verdict may rest on.

Who got a positive answer is often examined sooner. Then the labelled rows have more false alarms
and fewer misses than all predictions, and comparing them with the reference would show a change
where there is none. So labels are left out until those that are kept represent all predictions.
"""

import numpy as np
import pyarrow as pa

from domain.contract.contract import Contract
from domain.drift.disclosure import round_significant
from domain.drift.performance import MINIMUM_LABELS
from tabular.coverage import thin, weigh
from tabular.labels import UNKNOWN, Labels

SEED = 0
"""A repeated run keeps the same labels."""


def keep_representative(
    table: pa.Table, labels: Labels, contract: Contract, *, threshold: float
) -> tuple[Labels, tuple[str, ...]]:
    """The labels that a verdict may rest on, the others UNKNOWN, and a sentence about it.

    Of selective labels each is kept with a chance proportional to its weight, so that exact tests
    hold for those that are kept. None is kept where nothing can be known of the predictions without
    a label. Too few for a verdict are left as they are.
    """
    known = np.flatnonzero(labels != UNKNOWN)
    if len(known) < MINIMUM_LABELS:
        return labels, ()
    scored = table.append_column(
        "predicted", pa.array(table["probability"].to_numpy() >= threshold)
    )
    found = weigh(
        sample=scored,
        sample_labels=labels,
        rows=scored.take(pa.array(known)),
        labels=labels[known],
        predictions=table.num_rows,
        contract=contract,
    )
    if found.coverage.unknown:
        sentence = f"{found.coverage.unknown} So these labels give no verdict."
        return np.full_like(labels, UNKNOWN), (sentence,)
    if not found.coverage.selective:
        return labels, ()
    chosen = known[thin(found.weights, np.random.default_rng(SEED))]
    kept = np.full_like(labels, UNKNOWN)
    kept[chosen] = labels[chosen]
    used, all_of_them = (f"{round_significant(n):,.0f}" for n in (len(chosen), len(known)))
    return kept, (
        f"Labels are selective (their coverage differs by answer, score or segment), so performance"
        f" is measured on about {used} of {all_of_them} labels, which represent all predictions.",
    )
