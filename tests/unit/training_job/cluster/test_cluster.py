"""Which workers are alive is the scheduler's own answer."""

from typing import Any

import pytest

from training_job.cluster.cluster import Cluster


def test_a_refresh_of_the_client_between_question_and_answer_hides_no_worker(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cluster.client
    ask = client.sync

    def ask_and_refresh(function: Any, *arguments: Any, **options: Any) -> Any:
        answer = ask(function, *arguments, **options)
        ask(client._update_scheduler_info)  # the client does so every two seconds
        return answer

    monkeypatch.setattr(client, "sync", ask_and_refresh)
    assert 2 == cluster.workers
