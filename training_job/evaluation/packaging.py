"""What MLflow gets of a version: a model that takes rows of the contract, and words about it."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

import domain
from adapters.registry import PackagedModel
from domain.api.schemas import make_example
from domain.contract.contract import Contract
from domain.contract.feature import Feature, Value
from domain.model.bundle import Bundle
from domain.model.card import ModelCard
from domain.plural import write_count

CODE = Path(__file__).parents[1] / "model" / "contract_model.py"
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive, so that equal sources make equal bytes."""


def package(
    folder: Path, bundle: Bundle, content: bytes, *, sha256: str, typical: Mapping[str, Value]
) -> PackagedModel:
    """Write the files of the logged model into `folder`.

    `content`: the bundle's bytes. `typical`: values of the made-up row that MLflow shows.
    """
    (folder / "bundle.json.gz").write_bytes(content)
    _zip_domain(folder / "domain.zip")
    contract = bundle.contract
    example = make_example(contract, typical)
    return PackagedModel(
        code=CODE,
        artifacts={
            "bundle": str(folder / "bundle.json.gz"),
            "domain": str(folder / "domain.zip"),
        },
        signature=make_signature(contract),
        example=pd.DataFrame([{f.name: example[f.name] for f in contract.features}]),
        sha256=sha256,
        metadata={"contract_version": contract.version, "threshold": bundle.threshold},
    )


def make_signature(contract: Contract) -> ModelSignature:
    """The contract's columns, and what the model answers.

    MLflow converts no whole number to a float, so numbers and flags are of any type there; the
    model itself checks them.
    """
    return ModelSignature(
        inputs=Schema([_describe(feature) for feature in contract.features]),
        outputs=Schema(
            [ColSpec(DataType.double, "probability"), ColSpec(DataType.boolean, contract.target)]
        ),
    )


def _describe(feature: Feature) -> ColSpec:
    kind = DataType.string if feature.kind == "category" else AnyType()  # type: ignore[no-untyped-call]  # it has no types
    return ColSpec(kind, feature.name, required=not feature.nullable)


def _zip_domain(path: Path) -> None:
    """The package `domain`, which scores; it needs the standard library only."""
    (source,) = domain.__path__
    root = Path(source)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.py")):
            name = str(Path("domain") / file.relative_to(root))
            archive.writestr(zipfile.ZipInfo(name, _BEGINNING), file.read_bytes())


def name_run(card: ModelCard) -> str:
    """What people see in MLflow's list of runs: ``12-0a1b2c3d, F1 0.811, passed the gate``."""
    verdict = "passed the gate" if card.verdict.promote else "refused by the gate"
    return f"{card.version}, F1 {card.metrics['f1']:.3f}, {verdict}"


def describe_version(card: ModelCard) -> str:
    """The description of a version."""
    rows = ", ".join(f"{count:,} for {side}" for side, count in card.rows.items())
    return (
        f"Version `{card.version}`, {write_count(card.trees, 'tree')}, threshold "
        f"{card.threshold:.4g}.\n\n"
        f"**The gate's verdict:** {' '.join(card.verdict.reasons)}\n\n"
        f"Trained on dataset `{card.dataset_id}` ({rows}). The run has the model card, the plots"
        " and all figures."
    )


def describe_model(contract: Contract, operator: str) -> str:
    """The description of the registered model: what it answers, and how a version is promoted.

    `operator`: how the operator's command line is called for the deployment.
    """
    return f"""Predicts `{contract.target}` from rows of the data contract; missing values may be \
None or NaN.

```python
model = mlflow.pyfunc.load_model("models:/<this model>@champion")
model.predict(rows)  # a data frame with the contract's columns
```

It scores as the API does, from the same bundle, but logs nothing.

**Promoting a version.** The alias `champion` follows what serves. Setting it here, or *Promote \
model*, changes nothing that serves. A training promotes its version if the gate finds it better. \
Where a stage wants an approval, `{operator} approve VERSION` gives it. \
`{operator} rollback --to VERSION` lets an earlier champion serve again. `{operator} ledger` says \
which versions have served, and why."""
