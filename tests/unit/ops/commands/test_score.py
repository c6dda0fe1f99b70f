"""`ops score`: where the scores go, how far they are, and how a repeat goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain import keys
from domain.model.champion import Champion, ModelRef
from domain.training.steps import Scored
from ops import executions
from ops.commands.data import score
from ops.console import Answer
from ops.errors import OpsError
from training_job.scoring.score_request import ScoreRequest

MODELS = [ModelRef.of(number, f"{number}" * 64) for number in (1, 2)]
SCORED = Scored(
    model_version="1",
    threshold=0.5,
    output="scoring/out/x/",
    logged=False,
    rows=2,
    refused=0,
    positives=1,
    top_reasons=(),
)


class FakeTarget:
    """A stage whose executions end as they are told to; its buckets are one."""

    laptop = None
    folder = Path()

    def __init__(self, bucket: Bucket) -> None:
        self.data, self.answers = bucket, [self.ended()]
        self.models = ModelStore(bucket)
        self.model: ModelRef | None = MODELS[0]

    def ended(self, status: str = "SUCCEEDED") -> dict[str, Any]:
        output = json.dumps({SCORED.step: SCORED.to_dict()})
        return {"status": status, "output": output, "error": "BadData", "cause": "a.csv is torn."}

    def bucket(self, _: str) -> Bucket:
        return self.data

    def client(self, _: str, **__: Any) -> "FakeTarget":
        return self

    def describe_execution(self, **_: Any) -> dict[str, Any]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def champion(self) -> Champion | None:
        if self.model is None:
            return None
        return Champion.successor(None, self.model, action="promote", execution="e", now=1)


@pytest.fixture
def target(moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    monkeypatch.setattr(executions, "POLL_SECONDS", 0.0)
    return FakeTarget(moto_bucket)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []

    def start(_: Any, document: dict[str, Any]) -> str:
        documents.append(document["score"])
        return "arn"

    monkeypatch.setattr(executions, "start", start)
    return documents


def run(target: FakeTarget, source: Path | str, **options: Any) -> Answer:
    place: Any = target
    return score.run(place, input=str(source), **options)


def test_the_same_command_goes_on_in_the_same_folder_and_uploads_once(
    target: FakeTarget, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "ward.csv"
    file.write_text("age\n40\n")
    for _ in range(2):
        run(target, file, output=str(tmp_path / "scores"))
    first, again = asked
    assert first == again
    assert MODELS[0].version == first["version"]
    assert 1 == len(list(target.data.list(keys.SCORING)))


def test_another_model_file_or_log_has_another_folder(
    target: FakeTarget, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "ward.csv"
    file.write_text("age\n40\n")
    run(target, file)
    run(target, file, log=True)
    target.model = MODELS[1]
    run(target, file)
    file.write_text("age\n41\n")
    run(target, file)
    assert 4 == len({document["output"] for document in asked})


def test_a_folder_of_the_bucket_needs_no_slash_and_its_own_output_keeps_its_model(
    target: FakeTarget, asked: list[dict[str, Any]]
) -> None:
    target.data.put("raw/2024/a.csv", b"age\n40\n")
    run(target, "raw/2024", output="scoring/out/july")
    assert [] == ScoreRequest.problems(asked[0])
    requests = [ScoreRequest.parse(document) for document in asked]
    assert [ScoreRequest(input="raw/2024/", output="scoring/out/july/")] == requests


def test_off_a_terminal_progress_tells_bytes_and_rows(
    target: FakeTarget, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    target.data.put("raw/a.csv", b"x" * 1_000)
    target.data.put("scoring/out/x/plan.json", b"{}")
    running = {"status": "RUNNING"}
    target.answers = [running, running, target.ended()]
    described = target.describe_execution

    def half_done(**_: Any) -> dict[str, Any]:
        if len(target.answers) == 2:
            progress = {"rows": 12_000, "refused": 3, "bytes": 600}
            target.data.put("scoring/out/x/progress.json", json.dumps(progress).encode())
        return described()

    target.describe_execution = half_done  # type: ignore[method-assign]  # what happens meanwhile
    run(target, "raw/a.csv", output="scoring/out/x/")
    lines = capsys.readouterr().err.splitlines()
    assert ["score: starting", "score: at work"] == lines[:2]
    assert lines[2].startswith("score: 600 of 1,000 bytes, 12,000 rows, 3 refused, about")


@pytest.mark.parametrize(
    "progress", [b"{", b"{}", b"[]", b'{"rows": "1", "refused": 0, "bytes": 0}']
)
def test_progress_that_cannot_be_read_stops_no_scoring(
    target: FakeTarget, asked: list[dict[str, Any]], progress: bytes
) -> None:
    target.data.put("raw/a.csv", b"age\n40\n")
    target.data.put("scoring/out/x/progress.json", progress)
    assert SCORED.rows == run(target, "raw/a.csv", output="scoring/out/x/").data["rows"]
    assert 1 == len(asked)


def test_a_failed_scoring_says_how_it_goes_on(
    target: FakeTarget, asked: list[dict[str, Any]]
) -> None:
    target.data.put("raw/a.csv", b"age\n40\n")
    target.answers = [target.ended("FAILED")]
    with pytest.raises(OpsError, match=r"ended as FAILED: BadData: a\.csv is torn") as found:
        run(target, "raw/a.csv")
    assert "the same command then continues" in str(found.value.next_step)


def test_without_input_or_model_nothing_is_started(
    target: FakeTarget, asked: list[dict[str, Any]]
) -> None:
    with pytest.raises(OpsError, match="neither a local file or folder nor anything to score"):
        run(target, "raw/none")
    with pytest.raises(OpsError, match=r"^none\.csv is neither a local file") as refused:
        run(target, "none.csv")
    assert "under raw/ or scoring/" in refused.value.next_step
    target.data.put("raw/a.csv", b"age\n40\n")
    target.model = None
    with pytest.raises(OpsError, match="No model serves yet"):
        run(target, "raw/a.csv")
    assert [] == asked


@pytest.mark.parametrize(
    "wrong",
    [
        ({}, "No model serves yet, so nothing can be scored"),
        ({"output": "scoring/out/july/"}, "No model serves yet, so nothing can be scored"),
        ({"model_version": "9-0a1b2c3d"}, "There is no version 9-0a1b2c3d"),
        ({"model_version": "nine"}, r"score\.version must be a version such as 7-0a1b2c3d"),
        ({"model_version": "1-11111111", "keep": ["age", "age"]}, "must name each column once"),
        ({"model_version": "1-11111111", "output": "a.csv"}, "can't be made a folder"),
    ],
)
def test_what_is_refused_uploads_nothing(
    target: FakeTarget,
    asked: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[dict[str, Any], str],
) -> None:
    options, problem = wrong
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("age\n40\n")
    target.model = None
    with pytest.raises(OpsError, match=problem):
        run(target, "a.csv", **options)
    assert [] == asked
    assert [] == list(target.data.list(""))


@pytest.mark.parametrize(
    "wrong",
    [
        ({"source": ""}, "The input has no name"),
        ({"source": " "}, "The input has no name"),
        ({"output": "taken"}, "taken can't be made a folder for the scores"),
        ({"output": "taken/scores"}, "taken/scores can't be made a folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_scored(
    target: FakeTarget,
    asked: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[dict[str, str], str],
) -> None:
    options, part = wrong
    monkeypatch.chdir(tmp_path)
    for name in ("taken", "a.csv"):
        (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(OpsError) as refused:
        run(target, **{"source": "a.csv", **options})
    assert part in str(refused.value)
    assert [] == asked


def test_a_local_folder_is_scored_whole_and_uploaded_once(
    target: FakeTarget, asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    ward = tmp_path / "ward"
    for name in ("jan/data.csv", "feb/data.csv", "._data.csv", "README.txt"):
        (ward / name).parent.mkdir(parents=True, exist_ok=True)
        (ward / name).write_text(f"age\n{len(name)}\n")
    for _ in range(2):
        run(target, ward)
    first, again = asked
    assert first == again
    source = first["input"]
    assert source.endswith("/ward/")
    stored = [entry.key.removeprefix(source) for entry in target.data.list(source)]
    assert ["feb/data.csv", "jan/data.csv"] == stored
    (ward / "jan/data.csv").write_text("age\n99\n")
    run(target, ward)
    assert source != asked[-1]["input"]
