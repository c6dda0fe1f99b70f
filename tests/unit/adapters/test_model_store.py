"""Loading a model: what is missing, too large or damaged is a bad bundle with its own sentence."""

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.errors import BadBundle, BadKey
from domain.model.bundle import MAXIMUM_STORED_BYTES, Bundle, digest
from domain.model.champion import ModelRef
from tests.cards import make_card
from tests.unit.fakes import FakeS3, random_forest, store_model

VERSION = "7-0a1b2c3d"


def test_a_stored_model_is_loaded(contract: Contract) -> None:
    s3, bundle = FakeS3(), Bundle(contract, random_forest(contract, 1), 0.4)
    assert bundle == ModelStore(s3.bucket()).load_bundle(store_model(s3, bundle, 1))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "The bundle is missing."),
        (bytes(MAXIMUM_STORED_BYTES + 1), "The bundle is larger than 4,194,304 bytes."),
        (bytes(MAXIMUM_STORED_BYTES), "The bundle can't be read (error)."),
        (b"", "The bundle is truncated, too large, or followed by something else."),
    ],
)
def test_what_can_not_be_loaded_says_why(content: bytes | None, sentence: str) -> None:
    s3, ref = FakeS3(), ModelRef.of(1, digest(content or b""))
    if content is not None:
        s3.objects[ref.bundle_key] = content
    with pytest.raises(BadBundle) as raised:
        ModelStore(s3.bucket()).load_bundle(ref)
    assert sentence == str(raised.value)


def test_another_models_bytes_are_not_loaded(contract: Contract) -> None:
    s3 = FakeS3()
    ref = store_model(s3, Bundle(contract, random_forest(contract, 1), 0.4), 1)
    s3.objects[ref.bundle_key] = Bundle(contract, random_forest(contract, 2), 0.4).to_bytes()
    with pytest.raises(BadBundle, match="hash"):
        ModelStore(s3.bucket()).load_bundle(ref)


def test_a_card_is_read(moto_bucket: Bucket) -> None:
    card = make_card(VERSION)
    moto_bucket.put(keys.card(VERSION), card.to_json())
    assert card == ModelStore(moto_bucket).read_card(VERSION)


@pytest.mark.parametrize("data", [None, b"", b"[]", b'{"version": "7-0a1b2c3d"}'])
def test_a_damaged_card_counts_as_a_missing_one(moto_bucket: Bucket, data: bytes | None) -> None:
    if data is not None:
        moto_bucket.put(keys.card(VERSION), data)
    assert ModelStore(moto_bucket).read_card(VERSION) is None


def test_a_name_that_is_no_version_has_no_card(moto_bucket: Bucket) -> None:
    with pytest.raises(BadKey):
        ModelStore(moto_bucket).read_card("../secrets")
