"""Every command that the documentation shows is run, and what it shows of their output is what they print."""

import re

import pytest
from markdown_page import pages
from session import Failure, Session

PAGES = pages()
# Blocks of YAML and Swift that another test takes from the page and reads: which one.
CHECKED_ELSEWHERE = {
    ("docs/configuration.md", "yaml"): "Tests/MartletAppTests/ExampleTests.swift",
    ("docs/kubernetes.md", "yaml"): "Tests/Deploy/test_guide.py",
    ("docs/write-a-plugin.md", "yaml"): "scripts/tests/test_write_a_plugin.py",
}
# Why a block is not run. Another reason is no reason: it stands here first, or the block runs.
REASONS = {
    "another program's configuration": "it is shown for comparison; what Martlet makes of it is run",
    "needs a cluster": "shown for readers with a cluster; the objects are checked in Tests/Deploy",
    "needs GPUs": "starts an engine; `make test-engines` runs those that run on a CPU",
    "CI does it": "the commands of CI itself, which runs these tests",
    "its verdict is of the machine": "fails by design where two targets differ; Tests/EndToEnd/test_bench.py runs it",
    "needs a collector": "sends traces to another program; Tests/EndToEnd/test_tracing.py has one",
    "answers of a moment": "shows an answer whose numbers are never twice the same; tests look at its fields",
}
RUN = ("sh", "console", "python")
WORDS = {"background", "alone", "again", "python"}


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if any(b.language in RUN for b in page.blocks)])
def test_commands_of(name, tmp_path, martlet, client_python):
    try:
        Session(PAGES[name], tmp_path, martlet, client_python).run()
    except Failure as failure:
        pytest.fail(str(failure), pytrace=False)


def test_no_block_is_left_out_without_a_reason():
    for name, page in PAGES.items():
        for block in page.blocks:
            where = f"{name}:{block.line}"
            skip = block.attributes.get("skip")
            assert skip is None or skip in REASONS, f"{where}: '{skip}' is no known reason"
            assert block.file or set(block.words) <= WORDS, f"{where}: {block.words}"
            if "background" in block.words:
                command = block.text.replace("\\\n", " ").strip().partition("\n")
                assert block.language == "console" or not command[2], f"{where}: one command stays in the background"
            unknown = block.attributes.keys() - {"skip", "until", "expect", "exit"}
            assert not unknown, f"{where}: unknown {unknown}"
            runs = block.language in ("sh", "console") or block.words == ["python"]
            if block.language in ("yaml", "python") and not runs:
                named = block.file or skip or (name, block.language) in CHECKED_ELSEWHERE
                assert named, f"{where}: nothing reads this block: say its file, or a reason to skip it"


def test_reasons_and_exceptions_are_used():
    used = {block.attributes.get("skip") for page in PAGES.values() for block in page.blocks}
    assert REASONS.keys() <= used, REASONS.keys() - used
    for name, language in CHECKED_ELSEWHERE:
        assert any(block.language == language for block in PAGES[name].blocks), name


def test_directives_stand_before_blocks():
    """A directive that no block follows would be lost without a word."""
    for name, page in PAGES.items():
        written = len(re.findall(r"^<!-- (?:run|file):", page.source, re.MULTILINE))
        assert written == sum(block.directive is not None for block in page.blocks), name
