"""Errors that end a step of the training; the class name is the error of the state."""


class TrainingError(Exception):
    """A named failure; the message is one sentence that says what to do."""


class BadInput(TrainingError):
    """The execution's input can't be used."""


class BadData(TrainingError):
    """The raw files can't be trained on."""


class TrainingInProgress(TrainingError):
    """Another execution is training."""


class LogInUse(TrainingError):
    """Another execution rewrites objects of the logs."""


class ExportDisagrees(TrainingError):
    """Two ways to score a row disagree: XGBoost's, the scorer's, or that for many rows."""


class NothingToPromote(TrainingError):
    """The version to promote or roll back to doesn't exist or is damaged."""


class PointerLost(TrainingError):
    """The champion pointer is damaged, or gone though the ledger has entries."""


class NothingToScoreWith(TrainingError):
    """The model to score with doesn't exist or is damaged."""


class AwsUnavailable(TrainingError):
    """An AWS service could not be reached, failed, or throttled; trying again may succeed."""


class Interrupted(TrainingError):
    """The work was cut short; a retry may succeed."""


class OutOfMemory(TrainingError):
    """The step's process was killed, most often for lack of memory."""
