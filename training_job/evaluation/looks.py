"""How often the same test rows have judged a model before.

Each further look at the same rows makes a false promotion more likely: among equal challengers, one
will look better by chance.
"""

from adapters.model_store import ModelStore
from adapters.s3 import Bucket

MOST_CARDS = 500
"""Only the newest cards are read, so that the step's time doesn't grow with every version."""


def count_earlier_verdicts(models: Bucket, dataset_id: str, execution: str) -> int:
    """Verdicts on this dataset's test rows, by the model cards; not those of a retried execution.

    Rows that were appended make another dataset, which is counted from zero although it keeps the
    earlier test rows.
    """
    store = ModelStore(models)
    cards = (store.read_card(version) for version in store.list_cards()[:MOST_CARDS])
    return sum(
        card is not None and card.dataset_id == dataset_id and card.execution != execution
        for card in cards
    )
