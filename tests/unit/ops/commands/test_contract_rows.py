"""Made-up rows for any contract obey it, in its own dialect, and a model can learn from them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from domain.contract.contract import Contract
from ops.commands.data.sample_data import write
from ops.errors import OpsError
from ops.samples import contract_rows, diabetes_rows
from ops.samples.contract_rows import World
from tests.repository import CONTRACT_TOML
from training_job.dataset.files.reading import open_raw
from training_job.dataset.validation import check

DIALECT = """
[files]
separator = ";"
decimal = ","
encoding = "utf-16"

[target]
name = "churned"
source = "Churned?"
true = ["ja"]
false = ["nein; nie"]
weight = "Gewicht"

[split]
time = "Anruf am"

[[features]]
name = "plan"
kind = "category"
categories = ["Größe \\"A\\"", "B; C", "NA", "D"]

[[features]]
name = "fee"
source = "monthly fee"
kind = "number"
minimum = -20
maximum = 100
nullable = true
missing = [-999]
monotone = "increasing"

[[features]]
name = "balance"
kind = "number"

[[features]]
name = "weight"
kind = "number"
minimum = 1e-9
maximum = 3e-9

[[features]]
name = "senior"
kind = "flag"
true = ["yes"]
false = ["no"]
nullable = true

[[segments]]
feature = "site"

[[context]]
name = "customer"
role = "subject"

[[context]]
name = "row"
role = "row_id"

[[context]]
name = "call"
role = "reference"

[[context]]
name = "site"
kind = "category"
categories = ["north", "south"]
"""
FLAGS_ONLY = '[target]\nname = "y"\n' + "".join(
    f'[[features]]\nname = "f{n}"\nkind = "flag"\nnullable = true\n' for n in range(3)
)


@pytest.mark.parametrize("text", [DIALECT, FLAGS_ONLY, CONTRACT_TOML.read_text()])
def test_a_training_keeps_every_row(tmp_path: Path, text: str) -> None:
    contract, path = Contract.parse(text), tmp_path / "a.csv"
    write(rows=2_000, seed=1, path=path, contract=contract)

    with open_raw(path, "raw/a.csv", contract, labelled=True) as raw:
        checked = [check(batch.table, contract) for batch in raw.batches]

    assert ([], ()) == (checked[0].reasons, raw.extra)
    assert 2_000 == sum(int(one.valid.sum()) for one in checked)


def test_the_rows_have_what_the_contract_tells_of_them(tmp_path: Path) -> None:
    contract, path = Contract.parse(DIALECT), tmp_path / "a.csv"
    write(rows=20_000, seed=1, path=path, contract=contract)
    frame = pd.read_csv(
        path, sep=";", decimal=",", encoding="utf-16", keep_default_na=False, na_values=["-999"]
    )

    assert ['Größe "A"', "B; C", "NA", "D"] == [*frame["plan"].value_counts().index]
    assert pytest.approx(0.05, abs=0.01) == frame["monthly fee"].isna().mean()
    assert pytest.approx(0.25, abs=0.02) == (frame["Churned?"] == "ja").mean()
    assert pytest.approx(40, abs=2) == frame["monthly fee"].mean()
    assert 10_000 == frame["customer"].nunique()
    assert 20_000 == frame["row"].nunique()
    assert {"north", "south"} == set(frame["site"])
    assert frame["Anruf am"].is_monotonic_increasing
    assert {1, 2, 4} == set(frame["Gewicht"])
    assert "call" not in frame
    risk = frame.groupby(frame["monthly fee"] > 40)["Churned?"].apply(lambda y: (y == "ja").mean())
    assert risk[True] > risk[False]


@pytest.mark.parametrize("text", [DIALECT, FLAGS_ONLY])
def test_a_model_learns_from_one_file_and_knows_the_rows_of_another(text: str) -> None:
    world = World.of(Contract.parse(text))
    target = world.contract.target_in_files.source or world.contract.target

    def rows(seed: int) -> tuple[pd.DataFrame, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
        frame = next(world.chunks(rows=4_000, seed=seed)).to_pandas()
        labels = frame.pop(target).isin(["ja", "1"]).to_numpy()
        used = frame.drop(
            columns=["customer", "row", "site", "Anruf am", "Gewicht"], errors="ignore"
        )
        return used.apply(lambda column: pd.factorize(column, sort=True)[0]), labels

    train, test = rows(1), rows(2)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(*train)
    assert roc_auc_score(test[1], model.predict_proba(test[0])[:, 1]) > 0.75


def test_the_pattern_follows_from_the_contract_and_the_rows_from_the_seed() -> None:
    first, second = World.of(Contract.parse(DIALECT)), World.of(Contract.parse(DIALECT))
    assert first.intercept == second.intercept
    tables = [next(first.chunks(rows=100, seed=seed)) for seed in (1, 1, 2)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_chunks_go_on_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_rows, "CHUNK_ROWS", 100)
    write(rows=250, seed=1, path=tmp_path / "a.csv", contract=Contract.parse(DIALECT))
    text = (tmp_path / "a.csv").read_bytes().decode("utf-16")
    rows = pd.read_csv(io.StringIO(text), sep=";")
    assert [f"row-{n}" for n in range(250)] == [*rows["row"]]


def test_an_encoding_without_the_contracts_characters_is_refused(tmp_path: Path) -> None:
    contract = Contract.parse(DIALECT.replace("utf-16", "ascii"))
    with pytest.raises(OpsError, match="lacks a character"):
        write(rows=10, seed=1, path=tmp_path / "a.csv", contract=contract)
    assert [] == [*tmp_path.iterdir()]


def test_columns_from_the_names_of_folders_are_refused(tmp_path: Path) -> None:
    text = DIALECT.replace("[files]", '[files]\npartition_columns = ["plan"]')
    with pytest.raises(OpsError, match="names of folders"):
        write(rows=10, seed=1, path=tmp_path / "a.csv", contract=Contract.parse(text))


SUBJECT = '[[context]]\nname = "patient"\nrole = "subject"\n'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", True),
        ('"Female", "Male", "Other"', '"F", "M"', False),
        ("maximum = 700", "maximum = 200", False),
        ('name = "bmi"', 'name = "body_mass"', False),
        ('name = "diabetes"', 'name = "diabetes"\ntrue = ["yes"]\nfalse = ["no"]', False),
        ("\n[target]\n", '\n[files]\nseparator = ";"\n[target]\n', False),
        ("\n[target]\n", f"\n{SUBJECT}nullable = true\n[target]\n", True),
        ("\n[target]\n", f"\n{SUBJECT}\n[target]\n", False),
    ],
)
def test_the_data_set_is_imitated_where_a_training_would_keep_it(
    old: str, new: str, expected: bool
) -> None:
    text = CONTRACT_TOML.read_text().replace(old, new, 1)
    assert expected is diabetes_rows.fits(Contract.parse(text))
