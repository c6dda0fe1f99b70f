"""Events of the circle, as EventBridge carries them."""

from typing import Literal

SOURCE = "mlops.circle"

DetailType = Literal[
    "ModelPromoted",
    "ModelKept",
    "TrainingFailed",
    "DriftRequested",
    "DriftDetected",
    "DriftRecovered",
    "RetrainingDecided",
]
