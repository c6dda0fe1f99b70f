"""The model that serves: its predictions, its explanations, its reference sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from circle.place import find_place
from domain.contract.contract import Contract
from domain.contract.feature import Value
from domain.model.bundle import Bundle
from domain.model.card import ModelCard
from ops.errors import OpsError
from ops.target import Target
from tabular.models import Models, NoReference

LISTED = 20
"""The most problems that a refusal lists."""


@dataclass(frozen=True)
class Champion:
    """A loaded model. `card`: its model card; None where it can't be read."""

    version: str
    bundle: Bundle
    card: ModelCard | None

    @property
    def contract(self) -> Contract:
        """The contract that its rows obey."""
        return self.bundle.contract

    @property
    def threshold(self) -> float:
        """The probability from which the answer is positive."""
        return self.bundle.threshold

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Score rows with the contract's columns, exactly as the API does; nothing is logged.

        Missing values are None or NaN; further columns are ignored. Returns `probability`, and the
        answer under the target's name. Raises ValueError that names the invalid fields.
        """
        found = self.bundle.probabilities(self._read(rows))
        answers = [probability >= self.threshold for probability in found]
        return pd.DataFrame({"probability": found, self.contract.target: answers}, index=rows.index)

    def explain(self, row: "Mapping[str, Any] | pd.Series[Any]") -> pd.DataFrame:
        """Say what each feature of one row contributed, the strongest first.

        `contribution` is in log-odds (exact path-dependent TreeSHAP). ``attrs`` of the frame have
        `expected`, the log-odds when nothing is known, and `probability`; expected and all
        contributions add up to the log-odds of the probability.
        """
        (values,) = self._read(pd.DataFrame([dict(row)]))
        explanation = self.bundle.explain(values)
        features = self.contract.features
        frame = pd.DataFrame(
            {
                "title": [feature.title or feature.name for feature in features],
                "value": pd.Series(list(values), dtype=object),
                "unit": [feature.unit for feature in features],
                "contribution": [explanation.contributions[feature.name] for feature in features],
            }
        ).set_index(pd.Index([feature.name for feature in features], name="feature"))
        strength = frame["contribution"].abs().sort_values(ascending=False)
        frame = frame.loc[strength.index]
        frame.attrs["expected"] = explanation.expected
        frame.attrs["probability"] = self.bundle.probability(values)
        return frame

    def _read(self, rows: pd.DataFrame) -> list[tuple[Value, ...]]:
        wanted = rows[[name for name in rows.columns if name in self.contract.names]]
        flags = {name: "int8" for name, kind in wanted.dtypes.items() if kind.kind == "b"}
        plain = wanted.astype(flags).astype(object).where(wanted.notna(), None)
        instances = [{str(n): v for n, v in row.items()} for row in plain.to_dict("records")]
        problems = [
            f"row {number}, {problem.pointer.removeprefix('#/')} {problem.detail}"
            for number, instance in enumerate(instances)
            for problem in self.contract.validate(instance)
        ]
        if problems:
            more = f", and {len(problems) - LISTED:,} more" if len(problems) > LISTED else ""
            raise ValueError(f"The contract refuses: {'; '.join(problems[:LISTED])}{more}.")
        return [self.contract.row(instance) for instance in instances]


def load_champion(
    *, stage: str | None = None, name: str | None = None, local: Path | None = None
) -> Champion:
    """Load the model that serves; raises OpsError without one.

    `stage`: of the AWS account; None for this machine. `name`: of the deployment. `local`: folder
    of what this machine keeps.
    """
    return read_champion(find_place(stage=stage, name=name, local=local))


def read_champion(target: Target) -> Champion:
    """The champion of a place; raises OpsError without one."""
    version = _find_version(target)
    models = Models(target.bucket("models"))
    return Champion(version, models.bundle(version), models.card(version))


def load_reference(
    *, stage: str | None = None, name: str | None = None, local: Path | None = None
) -> pd.DataFrame:
    """Load the champion's reference sample: the rows that drift is measured against.

    Columns are the log's: features in lower case, `probability`, `predicted`, `label`. Raises
    OpsError without a champion or a usable sample.
    """
    target = find_place(stage=stage, name=name, local=local)
    version = _find_version(target)
    try:
        frame: pd.DataFrame = Models(target.bucket("models")).reference(version).to_pandas()
    except NoReference as error:
        raise OpsError(str(error), "python -m ops train") from None
    return frame


def explain(
    row: "Mapping[str, Any] | pd.Series[Any]",
    *,
    stage: str | None = None,
    name: str | None = None,
    local: Path | None = None,
) -> pd.DataFrame:
    """Explain one row by the champion, see `Champion.explain`."""
    return load_champion(stage=stage, name=name, local=local).explain(row)


def _find_version(target: Target) -> str:
    champion = target.champion()
    if champion is None:
        # A notebook reads models and the log only, and so can't say more.
        raise OpsError(
            "There is no champion yet.",
            "python -m ops status says why; python -m ops train trains a model.",
        )
    return champion.version
