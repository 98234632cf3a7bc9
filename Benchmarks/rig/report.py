"""What the benchmark prints and stores."""

import statistics


def median(values):
    return statistics.median(values)


def spread(values, digits=1):
    """A median with its range."""
    return f"{median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def table(rows):
    """Rows of texts with columns aligned; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def summarise(results, workloads, baseline, subject, budgets):
    """Per workload: CPU of both, the ratio of each pair, the latency each adds, and whether the budget is met."""
    summary = []
    for workload in workloads:
        cpu = {name: results["cpu_us"][workload][name] for name in (baseline, subject)}
        ratios = [ours / theirs for ours, theirs in zip(cpu[subject], cpu[baseline])]
        latency = {name: results["latency_us"][workload][name] for name in ("direct", baseline, subject)}
        added = {
            name: [through - direct for through, direct in zip(latency[name], latency["direct"])]
            for name in (baseline, subject)
        }
        budget = budgets[workload]
        summary.append(
            {
                "workload": workload,
                "cpu_us": cpu,
                "ratios": ratios,
                "ratio": median(ratios),
                "budget": budget,
                "within_budget": median(ratios) <= budget,
                "direct_p50_us": median(latency["direct"]),
                "added_p50_us": {name: median(values) for name, values in added.items()},
            }
        )
    return summary


def cpu_table(summary, baseline, subject):
    rows = [["workload", f"{baseline} CPU µs", f"{subject} CPU µs", "ratio", "budget", ""]]
    for line in summary:
        rows.append(
            [
                line["workload"],
                spread(line["cpu_us"][baseline]),
                spread(line["cpu_us"][subject]),
                spread(line["ratios"], 2),
                f"{line['budget']:.2f}",
                "PASS" if line["within_budget"] else "FAIL",
            ]
        )
    return table(rows)


def latency_table(summary, baseline, subject, rate):
    rows = [["workload", f"direct p50 µs at {rate}/s", f"{baseline} adds µs", f"{subject} adds µs", "ratio"]]
    for line in summary:
        added = line["added_p50_us"]
        ratio = f"{added[subject] / added[baseline]:.2f}" if added[baseline] > 0 else "–"
        rows.append(
            [
                line["workload"],
                f"{line['direct_p50_us']:.0f}",
                f"{added[baseline]:.0f}",
                f"{added[subject]:.0f}",
                ratio,
            ]
        )
    return table(rows)
