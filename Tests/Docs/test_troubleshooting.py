"""The page about troubleshooting has every reason, code and warning that the program has, and none that it has not."""

import re

import pytest
from markdown_page import ROOT, pages

PAGE = pages()["docs/troubleshooting.md"].source
OPERATIONS = pages()["docs/operations.md"].source
MAPPING = (ROOT / "Sources/RequestControl/OutcomeMapping.swift").read_text()
LITERAL = re.compile(r'"((?:[^"\\\n]|\\\((?:[^()\n]|\([^()\n]*\))*\)|\\.)*)"')


def literals(text):
    """Texts of Swift source, with `…` for what is put into them."""
    for match in LITERAL.finditer(text):
        yield re.sub(r"\\\((?:[^()]|\([^()]*\))*\)", "…", match.group(1)).replace("\\n", "\n")


SOURCES = [path.read_text() for path in sorted((ROOT / "Sources").rglob("*.swift"))]
TEXTS = {text for source in SOURCES for text in literals(source)}


def section(title, page=PAGE):
    """The rows of the first table under a heading, each as its cells."""
    text = page[page.index(f"## {title}\n") :]
    table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE).group(1)
    return [re.split(r"\s*\|\s*", line.strip("| ").strip()) for line in table.splitlines()]


def test_every_reason_is_on_the_page():
    rows = section("By the reason header")
    statuses = dict(
        (dropped, status) for status, dropped in re.findall(r'\.init\((\d+),.*?dropped: "([^"]+)"', MAPPING)
    )
    assert {row[0].strip("` |"): row[1] for row in rows} == statuses


def test_every_code_is_on_the_page():
    rows = section("By the error code")
    codes = {code: status for status, code in re.findall(r'\.init\((\d+), code: "([^"]+)"', MAPPING)}
    assert {row[0].strip("` |"): row[1] for row in rows} == codes


def test_every_code_is_in_the_table_of_outcomes():
    rows = section("Outcomes", OPERATIONS)
    shown = {(row[0].strip("| "), row[2].strip("`")) for row in rows}
    codes = set(re.findall(r'\.init\((\d+), code: "([^"]+)"', MAPPING)) | {("400", "null")}
    assert shown == codes


@pytest.mark.parametrize("title", ["Messages of a command that ends", "Log lines"])
def test_messages_are_those_of_the_program(title):
    column = 1 if title == "Log lines" else 0
    for row in section(title):
        message = row[column].strip("`| ")
        # What is put into a text may be anything; a line of the page may be the beginning of a longer text.
        pattern = re.compile(".*".join(re.escape(part) for part in message.split("…")))
        assert any(pattern.match(text) for text in TEXTS), message


def test_every_warning_of_a_process_that_runs_is_on_the_page():
    shown = {row[1].strip("`| ") for row in section("Log lines")}
    logged = set()
    for source in SOURCES:
        for call in re.finditer(r"\blogger\.(?:warning|error)\(\s*(?=\")", source):
            logged.add(next(literals(source[call.end() :])).partition("\n")[0])
    # A warning of a configuration is logged as it is: `\(warning)`.
    logged.discard("…")
    assert {line.rstrip("…: ") for line in logged} <= {line.rstrip("…: ") for line in shown}


def test_error_codes_of_the_metric_are_told():
    """What is no status among the values of `error_code` stands on the page."""
    row = re.search(r"^\| a stream breaks off .*$", PAGE, re.MULTILINE).group()
    codes = re.search(r"\| `error_code` of `request_error_total` \| .*$", OPERATIONS, re.MULTILINE)
    if codes is not None:
        for code in re.findall(r"`(\w+)`", codes.group().rpartition("|")[0].partition("answer;")[2]):
            assert f"`{code}`" in row, code
