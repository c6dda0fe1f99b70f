"""What erasures have taken from the prediction log."""

from contextlib import suppress

from adapters.s3 import Bucket
from domain import keys
from domain.erasure import Certificate, hash_prediction
from domain.errors import BadRecord


def find_erasure(data: Bucket, prediction_id: str) -> Certificate | None:
    """The certificate of the erasure that took this prediction's record, if any did."""
    digest = hash_prediction(prediction_id)
    for folder in data.folders(keys.ERASURES):
        erasure = folder.removeprefix(keys.ERASURES).rstrip("/")
        stored = data.get(keys.erased_predictions(erasure))
        if stored is None or digest.encode() not in stored.data:
            continue
        with suppress(BadRecord):
            found = data.read(keys.erasure_certificate(erasure), Certificate.from_json)
            if found is not None:
                return found
    return None
