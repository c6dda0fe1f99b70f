"""Expected failures of the command line."""


class OpsError(Exception):
    """An expected failure: `str` is one clear sentence, `next_step` says what to do about it."""

    def __init__(self, problem: str, next_step: str) -> None:
        super().__init__(problem)
        self.next_step = next_step
