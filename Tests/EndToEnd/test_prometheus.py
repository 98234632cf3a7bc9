"""A real Prometheus reads the pages of all three programs, with the alert rules and the queries of the dashboard."""

import json
import pathlib
import subprocess
import time
import urllib.parse

import pytest
import yaml
from extproc_client import Stream, open_channel, respond
from extproc_client import ask as ask_picker
from harness import Service, chat, eventually, fetch
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from raw_http import ask

ROOT = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "deploy/dashboards/martlet.json").read_text())
RULES = ROOT / "deploy/alerts/martlet.rules.yaml"
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
START_SECONDS = 30


class Prometheus(Service):
    """Debian's `prometheus`, which asks every quarter of a second."""

    def __init__(self, program, folder, jobs):
        self.folder = folder
        configuration = {
            "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": [service.admin.removeprefix("http://")]}]}
                for name, service in jobs.items()
            ],
        }
        file = folder / "prometheus.yaml"
        file.write_text(yaml.safe_dump(configuration))
        super().__init__("prometheus", [
            program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
            "--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage", "--log.level=info",
        ], folder)

    def start(self):
        self.launch()
        address = self.await_line(r"Listening on.*address=(127\.0\.0\.1:\d+)", "its address").group(1)
        self.url = f"http://{address}"
        eventually(lambda: fetch(self.url + "/-/ready")[0] == 200, "Prometheus to be ready", START_SECONDS)
        return self

    def ask(self, path, **parameters):
        status, _, body = fetch(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]


