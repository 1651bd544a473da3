"""The five topics: what the settings say they should be, what is there, and what is missing."""

from collections.abc import Iterable
from dataclasses import dataclass

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from stream.config import KafkaSettings
from stream.errors import TopicError
from stream.kafka.client import open_admin

MAX_INPUT_BYTES = 4 * 1024 * 1024
"""Largest record of the input topic: Kafka's default of 1 MB would refuse the long chats that we must be able to dead-letter."""

MAX_OUTPUT_BYTES = 8 * 1024 * 1024
"""Largest record of the other topics: a dead letter holds the largest input in base64 (4/3 of it) and its headers."""

FOREVER = -1

RETENTION = "retention.ms"
MESSAGE_BYTES = "max.message.bytes"
CLEANUP = "cleanup.policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic: its name, its part in the settings, its sizes. Retention in milliseconds, -1 for ever; sizes in bytes."""

    role: str
    name: str
    partitions: int
    replicas: int
    retention_ms: int
    max_message_bytes: int
    cleanup: str = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStatus:
    """A wanted topic, the same topic as Kafka has it (None: missing), and what differs, in words."""

    wanted: TopicSpec
    found: TopicSpec | None
    differences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the topic is there, as the settings say."""
        return self.found is not None and not self.differences


def specs(settings: KafkaSettings) -> tuple[TopicSpec, ...]:
    """What the settings ask for, in the order of the data: input, scored, drift, alerts, deadletter, and evaluation if it is set.

    The outputs are kept for ever: scored is the log of record, and the others are small. Evaluations are kept as long as the input:
    they can be made again.
    """
    days = round(settings.input_retention_days * 86_400_000)
    further = (("evaluation", settings.evaluation_topic),) if settings.evaluation_topic else ()
    return tuple(
        TopicSpec(
            role=role,
            name=name,
            partitions=settings.partitions,
            replicas=settings.replication_factor,
            retention_ms=days if role in ("input", "evaluation") else FOREVER,
            max_message_bytes=MAX_INPUT_BYTES if role == "input" else MAX_OUTPUT_BYTES,
        )
        for role, name in (*settings.topics, *further)
    )


def create_missing(settings: KafkaSettings) -> tuple[str, ...]:
    """Creates the topics that do not exist, and returns their names; one that exists is left exactly as it is.

    Raises:
        TopicError: Kafka refuses to create one (too few brokers for the replication factor, for example).
        BrokerError: Kafka cannot be reached.
    """
    wanted = specs(settings)
    with open_admin(settings) as admin:
        there = _find(admin, wanted)
        created = tuple(spec.name for spec in wanted if spec.name not in there and _create(admin, spec))
        admin.wait_for_topics(created)
    return created


def describe(settings: KafkaSettings) -> tuple[TopicStatus, ...]:
    """Compares what the settings ask for with what Kafka has, topic by topic.

    Raises:
        BrokerError: Kafka cannot be reached.
    """
    wanted = specs(settings)
    with open_admin(settings) as admin:
        found = _find(admin, wanted)
    return tuple(
        TopicStatus(wanted=spec, found=found.get(spec.name), differences=differences(spec, found.get(spec.name)))
        for spec in wanted
    )


def require_topics(settings: KafkaSettings, names: Iterable[str]) -> dict[str, int]:
    """Number of partitions of each named topic.

    Raises:
        TopicError: one does not exist; the message says how to create it.
        BrokerError: Kafka cannot be reached.
    """
    wanted = tuple(dict.fromkeys(names))
    with open_admin(settings) as admin:
        there = {
            topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if not topic["error_code"]
        }
    missing = [name for name in wanted if name not in there]
    if missing:
        raise TopicError(
            f"Kafka at {settings.bootstrap_servers} has no topic {', '.join(missing)}; `valuedrift topics create` makes "
            "those of the settings"
        )
    return {name: there[name] for name in wanted}


def largest_record(settings: KafkaSettings, topic: str) -> int:
    """Bytes of the largest record that the topic takes; the input topic's default where Kafka does not let us look.

    Raises:
        TopicError: it does not exist; the message says how to create it.
        BrokerError: Kafka cannot be reached.
    """
    require_topics(settings, [topic])
    with open_admin(settings) as admin:
        limit = _configs(admin, [topic])[topic].get(MESSAGE_BYTES)
    return int(limit["value"]) if limit else MAX_INPUT_BYTES


def differences(wanted: TopicSpec, found: TopicSpec | None) -> tuple[str, ...]:
    """What differs, in words; none for a topic that is missing. A larger message limit or more replicas than wanted are fine."""
    if found is None:
        return ()
    said = []
    if found.partitions != wanted.partitions:
        said.append(f"{found.partitions} partitions instead of {wanted.partitions}")
    if found.replicas < wanted.replicas:
        said.append(f"{found.replicas} replicas instead of {wanted.replicas}")
    if found.retention_ms != wanted.retention_ms:
        said.append(f"{RETENTION} {found.retention_ms} instead of {wanted.retention_ms}")
    if found.max_message_bytes < wanted.max_message_bytes:
        said.append(f"{MESSAGE_BYTES} {found.max_message_bytes} instead of {wanted.max_message_bytes}")
    if found.cleanup != wanted.cleanup:
        said.append(f"{CLEANUP} {found.cleanup} instead of {wanted.cleanup}")
    return tuple(said)


def _create(admin: KafkaAdminClient, spec: TopicSpec) -> bool:
    configs = {RETENTION: str(spec.retention_ms), MESSAGE_BYTES: str(spec.max_message_bytes), CLEANUP: spec.cleanup}
    request = {"num_partitions": spec.partitions, "replication_factor": spec.replicas, "configs": configs}
    try:
        admin.create_topics({spec.name: request})
    except TopicAlreadyExistsError:
        return False  # somebody else was faster: the same result
    except InvalidReplicationFactorError:
        raise TopicError(
            f"cannot create {spec.name} with {spec.replicas} replicas: Kafka has fewer brokers; lower [kafka] replication_factor"
        ) from None
    except KafkaError as error:
        raise TopicError(f"Kafka refuses to create {spec.name}: {error}") from error
    return True


def _find(admin: KafkaAdminClient, wanted: tuple[TopicSpec, ...]) -> dict[str, TopicSpec]:
    """Those of the wanted topics that Kafka has, as it has them."""
    layouts = {topic["name"]: topic["partitions"] for topic in admin.describe_topics() if not topic["error_code"]}
    present = [spec for spec in wanted if spec.name in layouts]
    if not present:
        return {}
    configs = _configs(admin, [spec.name for spec in present])
    hidden = [name for name, values in configs.items() if not values]
    if hidden:
        raise TopicError(
            f"Kafka does not show the configuration of {', '.join(hidden)} to this user; allow it DescribeConfigs"
        )
    return {
        spec.name: TopicSpec(
            role=spec.role,
            name=spec.name,
            partitions=len(layouts[spec.name]),
            replicas=min(len(partition["replica_nodes"]) for partition in layouts[spec.name]),
            retention_ms=int(configs[spec.name][RETENTION]["value"]),
            max_message_bytes=int(configs[spec.name][MESSAGE_BYTES]["value"]),
            cleanup=configs[spec.name][CLEANUP]["value"],
        )
        for spec in present
    }


def _configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, dict[str, str]]]:
    """Topic → name of a configuration → what Kafka says of it, its `value` being text; nothing of a topic that we may not look at."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, dict[str, str]]] = admin.describe_configs(resources, config_filter=ConfigFilterType.ALL)[
        "topic"
    ]
    return found
