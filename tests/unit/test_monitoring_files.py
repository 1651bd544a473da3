"""The files that containers mount, and the page for operators, speak of metrics and settings that there are."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import Metric

from stream.config import load
from stream.metrics import Metrics

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docker" / "monitoring"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def families() -> list[Metric]:
    return list(Metrics().registry.collect())


def named(text: str) -> set[str]:
    return set(re.findall(r"valuedrift_\w+", text))


@pytest.mark.parametrize("file", ["rules.yml", "grafana-dashboard.json"])
def test_metrics_that_rules_and_panels_ask_for_exist(file: str) -> None:
    exposed = {family.name + suffix for family in families() for suffix in SUFFIXES[family.type]}
    asked = named((MONITORING / file).read_text())
    assert asked
    assert asked <= exposed


def test_the_dashboard_shows_every_metric() -> None:
    asked = named((MONITORING / "grafana-dashboard.json").read_text())
    assert [family.name for family in families() if not any(each.startswith(family.name) for each in asked)] == []


def test_panels_of_the_dashboard_have_their_own_numbers_and_do_not_overlap() -> None:
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24, "Grafana's grid has 24 columns"


@pytest.mark.parametrize("file", ["notify.toml", "monitoring/notify.toml"])
def test_receivers_of_the_containers_are_valid_settings(file: str) -> None:
    assert "log" in [receiver.name for receiver in load(ROOT / "docker" / file).notify.receivers]


def test_the_page_for_operators_explains_every_metric_and_every_rule() -> None:
    page = (ROOT / "docs" / "operate.md").read_text()
    assert [family.name for family in families() if f"`{family.name}" not in page] == []
    rules = re.findall(r"alert: (\w+)", (MONITORING / "rules.yml").read_text())
    assert rules
    assert [rule for rule in rules if f"`{rule}`" not in page] == []
