"""Each alert rule fires when it should and is silent before, by promtool's own test of rules."""

import json
import re
import subprocess

import pytest
import yaml
from manifests import DEPLOY

RULES = DEPLOY / "alerts/martlet.rules.yaml"
EPP = 'job="epp",instance="a:9090"'

# The alert; the series with a value a minute; a minute when it is silent and one when it fires; its labels; what the
# value is in its text.
CASES = [
    ("MartletNoReadyEndpoints", {f'llm_d_epp_ready_endpoints{{{EPP},name="llama"}}': "2x2 0x10"}, 4, 8,
     {"job": "epp", "name": "llama"}, None),
    ("MartletErrors",
     {f'llm_d_epp_request_total{{{EPP},model_name="m"}}': "0+600x20",
      f'llm_d_epp_request_error_total{{{EPP},model_name="m",error_code="503"}}': "0+0x5 0+60x15",
      f'llm_d_epp_request_error_total{{{EPP},model_name="m",error_code="clientDisconnected"}}': "0+300x20"},
     6, 18, {"job": "epp"}, "10%"),
    # Beside a short spell of slow answers, which the long window does not call one.
    ("MartletFirstTokenSlow",
     {f'llm_d_epp_request_ttft_seconds_bucket{{{EPP},model_name="m",le="2.0"}}': "0+60x60 3610+10x89",
      f'llm_d_epp_request_ttft_seconds_bucket{{{EPP},model_name="m",le="+Inf"}}': "0+60x150",
      f'llm_d_epp_request_ttft_seconds_count{{{EPP},model_name="m"}}': "0+60x150"},
     66, 118, {"job": "epp"}, "80.56%"),
    ("MartletEndpointEjected", {f'martlet_endpoint_ejected{{{EPP},endpoint="gpu-1"}}': "0x2 1x15"}, 9, 15,
     {"job": "epp", "endpoint": "gpu-1"}, None),
    ("MartletScrapesFail",
     {f'martlet_scrapes_total{{{EPP},result="success"}}': "0+300x30",
      f'martlet_scrapes_total{{{EPP},result="timeout"}}': "0+100x30"}, 9, 20, {"job": "epp"}, "25%"),
    ("MartletMetricsStale", {f'martlet_endpoint_metrics_age_seconds{{{EPP},endpoint="gpu-1"}}': "0.1x3 40+60x20"},
     7, 12, {"job": "epp", "endpoint": "gpu-1"}, None),
    ("MartletSaturated",
     {f'llm_d_epp_flow_control_pool_saturation{{{EPP},inference_pool="llama",stage="effective"}}': "0.9x3 1x20",
      f'llm_d_epp_flow_control_pool_saturation{{{EPP},inference_pool="other",stage="decode"}}': "1x30"},
     10, 18, {"job": "epp", "inference_pool": "llama"}, None),
    ("MartletQueueFills",
     {f'llm_d_epp_flow_control_global_capacity_utilization_requests{{{EPP},inference_pool="llama"}}': "0x20",
      f'llm_d_epp_flow_control_capacity_utilization_requests{{{EPP},inference_pool="llama",priority="0"}}':
      "0.5x3 0.9x20"},
     7, 12, {"job": "epp", "inference_pool": "llama"}, "90%"),
    ("MartletQueueRefuses",
     {f'llm_d_epp_flow_control_requests_total{{{EPP},inference_pool="llama",outcome="EvictedTTL"}}': "0+60x30",
      f'llm_d_epp_flow_control_requests_total{{{EPP},inference_pool="llama",outcome="Dispatched"}}': "0+60x30"},
     9, 20, {"job": "epp", "inference_pool": "llama", "outcome": "EvictedTTL"}, None),
    ("MartletConfigurationRefused", {f'martlet_config_last_reload_successful{{{EPP}}}': "1x2 0x10"}, 6, 10,
     {"job": "epp", "instance": "a:9090"}, None),
    ("MartletLeaseLeak", {f'martlet_lease_leaks_total{{{EPP}}}': "0x5 1x10"}, 4, 10,
     {"job": "epp", "instance": "a:9090"}, None),
    ("MartletFileDescriptors",
     {f"process_open_fds{{{EPP}}}": "100x3 900x15", f"process_max_fds{{{EPP}}}": "1000x20",
      f'llm_d_epp_info{{{EPP},commit="c",build_ref="r"}}': "1x20",
      'process_open_fds{job="other",instance="b"}': "999x20", 'process_max_fds{job="other",instance="b"}': "1000x20"},
     6, 12, {"job": "epp", "instance": "a:9090"}, "90%"),
    ("MartletNoLeader", {f"martlet_leader{{{EPP}}}": "1x2 0x10", 'martlet_leader{job="epp",instance="b"}': "0x12"},
     3, 6, {"job": "epp"}, None),
    ("MartletRestarts",
     {f"process_start_time_seconds{{{EPP}}}": "100x5 200x5 300x5 400x20",
      f'llm_d_epp_info{{{EPP},commit="c",build_ref="r"}}': "1x40",
      'process_start_time_seconds{job="other",instance="b"}': "0+60x40"},
     14, 20, {"job": "epp", "instance": "a:9090"}, None),
]


def rules():
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def annotations(rule, labels, value):
    def filled(text):
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match.group(1)], text)
        return text.replace("{{ $value | humanizePercentage }}", value or "")

    return {name: filled(text) for name, text in rule["annotations"].items()}


def test_every_alert_has_a_case():
    assert [case[0] for case in CASES] == list(rules())


@pytest.mark.parametrize("name, series, silent, fires, labels, value", CASES, ids=[case[0] for case in CASES])
def test_alert(request, tmp_path, name, series, silent, fires, labels, value):
    promtool = request.config.getoption("--promtool")
    if promtool is None:
        pytest.skip("no --promtool given")
    rule = rules()[name]
    expected = {"exp_labels": labels | rule["labels"], "exp_annotations": annotations(rule, labels, value)}
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": key, "values": values} for key, values in series.items()],
            "alert_rule_test": [
                {"eval_time": f"{silent}m", "alertname": name, "exp_alerts": []},
                {"eval_time": f"{fires}m", "alertname": name, "exp_alerts": [expected]},
            ],
        }],
    }
    path = tmp_path / "test.json"
    path.write_text(json.dumps(document))
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
