"""The commands of a page, run one after the other in one shell, as a reader would type them.

The shell is in a scratch copy of the project's folder. `martlet` is the program under test, on ports that are free
instead of the default ones; programs that would build, install or reach a cluster are stand-ins (stand_ins.py).
"""

import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

from harness import free_port
from manifests import Validator
from markdown_page import ROOT
from stand_ins import STAND_INS

# Ports that pages name, each of which becomes a free one wherever it stands as a number by itself.
PORTS = (4000, 8000, 8001, 8002, 8003, 8080, 8081, 8443, 9002, 9003, 9004, 9005, 9090, 9091, 9092, 9901)
# Of the project's folder what commands may read. Files in which ports stand are copied, with the free ones.
COPIED = ("Examples", "deploy/envoy")
LINKED = ("Makefile", "Dockerfile", "Package.swift", "Sources", "Benchmarks", "scripts", "deploy")
PAGE_SECONDS = 60
START_SECONDS = 30

HERE = pathlib.Path(__file__).resolve().parent
PREAMBLE = f"""\
set -euo pipefail
await_line() {{
    # Waits until a command in the background says that it is there: PATTERN FILE PID.
    for _ in $(seq {START_SECONDS * 20}); do
        if grep --quiet --extended-regexp "$1" "$2"; then return 0; fi
        if ! kill -0 "$3" 2>/dev/null; then break; fi
        sleep 0.05  # the poll interval
    done
    cat "$2"
    echo "no line with '$1'"
    return 1
}}
"""


class Ports:
    """The free port of each port that pages name, both ways."""

    def __init__(self):
        self.free = {}
        while len(self.free) < len(PORTS):
            port = free_port()
            if port not in self.free.values():
                self.free[PORTS[len(self.free)]] = port

    def moved(self, text):
        """A text with the free ports."""
        return re.sub(rf"(?<![\d.]){self._either(self.free)}(?!\d)", lambda m: str(self.free[int(m.group())]), text)

    def as_written(self, text):
        """A text with the ports of the pages."""
        back = {free: port for port, free in self.free.items()}
        return re.sub(self._either(back), lambda match: str(back[int(match.group())]), text)

    @staticmethod
    def _either(ports):
        return f"(?:{'|'.join(map(str, ports))})"


@functools.cache
def validator():
    """The schemas of Kubernetes and the definitions of deploy/."""
    return Validator.of_deploy()


class Failure(Exception):
    """What went wrong at a block, in words."""


