"""TLS and SASL against a real Kafka set up for them: every client of ours gets in by the right way, and only by that."""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from stream.config import KafkaSettings, Settings, Topics
from stream.errors import BrokerError
from stream.kafka.client import open_admin, open_producer
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from stream.worker.app import new_app
from tests.integration.processes import valuedrift
from tests.integration.secure_broker import PASSWORD, SecureBroker, secure_broker, variables
from tests.integration.workers import await_scored, response, running, scored_responses, send

pytestmark = pytest.mark.security


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    with secure_broker(tmp_path_factory.mktemp("secure")) as running_broker:
        yield running_broker


Way = Callable[[SecureBroker], KafkaSettings]
WAYS: dict[str, Way] = {
    "SCRAM-SHA-256": lambda secure: secure.by_password("SCRAM-SHA-256"),
    "SCRAM-SHA-512": lambda secure: secure.by_password("SCRAM-SHA-512"),
    "PLAIN over TLS": lambda secure: secure.by_password("PLAIN"),
    "mutual TLS": lambda secure: secure.by_certificate(),
}


def with_topics(settings: KafkaSettings) -> KafkaSettings:
    prefix = uuid.uuid4().hex[:8]
    topics = Topics(**{role: f"{prefix}.{role}" for role in Topics.model_fields})
    return settings.model_copy(update={"topics": topics, "partitions": 2})


@pytest.mark.parametrize("way", WAYS)
def test_both_of_our_clients_get_in(secure: SecureBroker, way: str) -> None:
    settings = with_topics(WAYS[way](secure))
    create_missing(settings)
    with open_producer(settings, max_request_size=1_000_000) as producer:
        producer.send(settings.topics.input, value=b"from kafka-python")

    async def send_from_the_worker() -> None:
        app = new_app(Settings(kafka=settings), "classify")
        auth = credentials_to_aiokafka_auth(app.conf.broker_credentials)
        client = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, **auth)
        await client.start()
        await client.send_and_wait(settings.topics.input, b"from aiokafka")
        await client.stop()

    asyncio.run(send_from_the_worker())
    assert {each.value for each in read_topic(settings, settings.topics.input)} == {
        b"from kafka-python",
        b"from aiokafka",
    }


WRONG: dict[str, Way] = {
    "a wrong password": lambda secure: secure.by_password("SCRAM-SHA-512", sasl_password="wrong horse"),
    "a wrong password, PLAIN": lambda secure: secure.by_password("PLAIN", sasl_password="wrong horse"),
    "an unknown user": lambda secure: secure.by_password("SCRAM-SHA-256", sasl_username="mallory"),
    "a server that our authority does not know": lambda secure: secure.by_password(
        "SCRAM-SHA-512", ssl_cafile=secure.other_ca
    ),
    "no certificate where one is asked for": lambda secure: secure.by_certificate(ssl_certfile=None, ssl_keyfile=None),
    "a name that the certificate does not have": lambda secure: secure.by_password(
        "SCRAM-SHA-512", bootstrap_servers=f"localhost:{secure.sasl}"
    ),
    "no TLS": lambda secure: KafkaSettings(bootstrap_servers=f"127.0.0.1:{secure.mutual}"),
}


@pytest.mark.parametrize("way", WRONG)
def test_nobody_else_gets_in_and_no_secret_is_told(secure: SecureBroker, way: str) -> None:
    settings = WRONG[way](secure)
    with pytest.raises(BrokerError) as refused, open_admin(settings) as admin:
        admin.describe_cluster()
    assert settings.bootstrap_servers in str(refused.value)
    assert "horse" not in str(refused.value)


def test_a_worker_runs_over_scram_and_tells_nobody_the_password(secure: SecureBroker) -> None:
    settings = with_topics(secure.by_password("SCRAM-SHA-512"))
    create_missing(settings)
    send(settings, [(b"m", response(number, "off_topic")) for number in range(20)])
    topics = {f"VALUEDRIFT_KAFKA__TOPICS__{role.upper()}": name for role, name in settings.topics}
    environment = os.environ | topics | variables(settings)
    with running(environment, "classify") as worker:
        worker.ready()
        await_scored(settings, 20)
        code, errors = worker.stop()
    assert code == 0, errors
    assert PASSWORD not in errors + "".join(worker.said)
    assert len(scored_responses(settings)) == 20


def test_a_command_with_a_wrong_password_says_so_and_ends(secure: SecureBroker) -> None:
    settings = secure.by_password("SCRAM-SHA-512", sasl_password="wrong horse")
    done = valuedrift("topics", "show", environment=os.environ | variables(settings))
    assert done.returncode == 1
    assert b"horse" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr


def test_the_password_may_lie_in_a_file(secure: SecureBroker, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    settings = secure.by_password("SCRAM-SHA-512", sasl_password=None, sasl_password_file=file)
    with open_admin(settings) as admin:
        assert admin.describe_cluster()["brokers"]
    shown = valuedrift("config", environment=os.environ | variables(settings))
    assert shown.returncode == 0
    assert PASSWORD.encode() not in shown.stdout
