"""What must be true before a worker starts, looked up in Kafka: it is told at once, not found out hours later."""

from dataclasses import dataclass

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType

from stream.config import KafkaSettings, Settings
from stream.errors import TopicError
from stream.kafka.client import open_admin
from stream.kafka.topics import describe, require_topics
from stream.worker.app import group_name
from stream.worker.detect import DetectStage
from stream.worker.table import changelog_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The topics as they are: partitions of what is read, and the largest dead letter in bytes."""

    input_partitions: int
    scored_partitions: int
    letter_bytes: int


def make_plan(settings: Settings, *, classifies: bool, detects: bool) -> Plan:
    """Checks the topics of what the worker does.

    Raises:
        BrokerError: Kafka cannot be reached.
        TopicError: a topic is missing, or the changelog of the states does not fit the scored topic.
    """
    kafka = settings.kafka
    topics = kafka.topics
    names = [topics.scored, topics.deadletter]
    names += [topics.input] if classifies else []
    names += [kafka.evaluation_topic] if classifies and kafka.evaluation_topic else []
    names += [topics.drift, topics.alerts] if detects else []
    partitions = require_topics(kafka, names)
    if detects:
        _check_changelog(kafka, changelog_name(group_name(settings, DetectStage.name)), partitions[topics.scored])
    letters = next(topic.found for topic in describe(kafka) if topic.wanted.name == topics.deadletter)
    return Plan(
        input_partitions=partitions.get(topics.input, 0),
        scored_partitions=partitions[topics.scored],
        letter_bytes=letters.max_message_bytes if letters else 0,
    )


def _check_changelog(kafka: KafkaSettings, name: str, partitions: int) -> None:
    """A changelog that exists must be partitioned as its source is, and must never forget a state."""
    with open_admin(kafka) as admin:
        found = {
            topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if not topic["error_code"]
        }
        if name not in found:
            return
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        configs = admin.describe_configs([resource], config_filter=ConfigFilterType.ALL)["topic"][name]
    if found[name] != partitions:
        raise TopicError(
            f"{name} keeps the monitors' states in {found[name]} partitions, but {kafka.topics.scored} has {partitions}; give "
            "the worker a new [worker] app_id, and it reads the scored topic again from its beginning"
        )
    if configs["cleanup.policy"]["value"] != "compact":
        raise TopicError(
            f"{name} keeps the monitors' states but its cleanup.policy is {configs['cleanup.policy']['value']}, which deletes "
            "them in time; set it to compact"
        )
