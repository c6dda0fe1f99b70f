"""The Kaggle table as thirteen tools write its header and separators: one dataset from all."""

from collections.abc import Callable

import pandas as pd
import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from tests.unit.patients import csv, patients
from training_job.dataset.prepare import prepare

FRAME = patients(2_000, seed=1)
PLAIN = csv(FRAME)


def _renamed(change: Callable[[str], str]) -> bytes:
    return csv(FRAME.rename(columns=change))


def _quoted(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, quoting=1).encode()


VARIANTS: dict[str, bytes] = {
    "semicolons and CR LF": PLAIN.replace(b",", b";").replace(b"\n", b"\r\n"),
    "tabs": PLAIN.replace(b",", b"\t"),
    "pipes": PLAIN.replace(b",", b"|"),
    "spaces after commas": PLAIN.replace(b",", b", "),
    "capitals": _renamed(str.upper),
    "title case with blanks": _renamed(lambda name: name.replace("_", " ").title()),
    "lower case": _renamed(str.lower),
    "blanks around names": _renamed(lambda name: f" {name} "),
    "index column": FRAME.to_csv().encode(),
    "everything quoted": _quoted(FRAME),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "sep line of Excel": b"sep=;\r\n" + PLAIN.replace(b",", b";"),
    "comment first": b"# diabetes prediction dataset\n" + PLAIN,
    "blank line between rows": PLAIN.replace(b"\n", b"\r\r\n"),
    "UTF-16 of Excel": PLAIN.replace(b",", b"\t").decode().encode("utf-16"),
}


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_variant_of_the_table_is_the_same_dataset(
    content: bytes, moto_bucket: Bucket, contract: Contract
) -> None:
    ids = []
    for written in (PLAIN, content):
        moto_bucket.put(f"{keys.RAW}a.csv", written)
        prepared = prepare(
            contract=contract,
            bucket=moto_bucket,
            raw_prefix=keys.RAW,
            salt="s",
            bad_row_share=0.0,
            execution="e",
            say=lambda _: None,
        )
        ids.append(prepared.dataset_id)
    assert ids[0] == ids[1]
