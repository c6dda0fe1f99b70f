"""Seeded random patients under the shipped contract, as a CSV file would hold them."""

import io

import numpy as np
import pandas as pd


def patients(rows: int, *, seed: int) -> pd.DataFrame:
    """A frame in the Kaggle schema whose label depends on HbA1c, glucose and age."""
    random = np.random.default_rng(seed)
    hba1c = random.choice([4.8, 5.7, 6.1, 6.6, 7.5, 8.8], rows)
    glucose = random.choice([85, 100, 126, 159, 200, 280], rows)
    age = random.uniform(1, 80, rows).round(2)
    margin = 2.5 * (hba1c - 6.4) + 0.03 * (glucose - 170) + 0.03 * (age - 50) - 1.0
    return pd.DataFrame(
        {
            "gender": random.choice(["Female", "Male", "Other"], rows, p=[0.55, 0.44, 0.01]),
            "age": age,
            "hypertension": random.integers(0, 2, rows),
            "heart_disease": random.integers(0, 2, rows),
            "smoking_history": random.choice(["never", "No Info", "current", "former"], rows),
            "bmi": random.uniform(15, 45, rows).round(2),
            "HbA1c_level": hba1c,
            "blood_glucose_level": glucose,
            "diabetes": (random.random(rows) < 1 / (1 + np.exp(-margin))).astype(int),
        }
    )


def csv(frame: pd.DataFrame) -> bytes:
    """The frame as a CSV file's bytes."""
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False)
    return buffer.getvalue().encode()
