"""The champion pointer as promotions and trainings need it: there, absent, or lost."""

from adapters.model_store import ModelStore, Pointer
from domain.errors import BadRecord
from domain.plural import write_count
from training_job.errors import PointerLost


def read_pointer(store: ModelStore) -> Pointer | None:
    """The pointer, or None before the first promotion.

    Raises PointerLost when it is damaged, and when it is gone though the ledger has entries:
    whoever started at seq 1 then would write a second history beside the first one.
    """
    try:
        pointer = store.read_pointer()
    except BadRecord as error:
        raise PointerLost(str(error)) from None
    entries = len(store.list_ledger()) if pointer is None else 0
    if entries:
        has = write_count(entries, "entry")
        raise PointerLost(f"The champion pointer is gone, but the ledger has {has}.")
    return pointer
