"""The two ways to an engine: `martlet serve`, and Envoy with `martlet epp`. The same tests go through both."""

import time

from configurations import endpoint_list, picker_config, pool, write
from engines import eventually
from envoy_process import Bootstrap, Envoy
from harness import EndpointPicker, Gateway, fetch

PLUGINS = ("queue-scorer", "kv-cache-utilization-scorer", "prefix-cache-scorer", "lora-affinity-scorer")
# Where an adapter is counts more than all the rest together.
PROFILE = (
    ("queue-scorer", 2), ("kv-cache-utilization-scorer", 2), ("prefix-cache-scorer", 3), ("lora-affinity-scorer", 40),
)


class Door:
    """Something that takes requests at `port`, and the process with the admin address that chooses the engine.

    It looks at the engines less often than by default, as their pages cost them more than their answers.
    """

    def __init__(self, name, martlet, folder, engines, labels):
        self.name, self.engines, self.services = name, engines, []
        addresses = [engine.address for engine in engines]
        listed = endpoint_list(addresses, labels, app="engines")
        endpoint_file = write(folder / "endpoints.yaml", listed)
        config = picker_config(endpoint_file, PLUGINS, PROFILE)
        if name == "serve":
            # Here the endpoints stand beside the pool.
            config = {key: config[key] for key in ("apiVersion", "kind", "schedulingProfiles")}
            config["plugins"] = [{"type": plugin} for plugin in PLUGINS]
            resources = write(folder / "serve.yaml", pool("pool", "engines"), {"kind": "Endpoints"} | listed, config)
            interval = ("--refresh-metrics-interval-milliseconds", "200")
            self.chooser = self.started(Gateway(martlet, folder, "--config", resources, *interval)).start()
            self.port = self.chooser.port
        else:
            file = write(folder / "picker.yaml", config)
            interval = ("--refresh-metrics-interval", "200ms")
            picker = EndpointPicker(martlet, folder, "--pool-name", "pool", "--config-file", file, *interval)
            self.chooser = self.started(picker).start()
            bootstrap = Bootstrap("one-pool.yaml")
            bootstrap.set_server("epp", self.chooser)
            bootstrap.set_endpoints("pool", addresses)
            self.port = self.started(Envoy(folder, bootstrap)).start().port
        self.url = f"http://127.0.0.1:{self.port}"
        self.chooser.await_models()

    def started(self, service):
        self.services.append(service)
        return service

    def stop(self):
        for service in reversed(self.services):
            service.stop()

    def ask(self, body, path="/v1/completions", status=200):
        """The answer to a request, as JSON text."""
        got, _, content = fetch(self.url + path, body, timeout=60)
        assert got == status, f"{got}: {content[:500]!r}"
        return content

    def told(self, engine):
        """What the chooser knows of an engine, from a scrape that began after this call."""
        called = time.monotonic()

        def scraped():
            asked = time.monotonic()
            known = self.chooser.endpoints()[engine.address]
            # A scrape lasts a while; the age counts from its end.
            age = known["metrics_age_seconds"]
            return age is not None and age < asked - called - 0.25 and known

        return eventually(scraped, "a scrape")

    def in_flight(self):
        return sum(endpoint["in_flight"] for endpoint in self.chooser.endpoints().values())

    def await_rest(self):
        """Waits until the engines are idle and the chooser knows it, so that tests do not meet."""
        eventually(lambda: all(engine.requests() == 0 for engine in self.engines), "idle engines")
        for engine in self.engines:
            metrics = self.told(engine)["metrics"]
            assert metrics["running"] == metrics["waiting"] == 0, metrics
        assert self.in_flight() == 0


def assert_read_right(door, engine):
    """What a door tells of an engine lies between what the engine's page said before and says after.

    For engines on which requests run and none comes or goes: there the cache only fills.
    """
    before = engine.figures()
    known = door.told(engine)
    after = engine.figures()
    assert known["scrape_faults"] == [], known
    told = known["metrics"]
    between = before.pop("kv_cache_usage"), told["kv_cache_usage"], after.pop("kv_cache_usage")
    assert between[0] <= between[1] <= between[2], between
    assert before == after, "the engine did not hold still"
    assert {name: told[name] for name in before} == before
    return told
