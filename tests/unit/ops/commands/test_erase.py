"""`ops erase`: the file is uploaded, and the execution gets its key and no pseudonym."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.s3 import Bucket
from domain import keys
from domain.contract.contract import Contract
from domain.erasure import Certificate, Unfinished
from domain.training.steps import Erased
from ops import executions
from ops.commands.data import erase
from ops.console import render
from ops.errors import OpsError
from ops.executions import Result
from tests.repository import CONTRACT_TOML
from tests.unit.fakes import client_error
from training_job.inputs import ExecutionInput

SUBJECT = """
[[context]]
name = "person"
role = "subject"
"""


@pytest.fixture
def target(moto_bucket: Bucket) -> Any:
    return SimpleNamespace(
        bucket=lambda _: moto_bucket, data=moto_bucket, deploy_command="python -m ops up"
    )


@pytest.fixture(autouse=True)
def _deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = Contract.parse(CONTRACT_TOML.read_text() + SUBJECT)
    monkeypatch.setattr(erase, "read_deployed_contract", lambda _: deployed)


@pytest.fixture
def asked(target: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Inputs of executions, which erase one row and leave one object that can't be rewritten."""
    documents: list[dict[str, Any]] = []

    def follow(*_: Any) -> Result:
        request = ExecutionInput.parse(documents[-1]).erase
        assert request is not None
        unfinished = Unfinished(bucket="data", key="raw/a.zip", version_id="1", reason="a zip")
        certificate = Certificate(
            erasure=request.erasure,
            execution="e",
            dry_run=request.dry_run,
            began_at=1,
            finished_at=2,
            subjects=2,
            predictions=1,
            shared_references=0,
            objects=(),
            unfinished=(unfinished,),
        )
        target.data.put(keys.erasure_certificate(request.erasure), certificate.to_json())
        erased = Erased(
            erasure=request.erasure,
            dry_run=request.dry_run,
            subjects=2,
            predictions=1,
            rows=1,
            objects=1,
            versions=0,
            unfinished=1,
        )
        return Result("arn", {"erase": erased.to_dict()})

    monkeypatch.setattr(executions, "start", lambda _, document: documents.append(document))
    monkeypatch.setattr(executions, "follow_quietly", follow)
    return documents


def test_people_reach_the_execution_by_a_key_and_never_in_its_input(
    target: Any, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "our people.txt"
    file.write_text("\ufeffpatient-2\r\n\r\n patient-1 \npatient-1\n", encoding="utf-8")
    answer = erase.run(target, subject_file=file, dry_run=True)
    (document,) = asked
    assert "patient" not in json.dumps(document)
    stored = target.data.get(document["erase"]["subjects"])
    assert b"patient-1\npatient-2" == stored.data
    text = "".join(render(part) for part in answer.shown)
    assert "raw/a.zip: a zip." in text
    assert "The trained models stay" in text
    assert (1, True) == (answer.status, answer.data["dry_run"])
    assert answer.next_step.endswith(f"erase --subject-file '{file}'")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "names nobody"),
        (b"\n \n", "names nobody"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"ok\na\tb\n" + b"x" * 2_000, "line 2 has a control character; line 3 has more than"),
        (b"\n".join(str(n).encode() for n in range(1_001)), "names 1,001 people"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_lines_and_nothing_is_uploaded(
    target: Any, asked: list[dict[str, Any]], tmp_path: Path, content: bytes, expected: str
) -> None:
    file = tmp_path / "people.txt"
    file.write_bytes(content)
    with pytest.raises(OpsError, match=expected):
        erase.run(target, subject_file=file)
    assert [] == asked
    assert [] == list(target.data.list(""))


def test_a_file_that_is_not_there_is_named(target: Any, tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"nobody\.txt can't be read"):
        erase.run(target, subject_file=tmp_path / "nobody.txt")


def test_where_no_execution_starts_the_file_is_taken_back(
    target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OpsError("AWS can't be reached.", "Try again.")

    monkeypatch.setattr(executions, "start", fail)
    file = tmp_path / "people.txt"
    file.write_text("patient-1")
    with pytest.raises(OpsError, match="can't be reached"):
        erase.run(target, subject_file=file)
    assert [] == list(target.data.list(""))


def test_a_contract_without_people_is_refused_before_anything_is_uploaded(
    target: Any, asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = Contract.parse(CONTRACT_TOML.read_text())
    monkeypatch.setattr(erase, "read_deployed_contract", lambda _: deployed)
    file = tmp_path / "people.txt"
    file.write_text("patient-1")
    with pytest.raises(OpsError, match="no row says whom it is about") as refused:
        erase.run(target, subject_file=file)
    assert refused.value.next_step.endswith("then python -m ops up")
    assert ([], []) == (asked, list(target.data.list("")))


def test_whoever_may_not_read_the_deployed_contract_may_erase(
    target: Any, asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise client_error("AccessDenied")

    monkeypatch.setattr(erase, "read_deployed_contract", refuse)
    file = tmp_path / "people.txt"
    file.write_text("patient-1")
    erase.run(target, subject_file=file)
    assert 1 == len(asked)
