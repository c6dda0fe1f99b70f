"""Why a training failed, in two lines: what to do, then the cause."""

OPERATOR = "{operator}"
"""Stands in `ADVICE` for how the operator's command line is called."""
ADVICE = {
    "BadInput": "Correct the execution's input and start it again.",
    "BadData": "Correct the files that are named here, upload them, and train again.",
    "TrainingInProgress": "Wait until the running training ends, or stop it, then start again.",
    "LogInUse": "Wait until the execution that is named here ends, then start again.",
    "NothingToPromote": "Choose another version from the ledger.",
    "PointerLost": "Restore the champion pointer from the ledger: {operator} repair pointer",
    "NothingToScoreWith": "Choose another version from the ledger.",
    "ExportDisagrees": "Install the pinned versions of the packages; if they are, report a defect.",
    "RegistryUnavailable": "Check that the MLflow server is up, then train again.",
    "RegistryRefused": "Read the MLflow server's log and its access rules, then train again.",
    "ExperimentDeleted": "Restore the experiment with the command below, then train again.",
    "AwsUnavailable": "Wait until AWS answers again (see its health page), then start again.",
    "Interrupted": "Retries failed too: read the task's log for the reason, then train again.",
    "OutOfMemory": "Give the training task more memory (training_memory in cdk.json).",
    "TaskFailedToStart": "Check the task's image and network, then train again.",
    "TaskStopped": "Start the training again unless it was stopped on purpose.",
    "ContainerExited": "Read the end of the task's log, then train again.",
    "StepDied": "Read the end of the task's log, then train again.",
    "States.Timeout": "Read in the task's log what took so long, then train again.",
    "ECS.InvalidParameterException": "Shorten the execution's input: ECS limits its length.",
    "States.HeartbeatTimeout": "Check in ECS whether the task could start, then train again.",
}
OTHERWISE = "Correct what the next line names, then start again."
UNEXPECTED = "This is a defect: read the end of the task's log and report it."
STOPPED = "Start it again, unless it was stopped on purpose."


def explain_failure(error: str, sentence: str) -> str:
    """Write a failed state's cause: the advice for `error`, and the sentence on the next line."""
    return f"{ADVICE.get(error, OTHERWISE)}\n{sentence}"


def name_operator(text: str, operator: str) -> str:
    """The text with the operator's command line, as it is called for the deployment."""
    return text.replace(OPERATOR, operator)


def split_cause(error: str, cause: str, *, operator: str) -> tuple[str, str]:
    """Split a cause into ``(what to do, why)``, whether or not `explain_failure` made it.

    An execution that somebody stopped has no error.
    """
    first, _, rest = cause.partition("\n")
    if rest and any(
        _matches(first, advice) for advice in (*ADVICE.values(), OTHERWISE, UNEXPECTED)
    ):
        return first, rest
    return name_operator(ADVICE.get(error, UNEXPECTED if error else STOPPED), operator), cause


def _matches(line: str, advice: str) -> bool:
    """Whether the line is the advice, whatever the command line was called."""
    before, named, after = advice.partition(OPERATOR)
    return line.startswith(before) and line.endswith(after) if named else line == advice
