"""ops/: the files parse, hang together, and name only what our log lines have."""

import inspect
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import wattle.broadcasts.delivery
import wattle.push.sender
import wattle.rate_limits.service
import wattle.redelivery
from wattle.adapters.fcm import FcmCode, Refused
from wattle.errors import Code
from wattle.http import access_log
from wattle.kit.logging import JsonFormatter

OPS = Path(__file__).parents[2] / "ops"
METRICS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((OPS / "metrics").glob("*.yaml"))}
ALERTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((OPS / "alerts").glob("*.yaml"))}
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((OPS / "dashboards").glob("*.json"))}
USER_METRIC = re.compile(r'metric\.type="logging\.googleapis\.com/user/([a-z_]+)"')

WRITERS = {
    access_log.logger.name: access_log,
    wattle.broadcasts.delivery.logger.name: wattle.broadcasts.delivery,
    wattle.push.sender.logger.name: wattle.push.sender,
    wattle.redelivery.logger.name: wattle.redelivery,
    wattle.rate_limits.service.logger.name: wattle.rate_limits.service,
}
"""The modules that write the lines, by their logger."""


def fields_of(logger):
    """The names in quotes followed by a colon in the module that writes the line: the keys of what it writes."""
    return set(re.findall(r'"([A-Za-z]+)":', inspect.getsource(WRITERS[logger]))) | {"logger", "message", "severity"}


def strings(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)
    elif isinstance(value, str):
        yield value


def test_there_is_what_the_readme_says():
    readme = (OPS / "README.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \| ", readme, re.MULTILINE)) == set(ALERTS)
    assert METRICS
    assert DASHBOARDS


@pytest.mark.parametrize("name", METRICS)
class TestMetrics:
    def test_it_reads_lines_that_are_written(self, name):
        metric = METRICS[name]
        loggers = re.findall(r'jsonPayload\.logger="([a-z._]+)"', metric["filter"])
        assert loggers
        named = {field for text in strings(metric) for field in re.findall(r"jsonPayload\.([A-Za-z]+)", text)}
        for logger in loggers:
            assert named <= fields_of(logger)
        for code in re.findall(r'jsonPayload\.code="([A-Z_]+)"', metric["filter"]):
            assert code in Code.__members__

    def test_it_is_a_log_metric(self, name):
        metric = METRICS[name]
        descriptor = metric["metricDescriptor"]
        labels = {label["key"] for label in descriptor.get("labels", [])}
        assert labels == set(metric.get("labelExtractors", {}))
        assert descriptor["metricKind"] == "DELTA"
        is_distribution = descriptor["valueType"] == "DISTRIBUTION"
        assert is_distribution == ("valueExtractor" in metric) == ("bucketOptions" in metric)
        assert set(metric) <= {
            "description",
            "filter",
            "metricDescriptor",
            "labelExtractors",
            "valueExtractor",
            "bucketOptions",
        }


@pytest.mark.parametrize("where", [ALERTS, DASHBOARDS], ids=["alerts", "dashboards"])
def test_what_is_shown_and_watched_is_measured(where):
    for text in strings(where):
        for name in USER_METRIC.findall(text):
            labels = set(METRICS[name].get("labelExtractors", {}))
            assert set(re.findall(r"metric\.labels\.([a-z]+)", text)) <= labels
    for dashboard in DASHBOARDS.values():
        for tile in dashboard["mosaicLayout"]["tiles"]:
            for data in tile["widget"]["xyChart"]["dataSets"]:
                query = data["timeSeriesQuery"]["timeSeriesFilter"]
                (name,) = USER_METRIC.findall(query["filter"])
                grouped = {
                    field.removeprefix("metric.label.") for field in query["aggregation"].get("groupByFields", ())
                }
                assert grouped <= set(METRICS[name]["labelExtractors"])


def test_nothing_is_measured_in_vain():
    used = {name for text in strings([ALERTS, DASHBOARDS]) for name in USER_METRIC.findall(text)}
    assert used == set(METRICS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_condition_and_says_what_to_do(name):
    alert = ALERTS[name]
    assert alert["displayName"].startswith("Wattle: ")
    assert "ops/README.md" in alert["documentation"]["content"]
    for condition in alert["conditions"]:
        threshold = condition["conditionThreshold"]
        assert threshold["comparison"] == "COMPARISON_GT"
        assert re.fullmatch(r"\d+s", threshold["duration"])
        (metric,) = set(USER_METRIC.findall(threshold["filter"]))
        aligner = threshold["aggregations"][0]["perSeriesAligner"]
        assert aligner in ("ALIGN_DELTA", "ALIGN_RATE")
        reducer = threshold["aggregations"][0]["crossSeriesReducer"]
        is_distribution = METRICS[metric]["metricDescriptor"]["valueType"] == "DISTRIBUTION"
        assert is_distribution == (reducer != "REDUCE_SUM")


class TestPushAlarms:
    """The lines that the sender really writes, and what of them an operator is told."""

    def lines(self, code, *, on_target=False):
        """What is written of an answer of FCM's."""
        written = []
        handler = logging.Handler()
        handler.emit = lambda record: written.append(json.loads(JsonFormatter().format(record)))
        logger = wattle.push.sender.logger
        logger.addHandler(handler)
        try:
            push = SimpleNamespace(collapse_id="o1-2")
            wattle.push.sender._report(push, Refused(code, "reason", on_target=on_target))
        finally:
            logger.removeHandler(handler)
        return written

    @pytest.mark.parametrize("code", FcmCode)
    def test_what_a_person_has_to_mend_raises_the_alert_and_nothing_else_does(self, code):
        (line,) = self.lines(code)
        alarming = code in (FcmCode.INVALID_ARGUMENT, FcmCode.THIRD_PARTY_AUTH_ERROR, FcmCode.UNKNOWN)
        assert passes(METRICS["wattle_push_alarms"]["filter"], line) == alarming
        assert passes(METRICS["wattle_push_refused"]["filter"], line)
        assert line.get("alarm") == (f"push.{code.value}" if alarming else None)
        (target,) = self.lines(code, on_target=True)
        assert not passes(METRICS["wattle_push_alarms"]["filter"], target), "a phone's own fault is no alarm"

    def test_each_alarm_is_explained(self):
        section = (OPS / "README.md").read_text().partition("## What the push alarms mean")[2].partition("\n## ")[0]
        source = inspect.getsource(wattle.broadcasts.delivery)
        raised = {f"push.{code.value}" for code in wattle.push.sender._ALARMS}
        raised |= set(re.findall(r'"alarm": "([a-z.A-Z_]+)"', source))
        assert "broadcast.EXPIRED" in raised
        assert set(re.findall(r"^\| `([a-z]+\.[A-Z_]+)` \|", section, re.MULTILINE)) == raised


def passes(log_filter, line):
    """Whether a log line passes a filter; of Cloud Logging's language, as much as our metrics use."""

    def term(match):
        path, operator, value = match.groups()
        if path == "resource.type":
            return "True"
        found = str(line.get(path.removeprefix("jsonPayload."), ""))
        return str(bool(re.search(value, found)) if operator == "=~" else found == value)

    text = re.sub(r'([\w.]+)(=~|=)"([^"]*)"', term, log_filter)
    assert set(re.findall(r"\w+", text)) <= {"True", "False", "AND", "OR"}, "a form that is not known here"
    return eval(text.replace("AND", "and").replace("OR", "or"))
