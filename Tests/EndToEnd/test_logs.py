"""What is logged: lines that machines can read, reasons, levels that change, and nobody who waits for it."""

import itertools
import json
import os
import re
import signal
import threading

import pytest
from configurations import endpoint_list, picker_config, write
from extproc_client import Stream, ask, open_channel, respond
from harness import BodyBasedRouter, EndpointPicker, Gateway, chat, eventually, fetch
from raw_http import RawConnection, request_bytes
from raw_http import ask as ask_gateway

TOKEN = "correct-horse-battery"
PATH = "/v1/chat/completions"
SECRETS = ["sk-secret", "my-prompt", "query-key"]


class Logged:
    """A process whose standard error goes to a file of its own; the banner stays on standard output."""

    def __init__(self, service, folder):
        self.service, self.path = service, folder / f"stderr-{service.name}"

    def start(self, services, **options):
        with open(self.path, "wb") as errors:
            self.service.errors = errors
            services.started.append(self.service)
            self.service.environment["MARTLET_ADMIN_TOKEN"] = TOKEN
            self.service.start(**options)
        return self

    def text(self):
        return self.path.read_text()

    def lines(self, logger=None, **fields):
        """All whole lines, each of which must be an object, or those of one logger with some fields."""
        whole = self.path.read_bytes().rpartition(b"\n")[0]
        objects = [json.loads(line) for line in whole.splitlines()]
        assert all(isinstance(line, dict) for line in objects)
        return [
            line for line in objects
            if logger in (None, line["logger"]) and all(line.get(key) == value for key, value in fields.items())
        ]

    def await_line(self, logger, **fields):
        return eventually(lambda: self.lines(logger, **fields), f"a line of {logger} with {fields}")[0]

    def set_level(self, level, label=None, token=TOKEN):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        url = self.service.admin + "/api/log-level"
        return fetch(url, {"level": level, "label": label}, method="PUT", headers=headers)


@pytest.fixture
def gateway(services, martlet, tmp_path):
    """Makes a gateway over some simulators that logs in JSON."""

    def make(simulators, *arguments, **options):
        endpoints = [part for simulator in simulators for part in ("--endpoint", simulator.url)]
        service = Gateway(martlet, tmp_path, *endpoints, "--log-format", "json", *arguments)
        return Logged(service, tmp_path).start(services, **options)

    return make


def post(port, body, request_id, path=PATH, headers=()):
    return ask_gateway(port, body, path=path, headers=[("x-request-id", request_id), *headers])


@pytest.mark.parametrize("level", ["info", "debug"])
def test_every_line_of_a_busy_run_is_an_object(services, gateway, level):
    logged = gateway(services.simulators(2), "--access-log", "json", "--max-body-bytes", "20000", "--log-level", level)
    service = logged.service.await_models()
    port = service.port
    hostile = "\u202e\u009b2J\"\\{}=\U0001f9a2"

    def client(number):
        for turn in range(12):
            name = f"{number}-{turn}"
            post(port, chat(), f"served-{name}")
            post(port, chat(model="no-such-model"), f"unknown-{name}")
            post(port, chat(model=hostile), f"hostile-{name}")
            post(port, b"no JSON \xff\xfe\x00", f"malformed-{name}")
            post(port, b"x" * 30_000, f"long-{name}")
            post(port, chat(), f"lost-{name}", path="/nowhere\x7f\xc3\xa9?key=query-key")

    clients = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    with RawConnection(port) as connection:
        assert connection.exchange(b"GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n").status == 400
    served = [f"served-{number}-{turn}" for number in range(6) for turn in range(12)]
    eventually(lambda: {line.get("x-request-id") for line in logged.lines("martlet.access")} >= set(served), "all ids")
    assert service.terminate() == 0
    lines = logged.lines()
    assert all(isinstance(line["ts"], float) and line["msg"] and line["level"] for line in lines)
    for line in logged.lines("martlet.access", incomingModelName="sim-model"):
        assert line["status"] == 200 and line["outcome"] == "completed" and line["endpointAddress"], line
        assert line["outputTokens"] == 8 and 0 < line["ttftMs"] <= line["durationMs"] and line["decisionMs"] >= 0
    refused = logged.lines("martlet.requests", msg="request refused")
    reasons = {line["reason"] for line in refused}
    assert {"modelNotFound", "invalidRequest", "bodyTooLarge"} <= reasons
    assert all(line["level"] == "info" and line["error"] for line in refused)
    # Every refusal is told: by a line of its own, or in a count, which only the level debug does without.
    told = {}
    for line in logged.lines("martlet.requests"):
        if line["msg"] != "Request handled":
            told[line["reason"]] = told.get(line["reason"], 0) + line.get("count", 1)
    accesses = {}
    for line in logged.lines("martlet.access"):
        if "reason" in line:
            accesses[line["reason"]] = accesses.get(line["reason"], 0) + 1
    assert told == accesses and told["bodyTooLarge"] == 72
    assert len(refused) == sum(told.values()) if level == "debug" else len(refused) < sum(told.values()) / 4


