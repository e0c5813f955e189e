"""`--debug`: the functions are loaded once a debugger is attached, and stop where it says. It speaks the Debug Adapter
Protocol (https://microsoft.github.io/debug-adapter-protocol/specification) as an editor does."""

import concurrent.futures
import json
import socket
import sys
from pathlib import Path

import pytest
from tests.suite.harness import Lines, copy_of_sample, eventually, http

from firesuite.errors import SuiteError
from firesuite.ports import HOST, Ports, free_ports, is_free
from firesuite.project import Project
from firesuite.suite import Suite


class Debugger:
    """A client of one debug adapter. What it says is read in order; `until` gives the first that is looked for."""

    def __init__(self, port):
        self._socket = socket.create_connection((HOST, port), timeout=60)
        self._stream = self._socket.makefile("rb")
        self._sent = 0

    def send(self, command, **arguments):
        self._sent += 1
        body = json.dumps({"seq": self._sent, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def until(self, kind, name):
        while True:
            header = self._stream.readline()
            assert header, f"the adapter hung up before the {kind} {name}"
            self._stream.readline()
            message = json.loads(self._stream.read(int(header.partition(b":")[2])))
            if message["type"] == kind and message.get("command", message.get("event")) == name:
                return message

    def attach(self, breakpoint_at=None):
        """As editors do: the answer to `attach` comes after all is configured."""
        self.send("initialize", adapterID="python", pathFormat="path", linesStartAt1=True)
        assert self.until("response", "initialize")["success"]
        self.send("attach", justMyCode=True)
        self.until("event", "initialized")
        if breakpoint_at is not None:
            path, line = breakpoint_at
            self.send("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}])
        self.send("configurationDone")
        assert self.until("response", "attach")["success"]

    def close(self):
        self._stream.close()
        self._socket.close()


def test_the_functions_wait_for_a_debugger_and_stop_at_its_breakpoint(tmp_path):
    project = Project.load(copy_of_sample(tmp_path / "project"))
    main = project.codebases[0].main
    line = main.read_text().splitlines().index('    if request.path == "/slow":') + 1
    [port] = free_ports(1)
    lines = Lines()
    suite = Suite(project, ports=Ports.free(), watch=True, debug_port=port, log=lines)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        starting = pool.submit(suite.start)
        try:
            eventually(lambda: f"Waiting for a debugger to attach to 127.0.0.1:{port}." in lines.text("functions"))
            assert not starting.done()
            debugger = Debugger(port)
            debugger.attach((main, line))
            starting.result(60)

            # hasty has a second: whoever looks at a request takes his time.
            call = pool.submit(http, "GET", suite.function_url("web") + "/seen")
            stopped = debugger.until("event", "stopped")["body"]
            assert stopped["reason"] == "breakpoint"
            debugger.send("stackTrace", threadId=stopped["threadId"])
            frame = debugger.until("response", "stackTrace")["body"]["stackFrames"][0]
            assert (frame["name"], frame["line"], Path(frame["source"]["path"])) == ("web", line, main)
            assert not call.done()
            debugger.send("setBreakpoints", source={"path": str(main)}, breakpoints=[])
            debugger.send("continue", threadId=stopped["threadId"])
            assert call.result(60).json()["path"] == "/seen"

            # A save loads the functions anew, which waits for the debugger again: editors attach again by themselves.
            main.write_text(main.read_text().replace('VERSION = "1"', 'VERSION = "2"'))
            debugger.until("event", "terminated")
            debugger.close()
            eventually(lambda: lines.text("functions").count("Waiting for a debugger") == 2)
            debugger = Debugger(port)
            debugger.attach()
            assert http("GET", suite.function_url("web")).json()["version"] == "2"
            debugger.close()
        finally:
            suite.stop()
    assert is_free(port)


def test_nothing_is_cut_off_while_a_debugger_is_there(tmp_path):
    project = Project.load(copy_of_sample(tmp_path / "project"))
    [port] = free_ports(1)
    suite = Suite(project, ports=Ports.free(), debug_port=port, log=(lines := Lines()))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        starting = pool.submit(suite.start)
        try:
            eventually(lambda: "Waiting for a debugger" in lines.text("functions"))
            debugger = Debugger(port)
            debugger.attach()
            starting.result(60)
            assert http("GET", suite.function_url("hasty") + "?seconds=1.5").text == "done"
            debugger.close()
        finally:
            suite.stop()


def test_without_debugpy_one_sentence_says_what_to_run(tmp_path):
    directory = copy_of_sample(tmp_path / "project")
    python = directory / "functions" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # An interpreter that has the functions' packages, and not debugpy.
    hide = "import sys; sys.modules['debugpy'] = None"
    (directory / "hide").mkdir()
    (directory / "hide" / "sitecustomize.py").write_text(hide)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={directory / "hide"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(SuiteError) as caught:
        Suite(Project.load(directory), ports=Ports.free(), debug_port=free_ports(1)[0]).start()
    assert str(caught.value) == f"--debug needs debugpy beside the functions: run `{python} -m pip install debugpy`."
