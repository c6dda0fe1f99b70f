"""The model as MLflow keeps it: rows of the contract in, probability and answer out.

MLflow stores this file beside the version's bundle and a copy of `domain`, and runs it where the
model is loaded. There it needs pandas and MLflow only, scores as the API does, and imports nothing
else of this project.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

LISTED = 20
"""The most problems that a refusal lists."""


class ContractModel(PythonModel):
    """Scores with the sealed bundle; the artifacts `bundle` and `domain` are files."""

    def load_context(self, context: Any) -> None:
        """Load the bundle; raises BadBundle if it isn't the one that was registered."""
        sys.path.insert(0, context.artifacts["domain"])
        try:
            from domain.model.bundle import Bundle
        finally:
            sys.path.remove(context.artifacts["domain"])
        data = Path(context.artifacts["bundle"]).read_bytes()
        self.bundle = Bundle.from_bytes(data, context.model_config["sha256"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score rows with the contract's columns; missing values may be None or NaN.

        Returns `probability`, and the answer under the target's name. Raises ValueError that names
        the invalid fields, and no value.
        """
        del context, params  # MLflow passes them by name
        contract = self.bundle.contract
        rows = _read_rows(model_input)
        problems = [
            f"row {number}, {problem.pointer.removeprefix('#/')} {problem.detail}"
            for number, row in enumerate(rows)
            for problem in contract.validate(row)
        ]
        if problems:
            more = f", and {len(problems) - LISTED:,} more" if len(problems) > LISTED else ""
            raise ValueError(f"The contract refuses: {'; '.join(problems[:LISTED])}{more}.")
        found = self.bundle.probabilities([contract.row(row) for row in rows])
        answers = [probability >= self.bundle.threshold for probability in found]
        return pd.DataFrame(
            {"probability": found, contract.target: answers}, index=model_input.index
        )


def _read_rows(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows as JSON has them: None for missing, plain numbers, 0 and 1 for booleans."""
    flags = {name: "int8" for name, kind in frame.dtypes.items() if kind.kind == "b"}
    plain = frame.astype(flags).astype(object)
    rows = plain.where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


set_model(ContractModel())
