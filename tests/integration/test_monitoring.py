"""The configuration that containers mount, judged by Debian's Prometheus and Alertmanager; the real Prometheus reads a worker."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stream.config import KafkaSettings
from tests.integration.processes import PATIENCE, eventually
from tests.integration.workers import Worker, await_records, response, running, send, worker_variables

pytestmark = pytest.mark.programs

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"
CONTAINERS = """\
    dns_sd_configs: # each container of the service has an address of its own
      - names: [worker]
        type: A
        port: 8080
"""
INSTANCE = 'job="valuedrift", instance="w:8080"'


def judge(*command: str) -> None:
    program = shutil.which(command[0])
    assert program is not None, "these tests need real programs: apt-get install prometheus prometheus-alertmanager"
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    judge("promtool", "check", "config", str(MONITORING / "prometheus.yml"))


def test_alertmanager_accepts_its_configuration() -> None:
    judge("amtool", "check-config", str(MONITORING / "alertmanager.yml"))


HEALTHY = {
    f"up{{{INSTANCE}}}": "1+0x60",
    f'valuedrift_lag_records{{{INSTANCE}, stage="classify"}}': "20+0x60",
    f'valuedrift_batch_seconds_count{{{INSTANCE}, stage="classify"}}': "0+100x60",
    f'valuedrift_records_total{{{INSTANCE}, stage="classify"}}': "0+1000x60",
    f'valuedrift_dead_letters_total{{{INSTANCE}, stage="classify", reason="not_json"}}': "0+10x60",
}
"""What Prometheus has read of a worker, a sample a minute, in promtool's notation."""


@pytest.mark.parametrize(
    ("ill", "fires"),
    [
        ({}, None),
        ({f"up{{{INSTANCE}}}": "1+0x30 0+0x30"}, "ValueDriftWorkerDown"),
        ({f"up{{{INSTANCE}}}": "1+0x30 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0"}, "ValueDriftWorkerDown"),
        ({f'valuedrift_lag_records{{{INSTANCE}, stage="classify"}}': "0+500x60"}, "ValueDriftFallsBehind"),
        ({f'valuedrift_batch_seconds_count{{{INSTANCE}, stage="classify"}}': "0+100x20 2000+0x40"}, "ValueDriftStuck"),
        ({f'valuedrift_batch_seconds_count{{{INSTANCE}, stage="classify"}}': "_x60"}, "ValueDriftStuck"),
        (
            {f'valuedrift_dead_letters_total{{{INSTANCE}, stage="classify", reason="not_json"}}': "0+100x60"},
            "ValueDriftUnusableRecords",
        ),
    ],
    ids=["healthy", "down", "starts-again-and-again", "falls-behind", "stuck", "never-finished-one", "unusable"],
)
def test_each_rule_fires_for_its_illness_and_no_other(
    ill: Mapping[str, str], fires: str | None, tmp_path: Path
) -> None:
    series = [{"series": name, "values": values} for name, values in {**HEALTHY, **ill}.items()]
    firing = [{"labels": f'{{alertname="{fires}"}}', "value": 1}] if fires else []
    question = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "49m", "exp_samples": firing}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [question]}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(MONITORING / "rules.yml")], "tests": [test]}))  # JSON is YAML
    judge("promtool", "test", "rules", str(file))


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@contextmanager
def prometheus(port: int, worker: Worker, folder: Path) -> Iterator[None]:
    """The real Prometheus with the shipped configuration, which finds this worker instead of containers and asks each second."""
    program = shutil.which("prometheus")
    assert program is not None, "these tests need the real Prometheus: apt-get install prometheus"
    shutil.copytree(MONITORING, folder)
    config = (MONITORING / "prometheus.yml").read_text()
    assert CONTAINERS in config
    address = worker.url.removeprefix("http://")
    here = f"    static_configs:\n      - targets: ['{address}']\n"
    (folder / "prometheus.yml").write_text(config.replace(CONTAINERS, here).replace("15s", "1s"))
    command = [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ask(port: int, expression: str) -> list[str]:
    """The values that Prometheus answers with; none while it cannot be reached yet."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    assert answer.is_success, f"{expression}: {answer.text}"
    return [each["value"][1] for each in answer.json()["data"]["result"]]


def test_a_real_prometheus_reads_a_worker_and_answers_every_panel_of_the_dashboard(
    environment: dict[str, str], kafka: KafkaSettings, port: int, tmp_path: Path
) -> None:
    variables = worker_variables(environment, kafka)
    said = ["helpful_aligned"] * 300 + ["refusal_excessive"] * 50
    events = [(b"m", response(number, label)) for number, label in enumerate(said)]
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    with running(variables) as worker, prometheus(port, worker.ready(), tmp_path / "prometheus"):
        send(kafka, [*events, (b"m", b"no JSON")])
        await_records(kafka, kafka.topics.alerts, 1)
        total = 'sum(valuedrift_responses_observed_total{job="valuedrift"})'
        assert eventually(lambda: ask(port, total) == [str(len(said))]), (tmp_path / "prometheus" / "log").read_text()
        for expression in expressions:
            question = expression.replace("$__rate_interval", "30s")
            assert eventually(lambda question=question: ask(port, question) != []), question  # type: ignore[misc]
