"""`martlet top`: the table of a running gateway, printed once, and refreshed on a terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from harness import chat, eventually
from raw_http import ask

ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
FRAME, FRAME_END = b"\x1b[?2026h", b"\x1b[?2026l"


@pytest.fixture(scope="module")
def gateway(shared):
    return shared.gateway_over(shared.simulators(3, model="m")).await_models()


class TerminalProgram:
    """A program on a terminal of its own: what it shows, and keys for it."""

    def __init__(self, command, columns=80, rows=24, environment=()):
        self.leader, follower = pty.openpty()
        self.resize(columns, rows)
        self.settings = termios.tcgetattr(self.leader)
        self.output = b""
        self.process = subprocess.Popen(
            command, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env=os.environ | dict(environment),
        )
        os.close(follower)

    def resize(self, columns, rows):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """Takes what was shown since the last time."""
        while select.select([self.leader], [], [], 0.02)[0]:
            try:
                chunk = os.read(self.leader, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.output += chunk

    def frame(self):
        """The lines of the last whole frame, without colours."""
        self.read()
        frame = self.output.rpartition(FRAME_END)[0].rpartition(FRAME)[2].decode()
        text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", frame)
        # The terminal itself adds a carriage return to each line feed.
        return [line.rstrip("\r") for line in text.split("\n")]

    def await_frame(self, condition, what):
        def shown():
            lines = self.frame()
            assert self.process.poll() is None, self.output
            return lines if condition(lines) else None

        return eventually(shown, what)

    def press(self, keys):
        os.write(self.leader, keys.encode())

    def end(self, within=10):
        """The exit status, once the program has ended; a terminal that nobody reads would hold it up."""
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the program does not end"
            self.read()
        self.read()
        return self.process.returncode

    def hang_up(self):
        """Takes the terminal away."""
        os.close(self.leader)
        self.leader = None

    def close(self):
        self.process.kill()
        self.process.wait()
        if self.leader is not None:
            os.close(self.leader)


@pytest.fixture
def top(gateway, martlet):
    programs = []

    def start(*arguments, **options):
        command = [martlet, "top", "--admin", gateway.admin, "--interval", "200ms", *arguments]
        programs.append(TerminalProgram(command, **options))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def endpoint_rows(lines):
    return [line for line in lines if " ready " in line]


def once(martlet, gateway, *arguments):
    result = subprocess.run(
        [martlet, "top", "--admin", gateway.admin, *arguments], capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_without_a_terminal_one_table_is_printed(gateway, martlet):
    ask(gateway.port, chat("m"))
    table = once(martlet, gateway, "--sort", "waiting")
    lines = table.splitlines()
    assert "\x1b" not in table
    assert re.match(r"requests \d+, errors \d+  in flight 0", lines[1])
    assert "3 endpoints, 3 available" in lines[2]
    assert lines[3].split()[:6] == ["ENDPOINT", "STATE", "WAIT", "RUN", "KV%", "FLIGHT"]
    addresses = {line.split()[-1] for line in endpoint_rows(lines)}
    assert addresses == set(gateway.endpoints())


def test_a_pool_that_is_not_there_is_said(gateway, martlet):
    assert "pool nowhere: there is none" in once(martlet, gateway, "--pool", "nowhere")


def test_the_table_is_refreshed_and_keys_work(top, gateway):
    program = top()
    lines = program.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    assert len(lines) == 24 and all(len(line) <= 80 for line in lines)
    assert program.output.startswith(ENTER_SCREEN)
    ask(gateway.port, chat("m"))
    program.await_frame(lambda lines: re.search(r"req/s \d", lines[1]), "a rate")
    program.press("r")
    program.await_frame(lambda lines: "RUN▾" in lines[3], "the order by running requests")
    name = endpoint_rows(program.frame())[1].split()[0]
    program.press("/" + name)
    program.await_frame(lambda lines: lines[-1].startswith(f"filter: {name}_"), "the filter that is typed")
    program.press("\r")
    rows = program.await_frame(lambda lines: len(endpoint_rows(lines)) == 1, "one endpoint")
    assert endpoint_rows(rows)[0].startswith(name)
    program.press("q")
    assert program.end() == 0
    assert program.output.endswith(SHOW_CURSOR + b"\x1b[0m" + LEAVE_SCREEN)


def test_a_terminal_may_change_its_size(top):
    program = top()
    program.await_frame(lambda lines: len(lines) == 24, "24 lines")
    program.resize(40, 10)
    program.process.send_signal(signal.SIGWINCH)
    lines = program.await_frame(lambda lines: len(lines) == 10, "ten lines")
    assert all(len(line) <= 40 for line in lines) and len(endpoint_rows(lines)) == 3


def test_no_colour_where_none_is_wanted(top):
    program = top(environment={"NO_COLOR": "1"})
    program.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    assert not re.search(rb"\x1b\[\d+m", program.output)
    other = top()
    other.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    assert re.search(rb"\x1b\[7m", other.output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT])
def test_every_way_out_gives_the_terminal_back(top, number):
    program = top()
    program.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    assert termios.tcgetattr(program.leader)[3] != program.settings[3], "keys come at once and are not shown"
    program.press("/")
    program.await_frame(lambda lines: lines[-1].startswith("filter: _"), "a filter that is typed")
    program.process.send_signal(number)
    crashes = number in (signal.SIGSEGV, signal.SIGABRT)
    assert program.end() == (-number if crashes else 0)
    assert SHOW_CURSOR in program.output and LEAVE_SCREEN in program.output
    assert termios.tcgetattr(program.leader)[3] == program.settings[3]


@pytest.mark.parametrize("typed", ["", "/", "/eng"])
def test_control_c_ends_it(top, typed):
    program = top()
    program.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    program.press(typed + "\x03")
    assert program.end() == 0


@pytest.mark.parametrize("typed", ["", "/"])
def test_a_terminal_that_is_lost_ends_it(top, typed):
    program = top()
    program.await_frame(lambda lines: len(endpoint_rows(lines)) == 3, "three endpoints")
    program.press(typed)
    if typed:
        program.await_frame(lambda lines: lines[-1].startswith("filter: _"), "a filter that is typed")
    program.hang_up()
    assert program.process.wait(timeout=10) == 0


def test_a_gateway_that_goes_is_waited_for(services, martlet):
    gateway = services.gateway_over(services.simulators(1, model="m")).await_models()
    program = TerminalProgram([martlet, "top", "--admin", gateway.admin, "--interval", "200ms"])
    try:
        program.await_frame(lambda lines: len(endpoint_rows(lines)) == 1, "an endpoint")
        gateway.kill()
        lines = program.await_frame(lambda lines: "does not answer" in lines[-1], "that nobody answers")
        assert len(endpoint_rows(lines)) == 1, "what was known stays"
        program.press("q")
        assert program.end() == 0
    finally:
        program.close()


def test_a_gateway_that_is_not_there(martlet):
    result = subprocess.run(
        [martlet, "top", "--admin", "http://127.0.0.1:9", "--once"], capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 64 and "does not answer" in result.stderr
