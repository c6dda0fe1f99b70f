"""S3 and Firehose for the predictor: objects to read, and a stream that accepts everything."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager

from benchmarks.serving.local_http import Handler, serving


def stores(objects: Mapping[str, bytes]) -> AbstractContextManager[str]:
    """Serve objects by ``/bucket/key``, and a stream of any name; yields ``host:port``."""

    class Stores(Handler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            """GetObject."""
            content = objects.get(self.path.partition("?")[0])
            if content is None:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                return
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            if self.headers.get("If-None-Match") == etag:
                self.answer(304, b"")
            else:
                self.answer(200, content, ETag=etag)

        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            """PutRecordBatch."""
            count = len(json.loads(self.body())["Records"])
            answer = {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}] * count}
            self.answer(200, json.dumps(answer).encode(), Content_Type="application/x-amz-json-1.1")

    return serving(Stores)