def test_no_secret_is_logged(services, gateway):
    logged = gateway(services.simulators(1), "--access-log", "json", "--log-level", "trace")
    port = logged.service.await_models().port
    authorization = [("authorization", "Bearer sk-secret"), ("x-api-key", "sk-secret")]
    bodies = [
        chat(text="my-prompt"), b'{"model": "my-prompt', {"messages": "my-prompt"},
        {"model": "sim-model", "messages": "my-prompt"},
    ]
    for body in bodies:
        for path in (PATH, "/v1/completions", "/nowhere"):
            post(port, body, "one", path=f"{path}?key=query-key", headers=authorization)
    eventually(lambda: len(logged.lines("martlet.access")) == len(bodies) * 3, "a line for each request")
    assert logged.service.terminate() == 0
    for secret in SECRETS:
        assert secret not in logged.text(), secret


def test_the_level_follows_the_admin_address_and_signals(services, gateway):
    logged = gateway(services.simulators(1))
    port, pid = logged.service.await_models().port, logged.service.pid

    def handled(request_id):
        assert post(port, chat(), request_id).status == 200
        return logged.lines("martlet.requests", **{"x-request-id": request_id})

    assert logged.set_level("debug", token=None)[0] == 401
    assert logged.set_level("debug", token="another-long-token")[0] == 401
    assert handled("before") == []
    status, _, body = logged.set_level("debug", "martlet.requests")
    assert status == 200 and json.loads(body)["labels"] == {"martlet.requests": "debug"}
    act = {"msg": "a log level was changed at the admin address", "level": "notice"}
    logged.await_line("martlet", **act, to="debug", label="martlet.requests")
    eventually(lambda: handled("by-label"), "a line at the level debug")
    assert logged.set_level(None, "martlet.requests")[0] == 200
    assert handled("between") == []
    os.kill(pid, signal.SIGUSR1)
    logged.await_line("martlet", msg="log level changed", to="debug")
    eventually(lambda: handled("by-signal"), "a line at the level debug")
    os.kill(pid, signal.SIGUSR2)
    logged.await_line("martlet", msg="log level changed", to="info")
    assert handled("after") == []
    assert json.loads(fetch(logged.service.admin + "/api/log-level")[2])["level"] == "info"
    assert logged.set_level("debug")[0] == 200
    eventually(lambda: handled("by-process"), "a line at the level debug")
    assert logged.lines("martlet.requests", **{"x-request-id": "between"}) == []


def test_a_rotated_access_log_goes_on_in_a_new_file(services, gateway, tmp_path):
    file = tmp_path / "access.log"
    logged = gateway(services.simulators(1), "--access-log", file)
    service = logged.service.await_models()

    def ids(path):
        return [json.loads(line)["x-request-id"] for line in path.read_text().splitlines()] if path.exists() else []

    post(service.port, chat(), "first")
    eventually(lambda: ids(file) == ["first"], "the first line")
    moved = file.rename(tmp_path / "access.log.1")
    post(service.port, chat(), "second")
    eventually(lambda: ids(moved) == ["first", "second"], "a line in the moved file")
    os.kill(service.pid, signal.SIGHUP)
    logged.await_line("martlet", msg="the file of the access log is opened anew")
    post(service.port, chat(), "third")
    eventually(lambda: ids(file) == ["third"], "a line in the new file")
    assert service.terminate() == 0
    assert ids(moved) == ["first", "second"] and ids(file) == ["third"]
    assert file.stat().st_mode & 0o777 & ~0o640 == 0, "only for the owner and the group"
    assert logged.lines("martlet.access") == []


