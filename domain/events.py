"""Source and detail types of the events on the EventBridge bus."""

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
    "ProbationDecided",
    "PromotionProposed",
    "PromotionApproved",
    "PromotionRejected",
]
