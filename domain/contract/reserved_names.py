"""Names that a contract may not use, because the logs and the answers use them already.

Copies of the names in `domain.contract.records` and `domain.api.schemas`, which build on the
contract; a test compares them.
"""

RESERVED_COLUMNS = frozenset(
    {
        "prediction_id",
        "predicted_at",
        "model_version",
        "contract_version",
        "probability",
        "threshold",
        "predicted",
        "source",
        "sample_key",
        "reference",
        "subject",
        "subject_key",
        "sampling_weight",
        "label",
        "observed_at",
        "received_at",
        "dt",
        "instances",
        "context",
    }
)
"""Names that no feature may take: the logs' own columns, what wraps a batch, and what holds the
context columns."""

RESERVED_FIELDS = frozenset(
    {
        "prediction_id",
        "reference",
        "probability",
        "threshold",
        "model_version",
        "explanation",
        "observed_at",
        "labels",
    }
)
"""Fields of an answer or a label, or around labels, that the target may not take."""
