"""The Faust app of one stage: its consumer group, its limits, and how it reaches Kafka."""

import ssl

import faust
from faust.types import TopicT
from yarl import URL

from stream.config import KafkaSettings, Settings
from stream.kafka.client import addresses, ssl_context
from stream.worker.driver import WorkerApp

COMMIT_SECONDS = 0.5
MAX_RECORD_BYTES = 8 * 1024 * 1024
"""The largest record that is sent: a dead letter carries its original, at most 1 MB, in base64."""


def group_name(settings: Settings, stage: str) -> str:
    """The consumer group of a stage: a group each, because Faust lets only equal subscribers share one.

    Its assignor hands out the topics and changelogs that the group's leader knows of; a group of workers with different roles
    would leave partitions unread.
    """
    return f"{settings.worker.app_id}-{stage}"


def notes_group(settings: Settings, stage: str) -> str:
    """The group, never with members, as whose positions a stage's notes are kept."""
    return f"{group_name(settings, stage)}-notes"


def new_app(settings: Settings, stage: str) -> WorkerApp:
    """A Faust app that reads from the last commit (at first from the beginning) and hands over within seconds.

    A killed worker's partitions are taken over after at most `broker_session_timeout`; an orderly hand-over waits until what
    is in flight is delivered and committed (`stream_wait_empty`).
    """
    kafka = settings.kafka
    context = ssl_context(kafka)
    return WorkerApp(
        group_name(settings, stage),
        broker=[
            URL.build(scheme="aiokafka", host=host, port=port) for host, port in addresses(kafka.bootstrap_servers)
        ],
        broker_credentials=_credentials(kafka, context),
        broker_client_id=f"valuedrift-{stage}",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_rebalance_timeout=20.0,
        broker_request_timeout=30.0,
        broker_commit_interval=COMMIT_SECONDS,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * 1024 * 1024,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=MAX_RECORD_BYTES,
        producer_request_timeout=60.0,
        stream_buffer_maxsize=32_768,
        stream_wait_empty=True,
        agent_supervisor="mode.CrashingSupervisor",
        store="memory://",
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_replication_factor=kafka.replication_factor,
        web_enabled=False,
        autodiscover=False,
    )


def source(app: WorkerApp, topic: str) -> TopicT:
    """The topic as a channel of raw bytes; tombstones come through as None."""
    return app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", allow_empty=True
    )


def _credentials(kafka: KafkaSettings, context: ssl.SSLContext | None) -> faust.auth.Credentials | None:
    """What Faust is told; SASL without a context would send the password in the clear, which the settings refuse."""
    if kafka.security_protocol.startswith("SASL") and kafka.sasl_password is not None:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)
