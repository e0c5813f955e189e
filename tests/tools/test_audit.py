"""The audit: what it makes of the answers of pip-audit and npm, and of none."""

import json

import pytest

from tools import audit

CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
FLAWED = {
    "name": "jinja2",
    "version": "2.4.1",
    "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"]}, {"id": "PYSEC-2021-66", "fix_versions": []}],
}
SKIPPED = {"name": "anyio", "skip_reason": "Dependency not found on PyPI and could not be audited: anyio (4.16.0)"}


def saying(answer):
    return lambda _command: answer if isinstance(answer, str) else json.dumps(answer)


def test_findings_are_named_with_what_mends_them():
    found = audit.python("requirements.txt", saying({"dependencies": [CLEAN, FLAWED]}))
    assert found.audited == 2
    assert found.findings == [
        "jinja2 2.4.1: PYSEC-2014-8, mended in 2.7.2",
        "jinja2 2.4.1: PYSEC-2021-66, mended in nothing yet",
    ]


def test_what_nobody_could_be_asked_about_is_not_called_clean():
    found = audit.python("requirements.txt", saying({"dependencies": [SKIPPED, SKIPPED]}))
    assert "NOT AUDITED" in str(found)
    assert "could not be audited" in str(found)
    some = audit.python("requirements.txt", saying({"dependencies": [CLEAN, SKIPPED]}))
    assert "1 packages audited" in str(some)
    assert "1 could not be asked about" in str(some)


@pytest.mark.parametrize("answer", ["", "Traceback ...", "{}", "[]"])
def test_no_answer_is_no_audit(answer):
    assert "NOT AUDITED" in str(audit.python("requirements.txt", saying(answer)))


def test_npm_findings_and_npm_without_a_network():
    flaw = {"range": "<4.17.21", "severity": "high", "fixAvailable": True}
    said = {"vulnerabilities": {"lodash": flaw}, "metadata": {"dependencies": {"total": 200}}}
    assert audit.node(saying(said)).findings == ["lodash <4.17.21: high, can be updated"]
    away = audit.node(saying({"message": "405 Method Not Allowed"}))
    assert str(away) == "package-lock.json: NOT AUDITED: 405 Method Not Allowed"


@pytest.mark.parametrize(("vulns", "code"), [([], 0), (FLAWED["vulns"], 1)])
def test_a_finding_fails_and_no_network_does_not(monkeypatch, capsys, vulns, code):
    def answer(command):
        python = str(command[0]).endswith("pip-audit")
        return json.dumps({"dependencies": [{**FLAWED, "vulns": vulns}]} if python else {"message": "offline"})

    monkeypatch.setattr(audit, "_output", answer)
    assert audit.run() == code
    said = capsys.readouterr()
    assert ("PYSEC-2014-8" in said.err) == bool(code)
    assert "NOT AUDITED: offline" in said.out
