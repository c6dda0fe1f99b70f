"""Proof of who starts an execution: a signed request to STS that the recipient sends.

STS answers GetCallerIdentity with the principal whose credentials signed the request. The name of
the execution is a signed header, so the proof is worthless for any other execution, and it expires
after 15 minutes. Amazon EKS authenticates its callers in the same way.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

HEADER = "x-mlops-execution"
EXPIRES_SECONDS = 900
TIMEOUT_SECONDS = 10
_EVENT = "before-sign.sts.GetCallerIdentity"
_REQUIRED = {
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
}
_OPTIONAL = {"X-Amz-Security-Token"}
_ARN = re.compile(r"<Arn>([^<>]{1,2048})</Arn>")


def sign_identity(sts: Any, execution: str) -> str:
    """The proof for an execution of that name: query of a request that this client's user signed.

    Raises BotoCoreError without credentials.
    """

    def add_header(request: Any, **_: object) -> None:
        request.headers.add_header(HEADER, execution)

    sts.meta.events.register(_EVENT, add_header, "execution")
    try:
        url = sts.generate_presigned_url(
            "get_caller_identity", ExpiresIn=EXPIRES_SECONDS, HttpMethod="GET"
        )
    finally:
        sts.meta.events.unregister(_EVENT, add_header, "execution")
    return str(urlsplit(url).query)


def identify(sts: Any, proof: str, execution: str) -> str | None:
    """The ARN of the principal that signed `proof` for this execution; None if nobody did.

    The request goes to this client's endpoint whatever the proof says. Also None when STS can't be
    reached: a rollback must not wait for it.
    """
    given = dict(parse_qsl(proof, keep_blank_values=True))
    signed = given.get("X-Amz-SignedHeaders", "").split(";")
    if not _REQUIRED <= set(given) <= _REQUIRED | _OPTIONAL or sorted(signed) != ["host", HEADER]:
        return None
    if given["Action"] != "GetCallerIdentity":
        return None
    request = AWSRequest(
        method="GET",
        url=f"{sts.meta.endpoint_url.rstrip('/')}/?{urlencode(given)}",
        headers={HEADER: execution},
    )
    try:
        answer = URLLib3Session(timeout=TIMEOUT_SECONDS).send(request.prepare())
    except BotoCoreError:
        return None
    found = _ARN.search(answer.text) if answer.status_code == 200 else None
    return found[1] if found else None
