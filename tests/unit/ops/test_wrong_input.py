"""What people type wrong on a machine on which nothing runs: one sentence each, and a next step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.cli import run
from tests.repository import ROOT

ROWS = "a,b\n1,2\n1,3\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of rows and a broken file of settings."""
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "broken.json").write_text("[1]")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "problem", "advice"),
    [
        ("up --settings none.json", "none.json can't be read: No such file", "another --settings"),
        ("up --settings broken.json", "can't be read as a JSON object of settings", "Write one as"),
        ("up --mail-to nobody", "nobody is not a mail address.", "Write one, such as"),
        ("up --mail-to a@b.org,c@d.org", "is not a mail address.", "Write one, such as"),
        ("demo --mail-to nobody", "nobody is not a mail address.", "Write one, such as"),
        ("--name Churn up", "Deployment 'Churn' can't have stage", "Correct --name or --stage."),
        ("sample-data --rows 0", "--rows must be from 1 to 1,000,000,000.", "Correct that"),
        ("sample-data --seed -1", "--seed must not be negative.", "Correct that"),
        ("contract infer . --target a", ". is no file.", "Give a CSV or Parquet file."),
        ("contract infer rows.csv --target b --out no/x.toml", "There is no folder no.", "--out"),
        ("query --csv no/x.csv", "There is no folder no.", "Name another file with --csv."),
        ("query --csv .", ". is a folder.", "Name a file with --csv."),
        ("labels-wanted --out no/x.csv", "There is no folder no.", "Name another file with --out."),
        ("export-labelled --out no/x", "There is no folder no.", "Name another file with --out."),
        ("list --html no/x.html", "There is no folder no.", "Name another file with --html."),
        ("simulate --amount 5", "--amount needs a --scenario, and none is named.", "Add for"),
        ("simulate --feature a --value b", "--feature and --value need a --scenario", "Add for"),
        ("train --workers 3", "--workers and --scheduler are for dask.", "Add --engine dask."),
        ("train --engine local --scheduler tcp://a:1", "are for dask.", "Add --engine dask."),
        ("train --raw-prefix nothere", "--raw-prefix must name a folder", "--raw-prefix raw/"),
        ("drift --day 2026-02-30", "That is no day of the calendar", "Correct the window"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    machine: Path, capsys: pytest.CaptureFixture[str], words: str, problem: str, advice: str
) -> None:
    assert 1 == run(["--local", str(machine / "local"), *words.split()])
    said = capsys.readouterr().err
    assert problem in said
    assert advice in said.rpartition("Next: ")[2]
    assert "comparing" not in said
    assert not (machine / "local" / "logs").exists()  # nothing was started


@pytest.mark.parametrize("command", ["up", "status", "train"])
@pytest.mark.parametrize("local", ["rows.csv", "rows.csv/below"])
def test_a_file_in_place_of_the_folder_is_named(
    machine: Path, capsys: pytest.CaptureFixture[str], command: str, local: str
) -> None:
    assert 1 == run(["--local", str(machine / local), command])
    expected = (
        f"{machine / 'rows.csv'} is a file, not a folder.\nNext: Name a folder with --local.\n"
    )
    assert expected == capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "train --trials 0",
        "train --trials 1001",
        "train --minimum-f1 1.5",
        "train --seed -1",
        "train --engine spark",
        "train --engine dask --workers 101",
        "drift --days 0",
        "drift --last-rows 0",
    ],
)
def test_an_option_out_of_its_range_is_named_before_anything_is_asked(
    machine: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert 2 == run(["--local", str(machine / "local"), *words.split()])
    option = next(word for word in reversed(words.split()) if word.startswith("--"))
    assert f"Invalid value for '{option}'" in capsys.readouterr().err


def test_a_reader_of_everything_that_stops_early_is_no_failure(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "ops", "--local", str(tmp_path), "doctor"],
        cwd=ROOT,
        stdout=writing,
        stderr=writing,
        check=False,
    )
    os.close(writing)
    assert 0 == done.returncode
