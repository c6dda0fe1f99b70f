from datetime import date

from adapters.partitions import list_days
from adapters.s3 import Bucket

NEWER, OLDER = date(2026, 5, 2), date(2026, 5, 1)


def test_days_come_from_the_stream_and_its_fallback_in_two_requests(moto_bucket: Bucket) -> None:
    for key in (
        "labels/dt=2026-05-01/a.parquet",
        "labels/dt=2026-05-01/b.parquet",
        "fallback/labels/dt=2026-05-02/c.jsonl",
        "labels/notes/d.txt",
        "log/dt=2026-05-03/e.parquet",
    ):
        moto_bucket.put(key, b"x")
    requests: list[object] = []
    moto_bucket.client.meta.events.register(
        "before-call.s3.ListObjectsV2", lambda **found: requests.append(found)
    )
    assert [NEWER, OLDER] == list_days(moto_bucket, "labels")
    assert 2 == len(requests)
