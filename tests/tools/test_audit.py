"""The audit: what it makes of the answers of pip-audit and npm, and of none."""

import json
import shutil

import pytest

from tools import audit, sbom

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


def flaw(mended):
    return {"range": "<4.17.21", "severity": "high", "fixAvailable": mended}


def found_by_npm(**flaws):
    return {"vulnerabilities": flaws, "metadata": {"dependencies": {"total": 200}}}


def test_npm_findings_and_npm_without_a_network():
    said = found_by_npm(lodash=flaw(True), leftpad=flaw(False))
    assert audit.node(".", saying(said)).findings == [
        "lodash <4.17.21: high, can be updated",
        "leftpad <4.17.21: high, no update yet",
    ]
    away = audit.node(".", saying({"message": "405 Method Not Allowed"}))
    assert str(away) == "package-lock.json: NOT AUDITED: 405 Method Not Allowed"


def test_of_the_firebase_cli_what_an_update_mends_is_a_finding():
    """It deploys with somebody's rights, so it is looked at; what its makers have not mended would stop everybody."""
    asked = []

    def program(command):
        asked.append(command)
        newer = {"name": "firebase-tools", "version": "16.0.0", "isSemVerMajor": True}
        return json.dumps(found_by_npm(lodash=flaw(newer), leftpad=flaw(False)))

    found = audit.node("tools/firebase-tools", program)
    assert asked[0][-2:] == ["--prefix", "tools/firebase-tools"]
    assert found.findings == ["lodash <4.17.21: high, can be updated"]
    assert found.waiting == ["leftpad <4.17.21: high, no update yet"]
    assert str(found) == "tools/firebase-tools/package-lock.json: 200 packages audited, 2 known vulnerabilities"


def test_a_list_is_of_what_there_is():
    for name in (*audit._LISTS, *(f"{folder}/package-lock.json" for folder in audit._FOLDERS)):
        assert (audit.ROOT / name).is_file()


def test_what_only_others_can_mend_is_said_and_stops_nobody(monkeypatch, capsys):
    def answer(command):
        if command[0] != "npm":
            return json.dumps({"dependencies": [CLEAN]})
        return json.dumps(found_by_npm(**({"leftpad": flaw(False)} if command[-1] == "tools/firebase-tools" else {})))

    monkeypatch.setattr(audit, "_output", answer)
    assert audit.run() == 0
    assert "leftpad <4.17.21: high, no update yet: nobody but its makers can mend it" in capsys.readouterr().out


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


class TestComponents:
    """What `make sbom` writes. cyclonedx-py is installed by `make sbom` alone: the test answers in its place."""

    @pytest.fixture
    def written(self, tmp_path, monkeypatch):
        run = sbom.subprocess.run

        def running(command, **options):
            if command[0] != "npm":
                assert (sbom.ROOT / command[2]).is_file()
                return sbom.subprocess.CompletedProcess(command, 0, stdout='{"bomFormat": "CycloneDX"}')
            return run(command, **options)

        monkeypatch.setattr(sbom.subprocess, "run", running)
        monkeypatch.setattr(sbom, "ROOT", tmp_path)
        monkeypatch.setattr(sbom, "FOLDER", tmp_path / "sbom")
        for name in ("package.json", "package-lock.json", "requirements.txt"):
            shutil.copy(audit.ROOT / name, tmp_path)
        for folder, name in (("functions", "requirements.txt"), ("tools/firebase-tools", "package*.json")):
            (tmp_path / folder).mkdir(parents=True)
            for file in (audit.ROOT / folder).glob(name):
                shutil.copy(file, tmp_path / folder)
        assert sbom.run() == 0
        return {path.name.partition(".")[0]: json.loads(path.read_text()) for path in (tmp_path / "sbom").iterdir()}

    def test_there_is_one_for_what_is_deployed_used_and_deploys(self, written):
        assert written.keys() == {"functions", "development", "node", "firebase-tools"}
        assert {document["bomFormat"] for document in written.values()} == {"CycloneDX"}

    def test_npm_names_every_package_of_the_lock_with_its_hash(self, written):
        components = {one["name"]: one for one in written["firebase-tools"]["components"]}
        assert components["firebase-tools"]["hashes"][0]["alg"] == "SHA-512"
        assert len(components) > 400
