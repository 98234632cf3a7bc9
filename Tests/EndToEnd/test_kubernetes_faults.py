"""What goes wrong with the API server while `martlet epp` serves: no request fails, and the truth is found again."""

import itertools
import random
import signal
import threading

import pytest
from configurations import scheduling_config
from extproc_client import Stream, ask, open_channel, respond
from harness import accepts, eventually
from kubernetes_api import INFERENCE, LLMD, inference_pool, objective, pod
from test_extproc_health import SERVING
from test_kubernetes_pool import APP, healthy, serve

BODY = {"model": "m", "prompt": "x"}
NUMBERS = itertools.count()
# Any endpoint may be picked, whatever is known of it.
CONFIG = scheduling_config(["random-picker"], ["random-picker"])


class Client:
    """Asks a picker one request after the other from a thread, and keeps every failure."""

    def __init__(self, picker):
        self.address = picker.address
        self.answered, self.failures = 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name="client", daemon=True)
        self.thread.start()

    def run(self):
        with open_channel(self.address) as channel:
            # The pace leaves the machine to the program.
            while not self.stopping.wait(0.005):
                try:
                    stream = Stream(channel)
                    assert ask(stream, BODY, path="/v1/completions").endpoint
                    respond(stream, b"{}")
                    stream.close()
                except Exception as error:  # whatever it is, the test tells it
                    self.failures.append(repr(error))
                self.answered += 1

    def await_answers(self, count=10):
        """Waits for so many more answers; all so far must be picks."""
        target = self.answered + count
        eventually(lambda: self.answered >= target, f"{count} more answers", 20)
        assert not self.failures, f"{len(self.failures)} of {self.answered} requests failed: {self.failures[0]}"

    def stop(self):
        self.stopping.set()
        self.thread.join(timeout=30)
        assert not self.thread.is_alive(), "the last request never ended"


class Cluster:
    """A cluster, a picker of its pool, and a client that keeps asking. With a file the picker shows its token."""

    def __init__(self, services, token_file=None):
        self.api = services.kubernetes_api()
        self.api.define()
        if token_file is not None:
            self.api.allow(token_file.read_text(), "picker")
        self.port = serve(services, self.api, ["127.3.9.1"])[1]
        self.api.put(inference_pool("pool", APP, [self.port]), objective("fast", 0, group=LLMD))
        self.picker = services.cluster_picker(self.api, config=CONFIG, token_file=token_file)
        self.client = Client(self.picker)
        self.await_truth()

    def change(self):
        """Writes something of each type: a pod that comes, another that goes, and a priority."""
        number = next(NUMBERS)
        self.api.put(
            pod(f"spare-{number}", f"127.3.8.{number % 250 + 1}", labels=APP), objective("fast", number, group=LLMD)
        )
        old = [item["metadata"]["name"] for item in self.api.objects("pods")]
        self.api.remove("pods", *(name for name in old if name.startswith("spare-") and name != f"spare-{number}"))

    def await_truth(self, within=20):
        """Waits until the picker knows what the server has, of each type."""
        (pool,) = self.api.objects("inferencepools", INFERENCE)
        (port,) = pool["spec"]["targetPorts"]
        addresses = sorted(f"{item['status']['podIP']}:{port['number']}" for item in self.api.objects("pods"))
        (priority,) = [item["spec"]["priority"] for item in self.api.objects("inferenceobjectives", LLMD)]

        def is_known():
            (told,) = self.picker.state()["pools"]
            known = sorted(endpoint["address"] for endpoint in told["endpoints"])
            return (known, [entry["priority"] for entry in told["objectives"]]) == (addresses, [priority])

        eventually(is_known, f"the endpoints {addresses} and the priority {priority}", within)
        self.client.await_answers()

    def stop(self):
        """Ends the client; nothing of what it asked failed or stays."""
        self.client.stop()
        assert not self.client.failures, self.client.failures[0]
        eventually(lambda: self.picker.leases() == 0, "no request in flight")

    def asked(self, after, **wanted):
        """How many requests there were since a number."""
        return len(self.api.requests(after, **wanted))

    def requests(self):
        return self.api.state()["requestCount"]

    def await_asked(self, after, **wanted):
        eventually(lambda: self.asked(after, **wanted), f"a request {wanted}", 20)