class Session:
    """One page in one shell."""

    def __init__(self, page, folder, martlet, python):
        self.page, self.folder, self.martlet, self.python = page, folder, pathlib.Path(martlet).absolute(), python
        self.ports = Ports()
        self.root = folder / "martlet"
        self.applied = folder / "applied.jsonl"
        self._make_root()
        self._make_programs()

    def _make_root(self):
        self.root.mkdir()
        for name in LINKED:
            (self.root / name).symlink_to(ROOT / name)
        for name in COPIED:
            target = self.root / name
            if target.parent.is_symlink():
                # One folder of a linked one is copied: the others stay links.
                origin = target.parent.resolve()
                target.parent.unlink()
                target.parent.mkdir()
                for entry in origin.iterdir():
                    if entry.name != target.name:
                        (target.parent / entry.name).symlink_to(entry)
            shutil.copytree(ROOT / name, target)
            for file in target.rglob("*.yaml"):
                file.write_text(self.ports.moved(file.read_text()))
        (self.root / ".build/release").mkdir(parents=True)

    def _make_programs(self):
        programs = self.folder / "programs"
        programs.mkdir()
        for name in STAND_INS:
            self._write_program(programs / name, name)
        self._write_program(self.root / ".build/release/martlet", "martlet")
        self.programs = programs

    def _write_program(self, path, name):
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {HERE / "stand_ins.py"} {name} "$@"\n')
        path.chmod(0o755)

    def _environment(self):
        home = self.folder / "home"
        home.mkdir()
        tools = ROOT / ".build-tools/usr/bin"
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR", "USER")}
        return kept | {
            "PATH": f"{self.programs}:{os.environ['PATH']}:{tools}",
            "HOME": str(home),
            "PWD": str(self.root),
            "MARTLET_UNDER_TEST": str(self.martlet),
            "MARTLET_PROJECT": str(ROOT),
            "MARTLET_APPLIED": str(self.applied),
            "MARTLET_PORTS": " ".join(f"{port}={free}" for port, free in self.ports.free.items()),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    # Writing the script

    def run(self):
        """Runs the page; raises `Failure` with the block that went wrong."""
        parts = [PREAMBLE]
        checks = []
        for block in self.page.blocks:
            parts += self._part(block, checks)
        if not checks:
            return
        script = self.folder / "page.sh"
        script.write_text("".join(parts))
        outputs, code = self._outputs(script)
        for number, output in outputs.items():
            block, check = checks[number]
            # Only the last command that ran may have ended the shell.
            if number == max(outputs) and code != 0:
                raise Failure(f"{self.page.name}:{block.line}: exit code {code}\n{output}")
            check(block, output)
        if len(outputs) < len(checks):
            raise Failure(f"{self.page.name}:{checks[len(outputs)][0].line}: the shell ended before it")
        self._check_objects()

    def _check_objects(self):
        """What `kubectl apply` and `helm install` would send to a cluster is valid."""
        for line in self.applied.read_text().splitlines() if self.applied.exists() else []:
            command, document = json.loads(line)
            faults = validator().faults(document)
            if faults:
                name = f"{document['kind']} {document['metadata']['name']}"
                raise Failure(f"{self.page.name}: {command}: {name}: {'; '.join(faults)}")

    def _part(self, block, checks):
        """The lines of the script for a block; what it must print goes to `checks`."""
        if "skip" in block.attributes:
            return
        if block.file:
            path = self.root / block.file
            yield f"mkdir -p {shlex.quote(str(path.parent))}\ncat >{shlex.quote(str(path))} <<'END-OF-FILE'\n"
            yield self.ports.moved(block.text) + "END-OF-FILE\n"
        elif block.language == "console":
            for command, output in commands_of(block):
                yield self._mark(checks, block, functools.partial(self._compare, wanted=output))
                yield self._commands(block, command)
        elif block.language == "sh":
            yield self._mark(checks, block, self._find)
            yield self._commands(block, block.text)
        elif block.language == "python" and "python" in block.words:
            yield self._mark(checks, block, self._find)
            yield f"{self.python} - <<'END-OF-FILE'\n{self.ports.moved(block.text)}END-OF-FILE\n"

    def _mark(self, checks, block, check):
        checks.append((block, check))
        return f"printf '\\n@@block %s\\n' {len(checks) - 1}\n"

    def _commands(self, block, text):
        if "background" in block.words:
            return self._in_background(block, text)
        return self._until_it_works(block) if "again" in block.words else self._guarded(block, text)

    def _guarded(self, block, command):
        """A command in the page's shell; one that is to fail, in a shell of its own."""
        command = self.ports.moved(command)
        code = block.attributes.get("exit")
        if code is None:
            return command
        return f"code=0\n( set -e\n{command}) || code=$?\ntest $code -eq {code}\n"

    def _in_background(self, block, text):
        """One command, which stays until the page ends, or until a block that is `alone`."""
        log = self.folder / f"background-{block.line}.log"
        until = shlex.quote(self.ports.moved(block.attributes.get("until", "^admin on |^listening on ")))
        command = self.ports.moved(text).rstrip()
        ended = "kill -KILL $(jobs -p); wait\n" if "alone" in block.words else ""
        return f"{ended}(exec {command}\n) >{log} 2>&1 &\nawait_line {until} {log} $!\ncat {log}\n"

    def _until_it_works(self, block):
        """Commands that a reader types again when what they ask has only just been started."""
        log = self.folder / f"again-{block.line}.log"
        expected = shlex.quote(block.attributes.get("expect", ""))
        return (
            f"worked=\nfor _ in $(seq {START_SECONDS * 10}); do\n( set -e\n{self.ports.moved(block.text)}) >{log} 2>&1 "
            f"&& grep --quiet --extended-regexp {expected} {log} && worked=yes && break\n"
            f"sleep 0.1  # the poll interval\ndone\ncat {log}\ntest -n \"$worked\"\n"
        )

    # Running it

    def _outputs(self, script):
        """What each block printed, and the exit code of the shell."""
        output = self.folder / "page.log"
        with open(output, "wb") as log:
            shell = subprocess.Popen(
                ["bash", script], cwd=self.root, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )
            try:
                code = shell.wait(PAGE_SECONDS)
            except subprocess.TimeoutExpired:
                code = f"none after {PAGE_SECONDS} s"
            finally:
                # All that the page started is in the shell's group.
                try:
                    os.killpg(shell.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                shell.wait()
        text = self.ports.as_written(output.read_text(errors="replace"))
        # What the shell says of those that a block `alone` ended.
        text = re.sub(rf"^{re.escape(str(script))}: line \d+: +\d+ Killed .*\n", "", text, flags=re.MULTILINE)
        pieces = re.split(r"\n?@@block (\d+)\n", text)
        return {int(number): piece for number, piece in zip(pieces[1::2], pieces[2::2])}, code

    # Looking at what it printed

    def _find(self, block, text):
        expected = block.attributes.get("expect")
        if expected is not None and not re.search(expected, text, re.MULTILINE):
            raise Failure(f"{self.page.name}:{block.line}: no '{expected}' in\n{text}")

    def _compare(self, block, text, wanted):
        # What stays in the background may log a line of its own between those that the page shows.
        between = r"(?:.*\n)*?" if "background" in block.words else ""
        pattern = between + "".join(pattern_of(line) + between for line in wanted)
        if not re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in text.strip("\n").splitlines())):
            shown = "\n".join(wanted)
            raise Failure(f"{self.page.name}:{block.line}: the page shows\n{shown}\nand the program prints\n{text}")


def pattern_of(line):
    """The pattern of a line of output: `…` alone is any number of lines, and within a line any text."""
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n"


def commands_of(block):
    """The commands of a block of console with the lines that each prints."""
    found = []
    for line in block.lines:
        if line.startswith("$ "):
            found.append((line[2:] + "\n", []))
        elif found and not found[-1][1] and (line.startswith("> ") or found[-1][0].endswith("\\\n")):
            found[-1] = (found[-1][0] + line.removeprefix("> ") + "\n", [])
        elif not found:
            raise Failure(f"a block of console at line {block.line} that does not begin with a command")
        else:
            found[-1][1].append(line)
    return found
