"""A member of a group gets its partitions, whenever the group's answer comes."""

import pytest
from kafka.future import Future

from stream.config import KafkaSettings
from stream.kafka.topics import create_missing
from stream.notify.inbox import Inbox
from tests.integration.processes import eventually


def test_partitions_are_taken_though_a_poll_ends_before_the_group_answers(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_missing(kafka)
    with Inbox.open(kafka, group=kafka.topics.alerts, from_beginning=False) as inbox:
        coordinator, asked, answered = inbox._consumer._coordinator, Future(), Future()
        join = coordinator._do_join_and_sync_async

        async def slow_join() -> bytes:
            assignment: bytes = await join()
            asked.success(None)
            await answered
            return assignment

        def fetched() -> bool:
            inbox.fetch()
            return True

        assert eventually(lambda: fetched() and inbox.given)
        monkeypatch.setattr(coordinator, "_do_join_and_sync_async", slow_join)
        coordinator._assignment_snapshot = {}  # as where the topic's metadata comes after the first joining
        assert eventually(lambda: fetched() and asked.is_done)
        assert fetched()
        assert not inbox.given
        monkeypatch.undo()
        inbox._consumer._net.call_soon_threadsafe(lambda: answered.success(None))
        assert eventually(lambda: fetched() and inbox.given, within=60)