@pytest.fixture
def cluster(services):
    """Each test has its own: a picker that met many failures in a row waits longer for its next try."""
    cluster = Cluster(services)
    for resource in "pods", "inferencepools", "inferenceobjectives":
        cluster.api.await_watches(resource)
    yield cluster
    cluster.stop()


@pytest.fixture
def api(cluster):
    return cluster.api


# Watches


@pytest.mark.parametrize(
    "disturbance",
    [
        {"action": "reset"}, {"action": "end"}, {"action": "duplicate"}, {"action": "cutNextEvent", "afterBytes": 30},
        {"action": "cutNextEvent", "afterBytes": 0}, {"action": "line", "text": '{"type":"ADDED","object":{'},
        {"action": "line", "text": "no JSON"}, {"action": "event", "type": "SURPRISE", "object": {"kind": "Pod"}},
        {"action": "event", "type": "ADDED", "object": {"kind": "Pod"}}, {"action": "bookmark", "version": 1},
        {"action": "error", "code": 410}, {"action": "error", "code": 500}, {"action": "slow", "bytesPerSecond": 4000},
    ],
    ids=lambda disturbance: "-".join(str(value) for value in disturbance.values())[:40],
)
def test_a_watch_is_disturbed(cluster, api, disturbance):
    cluster.change()
    assert api.disturb(**disturbance) >= 3
    cluster.change()
    cluster.await_truth()


@pytest.mark.parametrize("setting", ["status", "event"])
def test_a_version_that_is_too_old(cluster, api, setting):
    """The history is gone when the watch is taken up: everything is listed anew."""
    api.settings(tooOldWatch=setting)
    before = cluster.requests()
    api.fault("status", code=503, verb="watch", resource="pods", times=None)
    api.disturb("reset", "pods")
    cluster.await_asked(before, verb="watch", resource="pods", status=503)
    cluster.change()
    api.compact()
    api.clear_faults()
    cluster.await_truth()
    assert cluster.asked(before, verb="list", resource="pods")


def test_a_bookmark_of_the_past(cluster, api):
    """The watch that follows begins where the history does not reach."""
    api.compact()
    api.disturb("bookmark", version=1)
    api.disturb("reset")
    cluster.change()
    cluster.await_truth()


# Answers


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ("status", {"code": 429, "retryAfter": 1}), ("status", {"code": 500}), ("status", {"code": 503}),
        ("status", {"code": 401}), ("status", {"code": 403}), ("status", {"code": 404}), ("reset", {}),
        ("delay", {"seconds": 0.5}), ("replaceBody", {"text": "no JSON"}), ("cutBody", {"afterBytes": 20}),
        ("slowBody", {"bytesPerSecond": 4000}),
    ],
    ids=["429", "500", "503", "401", "403", "404", "reset", "late", "no JSON", "cut", "slow"],
)
def test_an_answer_is_wrong(cluster, api, action, what):
    """That to the watch which follows a broken one, and that to the list of a version that is too old."""
    before = cluster.requests()
    api.fault(action, verb="watch", resource="pods", **what)
    api.fault(action, verb="list", resource="inferenceobjectives", **what)
    api.disturb("reset", "pods")
    api.disturb("error", "inferenceobjectives", code=410)
    cluster.await_asked(before, verb="watch", resource="pods")
    cluster.await_asked(before, verb="list", resource="inferenceobjectives")
    cluster.change()
    cluster.client.await_answers()
    cluster.await_truth()


