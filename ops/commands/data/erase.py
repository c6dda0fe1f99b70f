"""`erase`: one execution that erases people's rows everywhere, watched until it ends."""

import secrets
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from domain import keys
from domain.erasure import Certificate
from domain.plural import write_count
from domain.training.steps import Erased
from domain.typed_json import encode
from ops import executions
from ops.console import Answer, facts
from ops.contract_changes import read_deployed_contract
from ops.errors import OpsError
from ops.target import Target

if TYPE_CHECKING:
    from rich.text import Text

SHOWN = 20
"""Objects that can't be rewritten and are shown; the certificate has all."""


def run(
    target: Target,
    *,
    subject_file: Annotated[
        Path, Option(help="A text file with the pseudonym of one person a line.")
    ],
    dry_run: Annotated[
        bool, Option("--dry-run", help="Only say what would be erased; change nothing.")
    ] = False,
) -> Answer:
    """Erase every row of some people, everywhere.

    Every version of every object is searched. The file is uploaded, encrypted, and deleted at the
    end; the execution's input names its key only. Run the command again if it was interrupted.
    """
    from adapters.s3_versions import erase_key
    from training_job.erasure.erase_request import EraseRequest, read_subjects
    from training_job.errors import BadInput

    try:
        content = subject_file.read_bytes()
        subjects = read_subjects(content)
    except OSError:
        raise OpsError(f"{subject_file} can't be read.", "Name a readable text file.") from None
    except BadInput as error:
        raise OpsError(str(error), "Correct the file and run the command again.") from None
    _require_subject(target)
    erasure = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    request = EraseRequest(
        subjects=keys.erasure_subjects(erasure, dry_run=dry_run), dry_run=dry_run
    )
    data = target.bucket("data")
    data.put(request.subjects, "\n".join(sorted(subjects)).encode(), content_type="text/plain")
    try:
        execution = executions.start(target, {"erase": encode(request)})
    except BaseException:
        erase_key(data, request.subjects)  # else it would lie there until the next erasure
        raise
    result = executions.follow_quietly(target, execution, "erase")
    erased = Erased.from_dict(result.output[Erased.step])
    key = keys.erasure_certificate(erasure)
    certificate = data.read(key, Certificate.from_json)
    unfinished = certificate.unfinished if certificate else ()
    sentences = [f"{one.bucket}: {one.key}: {one.reason}." for one in unfinished[:SHOWN]]
    if erased.unfinished:
        sentences.insert(0, f"{write_count(erased.unfinished, 'object')} may still hold a row:")
    stays = list(certificate.stays) if certificate else []
    path = shlex.quote(str(subject_file))
    return Answer(
        data=erased.to_dict() | {"certificate": data.uri(key)},
        shown=[_describe(erased, data.uri(key)), *sentences, *stays],
        next_step=f"python -m ops erase --subject-file {path}" if dry_run else "",
        status=1 if erased.unfinished else 0,
    )


def _require_subject(target: Target) -> None:
    """Refuse before anything is uploaded where no row says whom it is about; raises OpsError."""
    from botocore.exceptions import ClientError

    try:
        deployed = read_deployed_contract(target)
    except ClientError:  # who may not read it may erase nevertheless, and the execution checks it
        return
    if deployed is not None and deployed.context_column("subject") is None:
        raise OpsError(
            'The deployed contract has no context column with role = "subject", so no row says whom'
            " it is about.",
            f"Declare one under [[context]] of the contract, then {target.deploy_command}",
        )


def _describe(erased: Erased, certificate: str) -> "Text":
    verb = "would be " if erased.dry_run else ""
    return facts(
        [
            ("people", f"{erased.subjects:,}"),
            ("predictions of theirs in the log", f"{erased.predictions:,}"),
            (f"rows {verb}erased", f"{erased.rows:,}"),
            (f"objects {verb}rewritten", f"{erased.objects:,}"),
            (f"versions {verb}deleted", f"{erased.versions:,}"),
            ("certificate", certificate),
        ]
    )
