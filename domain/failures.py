"""Why a training failed, for people: the first line says what to do, the next one why."""

ADVICE = {
    "BadInput": "Correct the execution's input and start it again.",
    "BadData": "Correct the files that are named here, upload them, and train again.",
    "TrainingInProgress": "Wait for the training that runs, or stop it, then start again.",
    "NothingToPromote": "Choose another version from the ledger.",
    "NothingToScoreWith": "Choose another version from the ledger.",
    "ExportDisagrees": "Go back to the pinned version of XGBoost; nothing was registered.",
    "RegistryUnavailable": "See that the MLflow server is up, then train again.",
    "RegistryRefused": "Read the MLflow server's log and its access rules, then train again.",
    "AwsUnavailable": "Wait until AWS answers again (its health page says), then start again.",
    "Interrupted": "It was tried again in vain: see in the task's log why, then train anew.",
    "OutOfMemory": "Give the training task more memory (training_memory in cdk.json).",
    "TaskFailedToStart": "See that the task's image and network are there, then train again.",
    "TaskStopped": "Start the training again if this was not meant.",
    "ContainerExited": "Read the end of the task's log, then train again.",
    "StepDied": "Read the end of the task's log, then train again.",
    "States.Timeout": "Find out what took so long (the task's log says), then train again.",
    "ECS.InvalidParameterException": "Shorten the execution's input if overrides are too long.",
    "States.HeartbeatTimeout": "See in ECS whether the task could start, then train again.",
}
OTHERWISE = "Correct what the next line names, then start again."
UNEXPECTED = "This is a defect: read the end of the task's log and report it."


def explain_failure(error: str, sentence: str) -> str:
    """The cause of a failed state: what to do about `error`, and on the next line the sentence."""
    return f"{ADVICE.get(error, OTHERWISE)}\n{sentence}"


def split_cause(error: str, cause: str) -> tuple[str, str]:
    """Split a cause into ``(what to do, why)``, whether or not `explain_failure` made it."""
    first, _, rest = cause.partition("\n")
    if rest and first in {*ADVICE.values(), OTHERWISE, UNEXPECTED}:
        return first, rest
    return ADVICE.get(error, UNEXPECTED), cause