def test_a_file_that_cannot_be_opened_anew_is_told(services, gateway, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    logged = gateway(services.simulators(1), "--access-log", folder / "access.log")
    service = logged.service.await_models()
    moved = folder.rename(tmp_path / "moved")
    os.kill(service.pid, signal.SIGHUP)
    line = logged.await_line("martlet", level="error", error="No such file or directory")
    assert line["msg"] == "the file of the access log cannot be opened anew; the old one stays in use"
    post(service.port, chat(), "still")
    eventually(lambda: "still" in (moved / "access.log").read_text(), "a line in the old file")
    assert logged.lines(msg="the file of the access log is opened anew") == []


def test_a_full_disk_is_told_once_it_takes_lines_again(services, gateway, tmp_path):
    file = tmp_path / "access.log"
    file.symlink_to("/dev/full")
    logged = gateway(services.simulators(1), "--access-log", file)
    service = logged.service.await_models()
    lost = lambda: service.metric("martlet_log_lines_dropped_total", log="access")
    for number in range(5):
        post(service.port, chat(), f"lost-{number}")
        eventually(lambda: lost() == number + 1, "the lost line")
    assert "were lost" not in logged.text()
    file.unlink()
    os.kill(service.pid, signal.SIGHUP)
    logged.await_line("martlet", msg="the file of the access log is opened anew")
    post(service.port, chat(), "kept")
    logged.await_line("martlet", level="warn", lines=5)
    assert [json.loads(line)["x-request-id"] for line in file.read_text().splitlines()] == ["kept"]


def test_a_stalled_reader_makes_nobody_wait(services, martlet, tmp_path):
    simulator = services.simulator()
    reader, writer = os.pipe()
    service = Gateway(
        martlet, tmp_path, "--endpoint", simulator.url, "--log-format", "json", "--access-log", "json", "--log-level",
        "debug",
    )
    service.errors = writer
    services.started.append(service)
    service.start()
    os.close(writer)
    path = "/v1/nowhere/" + "x" * 2000

    def lost():
        return service.metric("martlet_log_lines_dropped_total", log="process")

    def send():
        with RawConnection(service.port) as connection:
            request = request_bytes(b"{}", path=path)
            for _ in range(100):
                connection.send(request)
                assert connection.read_reply().status == 404
        return lost()

    try:
        assert lost() == 0
        eventually(send, "lost lines", within=60, every=0)
        # Nobody has read a byte so far, and requests are answered.
        assert ask_gateway(service.port, chat()).status == 200
        before = lost()
        text = bytearray()
        while b"were lost" not in text:
            text += os.read(reader, 1 << 20)
        lines = [json.loads(line) for line in text[: text.rindex(b"\n")].splitlines()]
        notice = [line for line in lines if "were lost" in line["msg"]]
        assert notice[0]["lines"] >= before and notice[0]["level"] == "warn"
        # Stalled again, to its end: which comes all the same.
        eventually(lambda: send() > before, "lost lines again", within=60, every=0)
        assert service.terminate(within=20) == 0
    finally:
        os.close(reader)


def test_a_reader_that_goes_away_costs_lines_only(services, martlet, tmp_path):
    reader, writer = os.pipe()
    service = Gateway(martlet, tmp_path, "--simulate", "1", "--access-log", "text")
    service.errors = writer
    services.started.append(service)
    service.start()
    os.close(writer)
    os.close(reader)
    assert ask_gateway(service.port, chat(model="martlet-sim")).status == 200
    eventually(lambda: service.metric("martlet_log_lines_dropped_total", log="process") > 0, "a lost line")
    assert ask_gateway(service.port, chat(model="martlet-sim")).status == 200
    assert service.terminate() == 0


def test_an_endpoint_that_goes_and_comes_back_is_told(services, gateway):
    simulators = services.simulators(2)
    logged = gateway(simulators)
    service = logged.service.await_models()
    simulators[0].kill()
    line = logged.await_line("martlet.endpoints", msg="endpoint ejected")
    assert line["level"] == "warn" and line["reason"] in ("unreachable", "connect", "reset") and line["error"]
    assert line["pool"] and line["endpoint"]
    services.simulator(port=simulators[0].port)

    logged.await_line("martlet.endpoints", msg="endpoint is tried again", endpoint=line["endpoint"])
    prompts = itertools.count()

    def is_back():
        # Each with a prompt of its own, which no cache draws to the other endpoint.
        post(service.port, chat(text=f"{next(prompts)} " * 20), "again")
        return logged.lines("martlet.endpoints", msg="endpoint is back", endpoint=line["endpoint"])

    eventually(is_back, "the endpoint's return")
    told = [line["msg"] for line in logged.lines("martlet.endpoints", endpoint=line["endpoint"])]
    assert told == ["endpoint ejected", "endpoint is tried again", "endpoint is back"]


def test_text_is_for_people(services, martlet, tmp_path):
    service = Gateway(martlet, tmp_path, "--simulate", "1", "--access-log", "text")
    logged = Logged(service, tmp_path).start(services)
    post(service.port, chat(model="martlet-sim"), "a b")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    eventually(lambda: "martlet.access" in logged.text(), "the line")
    line = logged.text().splitlines()[-1]
    start = rf'{time} info martlet\.access: request x-request-id="a b" method=POST path={PATH} status=200 '
    assert re.match(start, line)
    assert "\x1b" not in line


@pytest.mark.parametrize(("arguments", "is_json"), [([], True), (["--log-format", "text"], False)])
def test_the_picker_writes_json_unless_a_person_looks(services, martlet, tmp_path, arguments, is_json):
    server = services.model_server()
    endpoints = write(tmp_path / "endpoints.yaml", endpoint_list([server.address]))
    config = write(tmp_path / "picker.yaml", picker_config(endpoints))
    service = EndpointPicker(
        martlet, tmp_path, "--pool-name", "pool", "--config-file", config, "--access-log", "json", "-v", "4", *arguments
    )
    logged = Logged(service, tmp_path).start(services)
    with open_channel(service.address) as channel:
        stream = Stream(channel)
        body, fields = chat(model="sim-model", text="my-prompt"), [("x-request-id", "id-1")]
        ask(stream, body, fields=fields, path=f"{PATH}?key=query-key")
        respond(stream, json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode())
        stream.close()
        refused = Stream(channel)
        ask(refused, b"no JSON", fields=[("x-request-id", "id-2")])
    eventually(lambda: logged.text().count("martlet.access") == 2, "both requests")
    for secret in SECRETS:
        assert secret not in logged.text()
    if not is_json:
        assert " debug martlet.requests: Request handled " in logged.text()
        return
    handled = logged.await_line("martlet.requests", msg="Request handled", **{"x-request-id": "id-1"})
    assert handled["incomingModelName"] == "sim-model" and handled["endpointAddress"] == server.address
    assert handled["level"] == "debug" and "caller" in handled
    served = logged.await_line("martlet.access", **{"x-request-id": "id-1"})
    assert (served["promptTokens"], served["outputTokens"], served["status"]) == (3, 4, 200)
    line = logged.await_line("martlet.requests", msg="request refused", **{"x-request-id": "id-2"})
    assert line["reason"] == "invalidRequest" and line["level"] == "info"


def test_the_body_based_router_has_levels_too(services, martlet, tmp_path):
    logged = Logged(BodyBasedRouter(martlet, tmp_path), tmp_path).start(services)
    assert logged.set_level("debug", token=None)[0] == 401
    assert logged.set_level("debug", "martlet.services")[0] == 200
    assert logged.service.terminate() == 0
    assert logged.lines("martlet.services", level="debug")
    assert logged.lines(msg="a log level was changed at the admin address", label="martlet.services")