@pytest.fixture(scope="module")
def jobs(shared):
    """One of each program, all with some work behind them."""
    simulators = shared.simulators(2)
    gateway = shared.gateway_over(simulators, "--deprecated-metrics").await_models()
    picker = shared.endpoint_picker(simulators, "--enable-grpc-stream-metrics")
    router = shared.body_based_router()
    for number in range(6):
        sampled = [("traceparent", f"00-{TRACE}-b7ad6b716920333{number}-01")]
        usage = {"stream": True, "stream_options": {"include_usage": True}} if number % 2 else {}
        assert ask(gateway.port, chat(**usage), headers=sampled).status == 200
    assert ask(gateway.port, chat("unheard-of")).status == 404
    picker.await_metrics()
    for service in picker, router:
        with open_channel(service.address) as channel:
            stream = Stream(channel)
            ask_picker(stream, json.dumps(chat()).encode())
            respond(stream, json.dumps({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode())
            stream.close()
    return {"gateway": gateway, "picker": picker, "router": router}


@pytest.fixture(scope="module")
def prometheus(request, shared, jobs):
    promtool = request.config.getoption("--promtool")
    if promtool is None:
        pytest.skip("no --promtool given, beside which prometheus stands")
    service = Prometheus(pathlib.Path(promtool).with_name("prometheus"), shared.folder, jobs)
    shared.started.append(service)
    service.start()
    # Two answers of each, so that rates have something to say.
    eventually(
        lambda: len(service.query("count_over_time(up[1m]) >= 2 and up == 1")) == len(jobs),
        "every page twice", START_SECONDS,
    )
    return service


def test_every_page_is_taken(prometheus, jobs):
    targets = prometheus.ask("targets", state="active")["activeTargets"]
    assert {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets} == {
        name: ("up", "") for name in jobs
    }
    for job, name in [
        ("gateway", "llm_d_epp_request_total"), ("gateway", "inference_objective_request_total"),
        ("picker", "llm_d_epp_scheduler_attempts_total"), ("picker", "inference_extension_scheduler_attempts_total"),
        ("picker", "llm_d_epp_extproc_streams_total"), ("router", "bbr_success_total"),
    ]:
        (found,) = prometheus.query(f'sum({name}{{job="{job}"}})')
        assert float(found["value"][1]) >= 1, name


def test_no_rule_has_an_error(prometheus):
    def evaluated():
        (group,) = prometheus.ask("rules")["groups"]
        return all(rule["health"] != "unknown" for rule in group["rules"]) and group["rules"]

    rules = eventually(evaluated, "the evaluation of every rule", START_SECONDS)
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
    assert len(rules) == len(yaml.safe_load(RULES.read_text())["groups"][0]["rules"])


def dashboard_queries():
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "1m").replace("$job", ".+").replace("$pool", ".+")
            yield pytest.param(query, id=f"{panel['id']}{target['refId']} {panel['title']}")


@pytest.mark.parametrize("query", list(dashboard_queries()))
def test_prometheus_takes_a_query_of_the_dashboard(prometheus, query):
    prometheus.query(query)


def test_most_panels_have_something_to_show(prometheus):
    """Those that do not are about what did not happen here: queues, a cluster, failures."""
    empty = [
        parameter.id for parameter in dashboard_queries() if not prometheus.query(parameter.values[0])
    ]
    absent = (
        "llm_d_epp_flow_control", "kubernetes", "martlet_leader", "proxy_upstream", "ejected", "not_found",
        "scrape_faults",
    )
    unexplained = [
        parameter.id for parameter in dashboard_queries()
        if parameter.id in empty and not any(word in parameter.values[0] for word in absent)
    ]
    assert unexplained == []


def test_exemplars_lead_to_the_trace(prometheus):
    def found():
        now = time.time()
        series = prometheus.ask(
            "query_exemplars", query="llm_d_epp_request_ttft_seconds_bucket", start=now - 600, end=now + 60
        )
        return [exemplar for one in series for exemplar in one["exemplars"]]

    exemplars = eventually(found, "exemplars", START_SECONDS)
    assert {exemplar["labels"]["trace_id"] for exemplar in exemplars} == {TRACE}
    assert all(exemplar["labels"]["span_id"].startswith("b7ad6b716920333") for exemplar in exemplars)
    assert all(0 < float(exemplar["value"]) < 60 for exemplar in exemplars)


@pytest.mark.parametrize("name", ["gateway", "picker", "router"])
def test_promtool_takes_every_page(jobs, promtool, name):
    _, _, page = fetch(jobs[name].admin + "/metrics")
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    # Upstream's names are kept as they are, whatever promtool advises on them.
    kept = ("llm_d_", "inference_", "bbr_")
    advice = [line for line in done.stderr.decode().splitlines() if line and not line.startswith(kept)]
    assert done.returncode in (0, 3) and advice == [], (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("name", ["gateway", "picker", "router"])
def test_the_reference_parser_takes_every_openmetrics_page(jobs, name):
    _, headers, page = fetch(jobs[name].admin + "/metrics", headers=OPENMETRICS)
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(page.decode())}
    assert len(families) > 5
    for family in families.values():
        assert family.documentation
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name == family.name + "_total"
            if sample.exemplar is not None:
                assert sum(len(key) + len(value) for key, value in sample.exemplar.labels.items()) <= 128
                assert sample.name.endswith("_bucket") and sample.exemplar.timestamp is not None
                assert sample.exemplar.value <= float(sample.labels["le"])
    exemplars = [s for family in families.values() for s in family.samples if s.exemplar is not None]
    assert bool(exemplars) == (name == "gateway")


@pytest.mark.parametrize("name", ["gateway", "picker"])
def test_every_metric_of_a_page_is_in_the_list(jobs, martlet, name):
    _, _, page = fetch(jobs[name].admin + "/metrics")
    listed = subprocess.run([martlet, "metrics", "--markdown"], capture_output=True, text=True, timeout=30, check=True)
    types = [line.split()[2:] for line in page.decode().splitlines() if line.startswith("# TYPE ")]
    assert types
    for metric, kind in types:
        assert f"| `{metric}`" in listed.stdout, metric
        assert kind in ("counter", "gauge", "histogram")


def series(page, name):
    """The values of the series of a name, summed by the labels that both names of a family have."""
    return sum(
        float(line.rpartition(" ")[2]) for line in page.splitlines()
        if line.startswith(name + "{") or line.startswith(name + " ")
    )


def test_old_names_add_up_to_the_new_ones(jobs):
    _, _, page = fetch(jobs["gateway"].admin + "/metrics")
    page = page.decode()
    for old, new in [
        ("inference_objective_request_total", "llm_d_epp_request_total"),
        ("inference_objective_request_error_total", "llm_d_epp_request_error_total"),
        ("inference_objective_request_duration_seconds_count", "llm_d_epp_request_duration_seconds_count"),
        ("inference_objective_input_tokens_sum", "llm_d_epp_request_input_tokens_sum"),
        ("inference_pool_ready_pods", "llm_d_epp_ready_endpoints"),
        ("inference_extension_plugin_duration_seconds_count", "llm_d_epp_plugin_duration_seconds_count"),
    ]:
        assert series(page, old) == series(page, new) > 0, old


def test_without_the_flag_there_are_no_old_names(shared):
    gateway = shared.gateway("--simulate", 1)
    _, _, page = fetch(gateway.admin + "/metrics")
    assert b"[Deprecated" not in page and b"inference_objective_" not in page


def test_the_gateway_tells_of_its_plugins_and_load(jobs):
    gateway = jobs["gateway"]
    assert gateway.metric("llm_d_epp_plugin_duration_seconds_count", extension_point="Scorer") >= 6
    assert gateway.metric("llm_d_epp_prefix_indexer_hit_ratio_count") >= 6
    assert gateway.metric("llm_d_epp_prefix_indexer_size") >= 1
    assert gateway.metric("llm_d_epp_request_ntpot_seconds_count") >= 3
    assert gateway.metric("llm_d_epp_request_processing_duration_seconds_count") >= 6
    assert gateway.metric("llm_d_epp_response_processing_duration_seconds_count") >= 6
    assert gateway.metric("llm_d_epp_std_dev_queue_size") is not None
