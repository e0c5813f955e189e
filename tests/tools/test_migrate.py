"""Migrations: each document once, though runs are killed, started twice, or told nothing of their commits."""

import os
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from tests.backend import eventually
from tests.conftest import ROOT
from tools.migrate import MigrationError, Run, apply, preview
from tools.migrations import Migration, load

from firesuite.faults import Failure, Faults, at_random, each
from tools import migrate
from wattle.adapters.firestore import Create, Document, Firestore, Query
from wattle.adapters.firestore.client import open_channel
from wattle.kit.retry import Deadline
from wattle.orders.shards import shard_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOON = Deadline.after


@pytest.fixture
def project(backend):
    """A project with a database of its own: its id and its Firestore, over a channel that can fail."""
    name = f"demo-{uuid.uuid4().hex[:10]}"
    session = backend.suite.control.create_session(name)
    channel, credentials = open_channel(f"127.0.0.1:{backend.suite.ports.firestore}")
    faults = Faults()
    firestore = Firestore(name, grpc.intercept_channel(channel, faults), credentials)
    firestore.faults = faults
    firestore.name = name
    yield firestore
    channel.close()
    backend.suite.control.session(session.name).delete_session()


def fill(firestore, count, collection="things", **fields):
    """Documents t000, t001, ..."""
    writes = [Create(f"{collection}/t{number:03}", {"n": 0, **fields}) for number in range(count)]
    for start in range(0, count, 100):
        firestore.commit(writes[start : start + 100], SOON(60))


def numbers(firestore, collection="things"):
    """How often each document was counted up."""
    return [row.data["n"] for row in firestore.query(Query(collection), SOON(60))]


def ledger(firestore, name="0000_test"):
    found = firestore.get(f"migrations/{name}", SOON(60))
    return found and found.data


# Setting it again is not right, which a real one must be: so that a document that is done twice is seen.
COUNT_UP = Migration("0000_test", "counts up", "things", everywhere=False, transform=lambda d: {"n": d.data["n"] + 1})


def finish(firestore, migration=COUNT_UP, pause=lambda _: None):
    apply(firestore, migration, by="tester", rate=1000, say=lambda _: None, pause=pause)


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


