"""What an execution of the training state machine does, by its input."""

from collections.abc import Mapping

KINDS = {
    "train": "training",
    "score": "scoring",
    "rollback": "rollback",
    "promote_version": "rollback or promotion",
    "check": "check",
    "repair": "repair",
    "erase": "erasure",
    "compact": "compaction",
}
"""Field of an execution's input → what that execution does."""


def kind_of(document: object) -> str:
    """The key of `KINDS` that says what the state machine does with an execution of that input."""
    fields = document if isinstance(document, Mapping) else {}
    return next((kind for kind in KINDS if fields.get(kind, False) is not False), "train")
