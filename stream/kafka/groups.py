"""What Kafka knows of consumer groups: who is in them, and how far behind they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from stream.config import KafkaSettings
from stream.core.records import Micros
from stream.kafka.client import open_admin


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A group to look at, the topic that it reads, and the topic that it writes (None: none that shows its progress)."""

    group: str
    topic: str
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A group as Kafka has it.

    `state` is Kafka's word in small letters (`stable`, `empty`, `preparingrebalance`, …; `absent` if it never was). `lag` counts records of
    the topic that are not committed. `last_output` is when the newest record of its output was written, None where there is none.
    """

    group: str
    topic: str
    state: str
    members: int
    lag: int
    last_output: Micros | None


def look_at(settings: KafkaSettings, wanted: Iterable[Wanted]) -> tuple[GroupRow, ...]:
    """The groups in their order; one whose topic does not exist has no lag.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with open_admin(settings) as admin:
        partitions = {
            topic["name"]: [TopicPartition(topic["name"], each["partition_index"]) for each in topic["partitions"]]
            for topic in admin.describe_topics()
            if not topic["error_code"]
        }
        there = {each["group_id"] for each in admin.list_groups()}
        return tuple(_row(admin, each, partitions, exists=each.group in there) for each in wanted)


def groups_like(settings: KafkaSettings, prefix: str) -> tuple[str, ...]:
    """The names of all groups that begin so.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with open_admin(settings) as admin:
        return tuple(sorted(each["group_id"] for each in admin.list_groups() if each["group_id"].startswith(prefix)))


def _row(
    admin: KafkaAdminClient, wanted: Wanted, partitions: dict[str, list[TopicPartition]], *, exists: bool
) -> GroupRow:
    read = partitions.get(wanted.topic, [])
    state, members, committed = "absent", 0, {}
    if exists:
        group = admin.describe_groups([wanted.group])[wanted.group]
        state, members = str(group["group_state"]).lower(), len(group["members"])
        committed = admin.list_group_offsets(wanted.group)[wanted.group]
    starts, ends = _offsets(admin, read, OffsetSpec.EARLIEST), _offsets(admin, read, OffsetSpec.LATEST)
    done = {each: committed[each].offset if each in committed else -1 for each in read}
    return GroupRow(
        group=wanted.group,
        topic=wanted.topic,
        state=state,
        members=members,
        lag=sum(max(0, ends[each] - max(done[each], starts[each])) for each in read),
        last_output=_newest(admin, partitions.get(wanted.output or "", [])),
    )


def _offsets(
    admin: KafkaAdminClient, partitions: Sequence[TopicPartition], spec: OffsetSpec
) -> dict[TopicPartition, int]:
    if not partitions:
        return {}
    found = admin.list_partition_offsets(dict.fromkeys(partitions, spec))
    return {partition: at.offset for partition, at in found.items()}


def _newest(admin: KafkaAdminClient, partitions: Sequence[TopicPartition]) -> Micros | None:
    if not partitions:
        return None
    found = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.MAX_TIMESTAMP))
    newest = max(at.timestamp for at in found.values())
    return newest * 1000 if newest >= 0 else None
