"""Pods that come, go and change while requests run: no request goes to one that is gone, and none is lost."""

import random
import threading
import time

import pytest
from envoy_process import Bootstrap
from harness import chat, eventually, free_port
from kubernetes_api import inference_pool, pod
from load import ClosedLoop

APP = {"app": "m"}
# What the picker may take to hear of a pod, and of a request that was on its way meanwhile.
GRACE_SECONDS = 0.1


class Pods:
    """Pods of simulators, and when which address was to get no requests."""

    def __init__(self, services, api, hosts, ports):
        self.api, self.ports = api, ports
        self.ips = [f"127.2.7.{number + 1}" for number in range(hosts)]
        self.simulators = {
            f"{ip}:{port}": services.simulator(host=ip, port=port)
            for ip in self.ips for port in ports
        }
        self.names = {ip: f"m-{number}" for number, ip in enumerate(self.ips)}
        self.generation = 0
        self.active_ports = ports[:1]
        self.up = set()
        # By address: [from, to] in which it is no endpoint.
        self.absences = {address: [[0.0, None]] for address in self.simulators}
        self.lock = threading.Lock()

    def note(self):
        """Remembers which addresses are endpoints from here on."""
        now = time.monotonic()
        present = {f"{ip}:{port}" for ip in self.up for port in self.active_ports}
        for address, absences in self.absences.items():
            is_absent = absences[-1][1] is None
            if address in present and is_absent:
                absences[-1][1] = now
            elif address not in present and not is_absent:
                absences.append([now, None])

    def change(self, write, up=None, down=None, ports=None):
        """What comes is expected from before the write on, what goes from after it on."""
        if up:
            self.up.add(up)
        if ports:
            self.active_ports, ports = [*self.active_ports, *ports], ports
        self.note()
        write()
        if down:
            self.up.discard(down)
        if ports:
            self.active_ports = ports
        self.note()

    def object(self, ip, ready=True, labels=APP):
        return pod(self.names[ip], ip, ready=ready, labels=labels)

    def come(self, ip):
        self.change(lambda: self.api.put(self.object(ip)), up=ip)

    def become_unready(self, ip):
        self.change(lambda: self.api.put(self.object(ip, ready=False)), down=ip)

    def lose_label(self, ip):
        self.change(lambda: self.api.put(self.object(ip, labels={"app": "other"})), down=ip)

    def vanish(self, ip):
        self.change(lambda: self.api.remove("pods", self.names[ip]), down=ip)
        # Whoever comes with this address next is another pod.
        self.generation += 1
        self.names[ip] = f"m-{self.generation}-{ip.rpartition('.')[2]}"

    def terminate(self, ip):
        self.change(lambda: self.api.delete("pods", self.names[ip]), down=ip)
        self.api.finish(self.names[ip])

    def switch_ports(self, ports):
        self.change(lambda: self.api.put(inference_pool("pool", APP, ports)), ports=ports)

    def was_absent(self, outcome):
        """Whether the pod of a request had been gone for the grace time before it, and did not come back meanwhile."""
        return any(
            start + GRACE_SECONDS < outcome.started and (end is None or outcome.first_byte < end)
            for start, end in self.absences[outcome.served_by]
        )


@pytest.fixture
def api(services):
    api = services.kubernetes_api()
    api.define()
    return api


def envoy_before(services, picker):
    """Envoy as it stands beside a picker in a cluster: it connects to the address that the picker names."""
    bootstrap = Bootstrap("../kustomize/overlays/standalone/envoy.yaml")
    listeners = bootstrap.document["static_resources"]["listeners"]
    listeners[:] = [listener for listener in listeners if listener["name"] == "http"]
    bootstrap.set_server("epp", picker)
    # Which pod served, for the test.
    bootstrap.routes[0]["response_headers_to_add"] = [
        {"header": {"key": "x-gateway-destination-endpoint-served", "value": "%UPSTREAM_REMOTE_ADDRESS%"}}
    ]
    return services.envoy(bootstrap)


