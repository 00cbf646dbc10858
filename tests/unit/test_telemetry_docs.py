"""The page of documentation and the dashboard have the names of the table of instruments, all of them and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.telemetry.instruments import INSTRUMENTS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.telemetry.instruments import Instrument, Label

_ROOT = Path(__file__).parents[2]
_PARTS = {Kind.HISTOGRAM: ("_bucket", "_count", "_sum")}
# Words of PromQL and of Prometheus itself; whatever else looks like a name is one of a metric or of its labels.
_WORDS = frozenset(
    {"sum", "by", "rate", "increase", "histogram_quantile", "topk", "min", "max", "le", "job", "instance"}
)


def test_the_documentation_has_the_table_of_instruments() -> None:
    page = (_ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| `(?:rpc|leadglass)\.", line)]
    assert rows == [_row(instrument) for instrument in INSTRUMENTS]


def test_the_alerts_of_the_documentation_are_on_metrics_that_there_are() -> None:
    page = (_ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
    names = {name for instrument in INSTRUMENTS for name in _series(instrument)}
    alerts = re.findall(r"^\| `([^`]*leadglass_[^`]*)` \|", page, re.MULTILINE)
    used = {name for alert in alerts for name in re.findall(r"leadglass_\w+", alert)}
    assert len(alerts) >= 7
    assert used <= names


def _row(instrument: Instrument) -> str:
    labels = "; ".join(_shown(label) for label in instrument.labels) or "none"
    cells = (
        f"`{instrument.name}`",
        f"`{instrument.prometheus_name}`",
        f"{instrument.kind.value}, {instrument.unit}",
        labels,
        instrument.description,
    )
    return f"| {' | '.join(cells)} |"


def _shown(label: Label) -> str:
    return f"`{label.name}`: {label.table or ', '.join(label.values)}"


def test_each_metric_is_on_the_dashboard_and_each_name_on_it_is_one_of_a_metric_or_its_label() -> None:
    names = {name: instrument for instrument in INSTRUMENTS for name in _series(instrument)}
    used: set[str] = set()
    for expression in _expressions():
        without_texts = re.sub(r'"[^"]*"|\[[^]]*\]|\$\w+', "", expression)
        words = set(re.findall(r"[a-z_][a-z0-9_]*", without_texts)) - _WORDS
        metrics = {word for word in words if word in names}
        assert len(metrics) == 1, expression
        (metric,) = metrics
        labels = {label.name.replace(".", "_") for label in names[metric].labels}
        assert words - metrics <= labels, expression
        used.add(names[metric].name)
    assert used == {instrument.name for instrument in INSTRUMENTS}


def _series(instrument: Instrument) -> tuple[str, ...]:
    return tuple(instrument.prometheus_name + part for part in _PARTS.get(instrument.kind, ("",)))


def _expressions() -> Iterator[str]:
    dashboard = json.loads((_ROOT / "deploy" / "grafana" / "leadglass.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((.*), \w+\)", r"\1", variable["query"])


def test_each_panel_has_a_title_a_unit_and_a_sentence_and_none_covers_another() -> None:
    dashboard = json.loads((_ROOT / "deploy" / "grafana" / "leadglass.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
