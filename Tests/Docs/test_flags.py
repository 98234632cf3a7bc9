"""Flags and commands that the documentation names are those of the program."""

import re
import subprocess

import pytest
from markdown_page import ROOT, pages

# Flags of other programs, by the page that names them; "" is every page.
FOREIGN = {
    "": {
        # kubectl, helm, curl, docker, Envoy, systemd, git
        "--server-side", "--filename", "--kustomize", "--set", "--cert", "--key", "--dry-run", "--output", "--selector",
        "--silent", "--json", "--tag", "--config-path", "--include", "--write-out", "--only-matching", "--target",
        "--separator", "--mode",
        # Prometheus
        "--enable-feature",
    },
    "docs/coming-from/others.md": {
        "--worker-urls", "--policy", "--pd-disaggregation", "--prefill", "--decode", "--prometheus-port",
        "--max-concurrent-requests", "--queue-size", "--queue-timeout-secs", "--retry-max-retries",
        "--cb-failure-threshold", "--service-discovery", "--routing-logic", "--static-backends", "--static-models",
        "--static-aliases", "--session-key", "--engine-stats-interval", "--k8s-label-selector", "--selector",
        "--cache-threshold", "--request-timeout-secs", "--max-payload-size", "--dynamic-config-yaml",
    },
    "CONTRIBUTING.md": {"--filter"},
    "docs/getting-started.md": {"--port"},
    # Flags in general, and those of the simulator of random worlds.
    "docs/configuration.md": {"--flag", "--switch"},
    "docs/decisions/0008-flow-control.md": {"--seeds"},
}


@pytest.fixture(scope="module")
def help_of(martlet):
    """The flags of each command, as `--help` lists them."""

    def text(*arguments):
        return subprocess.run([martlet, *arguments, "--help"], capture_output=True, text=True, timeout=30).stdout

    commands = re.findall(r"^  ([a-z]+) {2,}\S", text().partition("SUBCOMMANDS:")[2], re.MULTILINE)
    assert len(commands) > 7
    return {name: set(re.findall(r"--[a-z][\w-]*", text(name))) for name in commands}


def code_of(page):
    """The code in the page's prose, and its commands, with their lines."""
    for number, line in page.prose:
        for code in re.findall(r"`([^`]+)`", line):
            yield number, code
    for block in page.blocks:
        if block.language in ("sh", "console"):
            joined = block.text.replace("\\\n", " ")
            yield from ((block.line, line) for line in joined.splitlines())


@pytest.mark.parametrize("name", [name for name in pages() if name != "CHANGELOG.md"])
def test_flags_exist(name, help_of):
    page = pages()[name]
    known = set().union(*help_of.values()) | FOREIGN[""] | FOREIGN.get(name, set())
    wrong = []
    for number, code in code_of(page):
        command = re.match(r"(?:\$ )?(?:\.build/release/)?martlet ([a-z]+)\b(.*)", code)
        if command and command.group(1) in help_of:
            allowed = help_of[command.group(1)] | {"--version", "--help"}
            flags = re.findall(r"(?<![\w-])--[a-z][\w-]*", command.group(2).partition("|")[0])
        else:
            allowed, flags = known, re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
        wrong += [f"{name}:{number}: {flag}" for flag in flags if flag not in allowed and "git " not in code]
    assert not wrong, "\n".join(wrong)


def test_commands_exist(help_of):
    for name, page in pages().items():
        for number, code in code_of(page):
            command = re.match(r"martlet ([a-z]+)(?: |$)", code)
            assert not command or command.group(1) in help_of, f"{name}:{number}: {code}"


def test_every_command_is_in_the_index(help_of):
    index = (ROOT / "docs/README.md").read_text()
    for command in help_of:
        assert f"`martlet {command}" in index, command


def test_environment_variables_are_told():
    told = (ROOT / "docs/flags.md").read_text()
    named = re.compile(r'environment\["([A-Z_]+)"|let variable = "([A-Z_]+)"')
    for path in (ROOT / "Sources").rglob("*.swift"):
        for match in named.finditer(path.read_text()):
            name = match.group(1) or match.group(2)
            assert f"`{name}`" in told, f"{path.relative_to(ROOT)}: {name}"


def test_every_target_of_the_makefile_is_told():
    targets = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(targets) > 20 and not [target for target in targets if f"`make {target}`" not in told]
