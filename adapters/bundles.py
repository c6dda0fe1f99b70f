"""Loading a model from the models bucket: one way for who serves it, judges it or promotes it."""

from adapters.s3 import Bucket
from domain.errors import BadBundle
from domain.model.bundle import MAXIMUM_STORED_BYTES, Bundle
from domain.model.champion import ModelRef


def load(models: Bucket, model: ModelRef) -> Bundle:
    """The bundle that `model` names, checked against its hash.

    Raises BadBundle when it is missing, too large or no bundle of this hash, and `UNREACHABLE`.
    """
    stored = models.get(model.bundle_key, limit=MAXIMUM_STORED_BYTES + 1)
    if stored is None:
        raise BadBundle("The bundle is missing.")
    if len(stored.data) > MAXIMUM_STORED_BYTES:
        raise BadBundle(f"The bundle is larger than {MAXIMUM_STORED_BYTES:,} bytes.")
    return Bundle.from_bytes(stored.data, model.sha256)