class TestRuns:
    def test_each_document_once_and_a_ledger(self, project):
        fill(project, 120)
        finish(project)
        assert numbers(project) == [1] * 120
        entry = ledger(project)
        assert (entry["state"], entry["seen"], entry["changed"], entry["by"]) == ("done", 120, 120, "tester")
        assert entry["cursor"] == "things/t119"
        assert entry["startedAt"] <= entry["finishedAt"]

    def test_again_does_nothing(self, project):
        fill(project, 10)
        finish(project)
        finish(project)
        assert numbers(project) == [1] * 10

    def test_what_needs_no_change_is_not_written(self, project):
        fill(project, 3)
        before = [row.update_time for row in project.query(Query("things"), SOON(60))]
        finish(project, Migration("0000_test", "", "things", everywhere=False, transform=lambda _: {}))
        assert [row.update_time for row in project.query(Query("things"), SOON(60))] == before
        assert (ledger(project)["seen"], ledger(project)["changed"]) == (3, 0)

    def test_an_empty_collection_is_done(self, project):
        finish(project)
        assert (ledger(project)["state"], ledger(project)["cursor"]) == ("done", None)

    @pytest.mark.parametrize("count", [49, 50, 51, 100])
    def test_the_last_chunk_may_be_full(self, project, count):
        fill(project, count)
        finish(project)
        assert numbers(project) == [1] * count

    def test_a_run_that_stopped_goes_on_where_it_was(self, project):
        fill(project, 120)

        def stop(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            finish(project, pause=stop)
        assert sum(numbers(project)) == 50
        assert ledger(project)["state"] == "running"
        finish(project)
        assert numbers(project) == [1] * 120

    def test_it_keeps_its_pace(self, project):
        fill(project, 100)
        pauses = []
        apply(project, COUNT_UP, by="tester", rate=25, say=lambda _: None, pause=pauses.append)
        # Nobody paused, so each is asked to make up for all before it: 100 documents at 25 a second are 4 s.
        assert len(pauses) == 5
        assert all(pause <= min(number, 4) for number, pause in enumerate(pauses, start=1))
        assert pauses[-1] > 0

    def test_it_says_how_far_it_is(self, project, monkeypatch):
        monkeypatch.setattr(migrate, "_REPORT_EVERY", 0)
        fill(project, 60)
        lines = []
        apply(project, COUNT_UP, by="tester", rate=50, say=lines.append, pause=lambda _: None)
        assert lines == [
            "0000_test: 50 of 60 (83 %), 50 changed",
            "0000_test: 60 of 60 (100 %), 60 changed",
            "0000_test: 60 of 60 (100 %), 60 changed, done",
        ]


class TestUnderFire:
    @pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
    @pytest.mark.parametrize("count", [20, 120])
    def test_a_commit_whose_answer_was_lost_is_not_made_twice(self, project, status, count):
        fill(project, count)
        project.faults.follow(each("Commit", Failure(status, after=True), times=3))
        finish(project)
        assert numbers(project) == [1] * count
        assert ledger(project)["seen"] == count

    @pytest.mark.parametrize("seed", range(5))
    def test_whatever_fails_at_random(self, project, seed):
        fill(project, 130)
        project.faults.follow(at_random(seed, 0.2))
        finish(project)
        project.faults.reset()
        assert numbers(project) == [1] * 130

    def test_two_at_once_are_one(self, project):
        fill(project, 120)

        def attempt(_):
            try:
                finish(project)
            except MigrationError as error:
                return str(error)[:35]
            return "finished"

        with ThreadPoolExecutor(4) as pool:
            outcomes = set(pool.map(attempt, range(4)))
        assert "finished" in outcomes
        assert outcomes <= {"finished", "0000_test is being run by tester un"}
        assert numbers(project) == [1] * 120

    def test_a_dead_runs_lease_ends_and_a_slow_one_finds_itself_replaced(self, project):
        fill(project, 40)
        clock = Clock()
        slow, quick = (Run(project, COUNT_UP, by=name, clock=clock) for name in ("slow", "quick"))
        slow.start()
        assert slow.chunk(10).seen == 10
        with pytest.raises(MigrationError, match="is being run by slow"):
            quick.start()
        clock.now += timedelta(seconds=61)
        assert quick.start().seen == 10
        assert quick.chunk(10).seen == 20
        for step in (lambda: slow.chunk(10), slow.stop):
            with pytest.raises(MigrationError, match="taken 0000_test over"):
                step()
        while not quick.chunk(10).done:
            pass
        assert numbers(project) == [1] * 40
        assert (ledger(project)["seen"], ledger(project)["by"]) == (40, "quick")


class TestCommand:
    """`python -m tools migrate`, as a person starts and kills it."""

    @pytest.fixture
    def start(self, backend, project):
        running = []

        def start(*arguments):
            environment = {**os.environ, "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{backend.suite.ports.firestore}"}
            command = [sys.executable, "-m", "tools", "migrate", "--project", project.name, *arguments]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
            running.append(subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes))
            return running[-1]

        yield start
        for process in running:
            process.kill()
            process.communicate()

    def old_orders(self, firestore, count):
        """As they were stored before shards and delta sync, with their events."""
        order = {"userId": "u", "status": "pending", "createdAt": NOW, "updatedAt": NOW, "version": 11}
        fill(firestore, count, "orders", **order)
        for number in (1, 2, 11):
            event = {"type": "status", "from": None, "to": "pending", "actor": "shop", "at": NOW, "reason": None}
            firestore.commit([Create(f"orders/t000/events/{number}", event)], SOON(60))

    def test_first_it_shows_and_writes_nothing(self, project, start):
        self.old_orders(project, 7)
        output, _ = (process := start("--dry-run")).communicate(timeout=60)
        assert process.returncode == 0
        assert "7 of 7 documents would change" in output
        assert f"orders/t000: shard: (none) -> {shard_of('t000')}" in output
        assert "3 of 3 documents would change" in output
        output, errors = (process := start("--only", "0001_order_shard")).communicate(timeout=60)
        assert process.returncode == 1
        assert "7 of 7 documents would change" in output
        assert "--yes" in errors
        assert all("shard" not in row.data for row in project.query(Query("orders"), SOON(60)))
        assert ledger(project, "0001_order_shard") is None

    def test_all_of_them(self, project, start):
        self.old_orders(project, 60)
        output, errors = (process := start("--yes", "--rate", "1000")).communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "0001_order_shard: 60 of 60 (100 %), 60 changed, done" in output
        for row in project.query(Query("orders"), SOON(60)):
            assert (row.data["shard"], row.data["changedAt"]) == (shard_of(row.id), NOW)
        events = project.query(Query("orders/t000/events", order_by=[("number", "asc")]), SOON(60))
        assert [row.id for row in events] == ["1", "2", "11"]
        again, _ = start("--yes").communicate(timeout=60)
        assert again.count("done at") == len(load())

    def test_killed_half_way_it_goes_on(self, project, start):
        self.old_orders(project, 60)
        process = start("--yes", "--rate", "1", "--only", "0001_order_shard")
        eventually(lambda: (ledger(project, "0001_order_shard") or {}).get("cursor"))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        entry = ledger(project, "0001_order_shard")
        assert entry["state"] == "running"
        assert 0 < entry["seen"] < 60
        sharded = [row for row in project.query(Query("orders"), SOON(60)) if "shard" in row.data]
        assert len(sharded) == entry["seen"] == entry["changed"]
        _, errors = (process := start("--yes", "--only", "0001_order_shard")).communicate(timeout=60)
        assert process.returncode == 1
        assert "wait for it, or until then if that run has died" in errors
        (migration,) = (one for one in load() if one.name == "0001_order_shard")
        later = Clock()
        later.now += timedelta(seconds=61)
        run = Run(project, migration, by="tester", clock=later)
        assert run.start().seen == entry["seen"]
        while not run.chunk(20).done:
            pass
        assert ledger(project, "0001_order_shard")["changed"] == 60
        assert all(row.data["shard"] == shard_of(row.id) for row in project.query(Query("orders"), SOON(60)))

    def test_interrupted_it_gives_the_lease_back(self, project, start):
        self.old_orders(project, 60)
        process = start("--yes", "--rate", "1", "--only", "0001_order_shard")
        eventually(lambda: (ledger(project, "0001_order_shard") or {}).get("cursor"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, "Run it again" in errors) == (130, True)
        _, errors = (process := start("--yes", "--rate", "1000", "--only", "0001_order_shard")).communicate(timeout=60)
        assert process.returncode == 0, errors
        assert ledger(project, "0001_order_shard")["changed"] == 60

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [(("--only", "0099_none"), "There is no migration 0099_none"), (("--rate", "0"), "it must be 1 or more")],
    )
    def test_what_is_wrong_is_said(self, start, arguments, sentence):
        _, errors = (process := start(*arguments)).communicate(timeout=60)
        assert process.returncode in (1, 2)
        assert sentence in errors

    def test_a_project_is_named(self, monkeypatch):
        monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("GCLOUD_PROJECT", "real")
        with pytest.raises(MigrationError, match="--project"):
            migrate.connect(None)


class TestMigrations:
    def test_they_are_numbered_without_gaps_and_say_what_they_do(self):
        names = [migration.name for migration in load()]
        assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
        assert all(migration.about.endswith(".") for migration in load())

    @pytest.mark.parametrize("migration", load(), ids=lambda migration: migration.name)
    def test_what_they_made_they_leave_alone(self, migration):
        path = f"orders/abc/{migration.collection}/7" if migration.everywhere else f"{migration.collection}/abc"
        document = Document(path, {"updatedAt": NOW}, NOW, NOW)
        fields = migration.transform(document)
        assert fields
        assert migration.transform(Document(path, {**document.data, **fields}, NOW, NOW)) == {}

    def test_a_preview_reads_what_is_left(self, project):
        fill(project, 70)
        run = Run(project, COUNT_UP, by="tester")
        run.start()
        run.chunk(50)
        left = preview(project, COUNT_UP)
        assert (left.seen, left.changed) == (20, 20)
        assert left.samples[0] == ("things/t050", {"n": 0}, {"n": 1})
