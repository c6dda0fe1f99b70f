"""``python -m ops.local.emulator_process``: MiniStack, which stores nothing on a full disk.

It also saves its state when it is asked to, not only at an orderly end: after a hard end MiniStack
removes the objects of every bucket that the saved state doesn't know.

MiniStack answers that it took a record of Firehose before it writes the record's file. On a full
disk that file would be missing after the next start, without a word. So it refuses objects and
records while less than RESERVE_BYTES are free: the predictor then answers 503, as on AWS when
neither the stream nor the bucket takes a record.
"""

import os
import shutil
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

RESERVE_BYTES = 64 * 1024 * 1024
RESERVE_VARIABLE = "EMULATOR_RESERVE_BYTES"
FULL = "There is no space left on the disk that holds the emulator's files."

SAVE_PATH = "/_ops/save"
"""A POST here saves the state."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application: scope, receive, send."""


def refuse_when_full(app: Asgi, count_free: Callable[[], int], reserve: int) -> Asgi:
    """The application, which refuses what stores objects while fewer bytes than that are free."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        refusal = _describe_refusal(scope) if scope["type"] == "http" else None
        if refusal is None or count_free() >= reserve:
            await app(scope, receive, send)
            return
        content_type, body = refusal
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
        while (await receive()).get("more_body"):
            pass
        status = HTTPStatus.SERVICE_UNAVAILABLE
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return guarded


def save_when_asked(app: Asgi, save: Callable[[], None]) -> Asgi:
    """The application, which calls `save` for a POST to `SAVE_PATH`."""

    async def saving(scope: Message, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == SAVE_PATH
        if not asked or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        save()
        status = int(HTTPStatus.NO_CONTENT)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return saving


def _describe_refusal(scope: Message) -> tuple[bytes, bytes] | None:
    """Content type and body of a refusal, for a call that stores objects; None for any other."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    signed = headers.get(b"authorization", b"")
    if b"/s3/" in signed and scope["method"] in ("PUT", "POST"):
        error = f"<Error><Code>ServiceUnavailable</Code><Message>{FULL}</Message></Error>"
        return b"application/xml", error.encode()
    if headers.get(b"x-amz-target", b"").startswith(b"Firehose_20150804.PutRecord"):
        error = f'{{"__type": "ServiceUnavailableException", "message": "{FULL}"}}'
        return b"application/x-amz-json-1.1", error.encode()
    return None


def main() -> None:
    """Run MiniStack in the foreground, with its files where the environment says."""
    from ministack import app as ministack

    folder = Path(os.environ["S3_DATA_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    reserve = int(os.environ.get(RESERVE_VARIABLE, RESERVE_BYTES))
    app = refuse_when_full(ministack.app, lambda: shutil.disk_usage(folder).free, reserve)
    ministack.app = save_when_asked(
        app, lambda: ministack.save_all(ministack._build_persistence_save_dict())
    )
    ministack.main()


if __name__ == "__main__":
    main()
