"""Saving a file: the functions are loaded again, and nothing is lost meanwhile."""

import datetime as dt
import re
import threading
import time

import pytest
from tests.suite.harness import eventually, http

from firesuite.clock import ClockTicker
from firesuite.ports import HOST


@pytest.fixture
def main(watching):
    """The watched main.py; put back as it was after the test."""
    path = watching.project.codebases[0].main
    text = path.read_text()
    yield path
    path.write_text(text)
    eventually(lambda: version(watching) == "1")


def save(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def version(suite):
    answer = http("GET", suite.function_url("web"))
    return answer.json()["version"] if answer.status == 200 else None


def test_a_save_is_served_without_a_restart(watching, main):
    assert version(watching) == "1"
    save(main, 'VERSION = "1"', 'VERSION = "2"')
    eventually(lambda: version(watching) == "2")


def test_two_saves_in_one_second_with_one_size_are_both_seen(watching, main):
    """Python would take the first one's bytecode for the second's."""
    for number in ("3", "4", "5"):
        text = main.read_text()
        main.write_text(re.sub(r'VERSION = "."', f'VERSION = "{number}"', text))
        eventually(lambda wanted=number: version(watching) == wanted)


def test_no_request_is_dropped_while_the_functions_are_reloaded(watching, main):
    """Requests of 50 ms from 4 clients, all the time, over three reloads."""
    statuses, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            statuses.append(http("GET", watching.function_url("web") + "/slow?seconds=0.05").status)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in ("6", "7", "8"):
            main.write_text(re.sub(r'VERSION = "."', f'VERSION = "{number}"', main.read_text()))
            eventually(lambda wanted=number: version(watching) == wanted)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_a_request_in_work_ends_in_the_old_code(watching, main):
    answers = []
    url = watching.function_url("web") + "/slow?seconds=1.5"
    thread = threading.Thread(target=lambda: answers.append(http("GET", url)))
    before = watching.lines.text("functions").count("slow began")
    thread.start()
    eventually(lambda: watching.lines.text("functions").count("slow began") > before)
    save(main, 'VERSION = "1"', 'VERSION = "9"')
    eventually(lambda: version(watching) == "9")
    thread.join()
    assert answers[0].json()["version"] == "1"


def test_code_that_does_not_import_is_shown_with_file_and_line_and_mended_by_the_next_save(watching, main):
    line = main.read_text().splitlines().index('VERSION = "1"') + 1
    save(main, 'VERSION = "1"', "VERSION = nowhere")
    answer = eventually(lambda: (found := http("GET", watching.function_url("web"))).status == 500 and found)
    assert answer.text.startswith(f"main.py, line {line}: NameError: name 'nowhere' is not defined")
    told = f"The functions could not be loaded. main.py, line {line}: NameError"
    eventually(lambda: watching.lines.text("functions").count(told) == 1)
    save(main, "VERSION = nowhere", 'VERSION = "1"')
    eventually(lambda: version(watching) == "1")


def test_an_import_that_ends_the_process_is_told_once_and_mended(watching, main):
    save(main, 'VERSION = "1"', '__import__("os")._exit(7)')
    answer = eventually(lambda: (found := http("GET", watching.function_url("web"))).status == 500 and found)
    assert answer.text.startswith("main.py: its import ended the process")
    assert watching.lines.text("functions").count("exited with code 7") == 1
    save(main, '__import__("os")._exit(7)', 'VERSION = "1"')
    eventually(lambda: version(watching) == "1")


def test_a_syntax_error_is_shown_with_its_line(watching, main):
    line = main.read_text().splitlines().index('VERSION = "1"') + 1
    save(main, 'VERSION = "1"', 'VERSION = = "1"')
    answer = eventually(lambda: (found := http("GET", watching.function_url("web"))).status == 500 and found)
    assert answer.text.splitlines() == [
        f"main.py, line {line}: SyntaxError: invalid syntax (main.py, line {line})",
        f'  File "{main}", line {line}',
        '    VERSION = = "1"',
        "              ^",
        "SyntaxError: invalid syntax",
    ]


def test_events_written_while_the_code_does_not_import_arrive_after_it_does(watching, main):
    save(main, 'VERSION = "1"', "VERSION = nowhere")
    eventually(lambda: http("GET", watching.function_url("web")).status == 500)
    order = watching.database.document("orders/held")
    order.set({"n": 1})
    order.set({"n": 2})
    eventually(lambda: watching.control.functions().running > 0)
    assert not list(watching.database.collection("seen").stream())
    save(main, "VERSION = nowhere", 'VERSION = "1"')
    events = eventually(lambda: len(found := list(watching.database.collection("seen").stream())) == 2 and found)
    assert sorted(event.get("after")["n"] for event in events) == [1, 2]


def test_a_saved_setting_is_loaded_too(watching, main):
    setting = watching.project.codebases[0].source / ".env"
    text = setting.read_text()
    url = watching.function_url("web") + "?env=GREETING"
    setting.write_text("GREETING=hello\n")
    eventually(lambda: http("GET", url).json()["environment"]["GREETING"] == "hello")
    setting.write_text(text)
    eventually(lambda: http("GET", url).json()["environment"]["GREETING"] == "good day")


def test_the_clock_goes_with_the_real_one_while_a_retry_waits(watching):
    """Otherwise it is moved once a minute: each move may refuse a request that is just being read."""
    watching.database.document("flaky/clock").set({})
    eventually(lambda: watching.control.functions().retry_waiting == 1)
    before = watching.control.advance_clock(0)
    eventually(lambda: (watching.control.advance_clock(0) - before).total_seconds() >= 1)
    watching.control.advance_clock(600)
    eventually(lambda: watching.control.functions().retry_waiting == 0 or watching.control.advance_clock(600) is None)


class TestClock:
    """The clock of a suite that a person works with, with Auth that moves it up to the real time by itself."""

    @pytest.fixture
    def moved(self, watching):
        """Moves the clock as the suite does each minute; by how many seconds it is ahead of the real time then."""
        ticker = ClockTicker(watching.control)

        def move():
            ticker._look()
            number = time.time_ns()
            body = {"email": f"{number}@example.com", "password": "a long passphrase", "returnSecureToken": True}
            url = f"http://{HOST}:{watching.ports.auth}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=x"
            assert http("POST", url, body).status == 200
            ticker._move()
            return (watching.control.clock() - dt.datetime.now(dt.UTC)).total_seconds()

        return move

    def test_it_is_not_ahead_however_often_somebody_signs_in(self, watching, moved):
        watching.control.set_clock(dt.datetime.now(dt.UTC))
        for _ in range(3):
            time.sleep(1.1)  # what it would be ahead by, each time
            assert moved() <= 0.1

    def test_one_that_was_set_ahead_stays_ahead(self, watching, moved):
        watching.control.set_clock(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        moved()
        before = watching.control.clock()
        time.sleep(1.1)
        moved()
        passed = (watching.control.clock() - before).total_seconds()
        assert 1 <= passed < 60
        watching.control.set_clock(dt.datetime.now(dt.UTC))

    def test_reading_does_not_move_it(self, watching):
        watching.control.set_clock(instant := dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
        assert watching.control.clock() == watching.control.clock() == instant
        watching.control.set_clock(dt.datetime.now(dt.UTC))


def test_rules_that_are_saved_with_an_error_are_told_with_file_and_line_and_the_ones_before_stay(watching):
    rules = watching.project.directory / "firestore.rules"
    text = rules.read_text()
    documents = f"{watching.services()['Firestore']}/v1/projects/demo-sample/databases/(default)/documents"
    rules.write_text("rules_version = '2';\nnonsense\n")
    eventually(lambda: f"{rules}, line 2: " in watching.lines.text("fireemu"))
    assert "The rules from before it was saved stay in force." in watching.lines.text("fireemu")
    assert http("GET", f"{documents}/secrets/a").status == 403
    rules.write_text(text)
    eventually(lambda: "reloaded Firestore rules" in watching.lines.text("fireemu"))
