"""A typical hand-made service: DictVectorizer and a Booster behind Flask.

``python -m benchmarks.serving.flask_app FOLDER PORT``, FOLDER with `names.json` and `model.ubj`.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import flask
import xgboost as xgb
from sklearn.feature_extraction import DictVectorizer


def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    names = json.loads((folder / "names.json").read_text())
    vectorizer = DictVectorizer(sparse=False)
    vectorizer.feature_names_ = names
    vectorizer.vocabulary_ = {name: index for index, name in enumerate(names)}
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(folder / "model.ubj")
    app = flask.Flask("baseline")

    @app.get("/ping")
    def ping() -> str:
        return "ok"

    @app.post("/predict")
    def predict() -> Any:
        matrix = vectorizer.transform([flask.request.get_json()])
        return {"probability": float(booster.inplace_predict(matrix)[0])}

    app.run(port=port, threaded=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