def test_a_read_of_the_past(cluster, api):
    """What a server has cached may be old: lists ask for the present."""
    cluster.change()
    api.fault("staleRead", versionsBehind=3, resource="pods", times=None)
    api.disturb("error", code=410)
    cluster.change()
    cluster.await_truth()


# The server


@pytest.mark.parametrize("options", [{}, {"losing_history": True}], ids=["keeping its history", "losing its history"])
def test_the_server_is_started_anew(cluster, api, options):
    cluster.change()
    api.restart(**options)
    cluster.await_truth()


def test_the_server_is_restored_from_an_earlier_state(cluster, api):
    """A watch from a version that is to come again is accepted, and silent: the first bookmark tells the truth."""
    api.settings(bookmarkSeconds=0.3)
    api.snapshot()
    for _ in range(5):
        cluster.change()
    cluster.await_truth()
    api.restart(restoring="snapshot")
    cluster.await_truth()


def test_the_server_is_away(cluster, api):
    """The last known state is served from, and the picker stays ready."""
    restart = threading.Thread(target=lambda: api.restart(down_seconds=3))
    restart.start()
    eventually(lambda: not accepts(api.port), "the end of the server")
    cluster.client.await_answers(20)
    assert healthy(cluster.picker) == SERVING and cluster.picker.is_ready()
    assert not accepts(api.port), "it is still away"
    restart.join(timeout=30)
    cluster.change()
    cluster.await_truth()


def test_the_server_hangs(cluster, api):
    """Connections stay and nothing comes: nobody waits for it."""
    api.process.send_signal(signal.SIGSTOP)
    try:
        cluster.client.await_answers(20)
        assert healthy(cluster.picker) == SERVING and cluster.picker.is_ready()
    finally:
        api.process.send_signal(signal.SIGCONT)
    cluster.change()
    cluster.await_truth()


def test_the_clock_of_the_server_is_wrong(cluster, api):
    for seconds in -86_400, 86_400, 0:
        api.settings(clockSkewSeconds=seconds)
        api.disturb("error", code=410)
        cluster.change()
        cluster.await_truth()


def test_many_things_at_once(cluster, api):
    chance = random.Random(11)
    for _ in range(12):
        for _ in range(chance.randrange(1, 4)):
            cluster.change()
        match chance.randrange(6):
            case 0: api.disturb("reset")
            case 1: api.disturb("cutNextEvent", afterBytes=chance.randrange(60))
            case 2: api.fault("status", code=chance.choice([429, 500, 503]), times=2)
            case 3: api.compact()
            case 4: api.disturb("line", text="{")
            case 5: api.fault("reset", times=2)
        api.disturb(chance.choice(["reset", "duplicate", "end"]))
    cluster.await_truth()


# Who asks


@pytest.fixture
def token_file(services):
    file = services.folder / "token"
    file.write_text("first-token")
    return file


@pytest.fixture
def token_cluster(services, token_file):
    """A cluster whose picker reads its token from a file."""
    cluster = Cluster(services, token_file=token_file)
    yield cluster
    cluster.stop()
    assert "first-token" not in cluster.picker.log() and "second-token" not in cluster.picker.log()


def test_a_token_is_replaced(token_cluster, token_file):
    """The old token is refused at once; the file has the new one."""
    api, before = token_cluster.api, token_cluster.requests()
    token_file.write_text("second-token")
    api.allow("second-token", "picker")
    api.expire("first-token")
    api.disturb("reset")
    token_cluster.change()
    token_cluster.await_truth()
    assert token_cluster.asked(before, verb="watch", resource="pods", status=200)


def test_a_token_expires_before_the_next_one_is_there(token_cluster, token_file):
    api, before = token_cluster.api, token_cluster.requests()
    api.allow("second-token", "picker")
    api.expire("first-token")
    api.disturb("reset")
    token_cluster.await_asked(before, status=401)
    token_cluster.change()
    token_cluster.client.await_answers()
    token_file.write_text("second-token")
    token_cluster.await_truth()