def test_no_request_goes_to_a_pod_that_is_gone(services, api):
    ports = [free_port(), free_port()]
    pods = Pods(services, api, hosts=4, ports=ports)
    api.put(inference_pool("pool", APP, ports[:1]))
    for ip in pods.ips:
        pods.come(ip)
    picker = services.cluster_picker(api)
    envoy = envoy_before(services, picker)
    eventually(lambda: len(picker.endpoints()) == 4, "all pods")
    chance = random.Random(7)

    def body(number):
        return chat(text=f"Hello {number}", max_tokens=4, stream=number % 2 == 0)

    with ClosedLoop(envoy.port, 6, body) as load:
        load.await_outcomes(20)
        for step in range(150):
            down = [ip for ip in pods.ips if ip not in pods.up]
            if step % 25 == 24:
                pods.switch_ports([ports[step // 25 % 2 ^ 1]])
            elif down and (len(pods.up) == 1 or chance.random() < 0.5):
                pods.come(chance.choice(down))
            else:
                leave = chance.choice([pods.become_unready, pods.lose_label, pods.vanish, pods.terminate])
                leave(chance.choice(sorted(pods.up)))
            load.await_outcomes(chance.randrange(1, 12))
    load.assert_no_failures()
    late = [outcome for outcome in load.outcomes if pods.was_absent(outcome)]
    assert not late, f"{len(late)} of {len(load.outcomes)} requests, the first by {late[0].served_by}"
    assert len({outcome.served_by for outcome in load.outcomes}) == 8, "every pod on both ports"
    assert picker.leases() == 0


def test_only_requests_of_a_pod_that_dies_fail(services, api):
    """The process of a pod is killed, and its object says so a while later, as kubelets do."""
    (port,) = ports = [free_port()]
    pods = Pods(services, api, hosts=3, ports=ports)
    api.put(inference_pool("pool", APP, ports))
    for ip in pods.ips:
        pods.come(ip)
    picker = services.cluster_picker(api)
    envoy = envoy_before(services, picker)
    eventually(lambda: len(picker.endpoints()) == 3, "all pods")
    victim = pods.ips[0]
    with ClosedLoop(envoy.port, 6, lambda number: chat(text=f"Hello {number}", max_tokens=30, stream=True)) as load:
        load.await_outcomes(30)
        died = time.monotonic()
        pods.simulators[f"{victim}:{port}"].kill()
        load.await_outcomes(10)
        pods.become_unready(victim)
        gone = time.monotonic()
        load.await_outcomes(100)
    for failure in load.failures():
        assert failure.started < gone + GRACE_SECONDS and (failure.ended is None or failure.ended > died), str(failure)
        assert failure.served_by in (None, f"{victim}:{port}"), str(failure)
    after = [outcome for outcome in load.outcomes if outcome.started > gone + GRACE_SECONDS]
    assert len(after) > 50 and all(outcome.succeeded for outcome in after)


def test_memory_stays_flat_over_ten_thousand_pod_events(services, api):
    api.put(inference_pool("pool", APP, [free_port()]))
    picker = services.cluster_picker(api, ready=False)
    names = [f"pod-{number}" for number in range(50)]

    def events(count, start):
        """Batches in which pods come, become unready, and go."""
        for number in range(start, start + count, 50):
            ips = [f"127.2.{8 + number % 7}.{host + 1}" for host in range(50)]
            kind = number // 50 % 3
            if kind == 2:
                api.remove("pods", *names)
            else:
                api.put(*(pod(name, ip, ready=kind == 0, labels=APP) for name, ip in zip(names, ips)))
        api.put(pod("last", "127.2.6.250", labels=APP))
        eventually(lambda: any("127.2.6.250" in address for address in picker.endpoints()), "the last pod", within=60)
        api.remove("pods", "last")
        eventually(lambda: not any("127.2.6.250" in address for address in picker.endpoints()), "its end", within=60)

    events(3_000, 0)
    before = picker.resident_bytes()
    seen = picker.metric("martlet_kubernetes_watch_events_total", resource="pods")
    events(10_050, 3_000)
    grown = picker.resident_bytes() - before
    assert picker.metric("martlet_kubernetes_watch_events_total", resource="pods") - seen > 10_000
    assert grown < 8 << 20, f"{grown / 2**20:.1f} MiB more"
