import LoadGenerator
import NIOCore
import Synchronization

/// Whether a signal has ended the load. Safe from any thread.
final class Interruption: Sendable {
    private let flag = Atomic<Bool>(false)

    /// Notes the signal.
    func set() {
        flag.store(true, ordering: .releasing)
    }

    /// Whether it came.
    var isSet: Bool { flag.load(ordering: .acquiring) }
}

/// What a session measured.
struct BenchResults: Sendable {
    /// A run each; of a comparison the blocks, first and second target in turn.
    var summaries: [RunSummary] = []
    /// What the blocks say of the two targets.
    var comparison: TargetComparison?
    /// Whether a signal ended the session.
    var isInterrupted = false
}

/// Makes the runs of a plan, one after the other.
struct BenchSession {
    let plan: BenchPlan
    let workload: Workload
    let loops: [any EventLoop]
    let isInterrupted: Interruption

    /// Makes all of them, or those until the task is cancelled.
    func run() async throws -> BenchResults {
        var results = BenchResults()
        let drivers = try plan.targets.map { try LoadDriver(target: $0.target, loops: loops) }
        if plan.targets.count == 2 {
            results = try await compare(drivers)
        } else {
            for (number, step) in plan.steps.enumerated() where !isInterrupted.isSet {
                let place = plan.steps.count > 1 ? "\(step.label) (\(number + 1)/\(plan.steps.count))" : ""
                results.summaries.append(
                    try await measure(drivers[0], plan.targets[0], step.load, label: step.label, place: place)
                )
            }
        }
        for driver in drivers { try await driver.shutdown() }
        results.isInterrupted = isInterrupted.isSet
        return results
    }

    /// Blocks in the order A B B A: what drifts evenly while they run falls on both targets alike.
    private func compare(_ drivers: [LoadDriver]) async throws -> BenchResults {
        let labels = zip(plan.targets, ["A", "B"]).map { $0.label.isEmpty ? $1 : $0.label }
        try await warmUp(drivers)
        var blocks: [[RunSummary]] = [[], []]
        var summaries: [RunSummary] = []
        for pair in 0..<plan.options.blocks {
            for side in pair % 2 == 0 ? [0, 1] : [1, 0] where !isInterrupted.isSet {
                var load = plan.steps[0].load
                load.warmUp = .none
                load.firstConversation = (pair + 1) * BenchPlan.stride
                load.seed = plan.options.seed &+ UInt64(pair)
                let summary = try await measure(
                    drivers[side],
                    plan.targets[side],
                    load,
                    variant: UInt64(side + 1),
                    label: "\(labels[side]), block \(pair + 1)",
                    place: "\(labels[side]) (\(pair + 1)/\(plan.options.blocks))"
                )
                // A block that was broken off has no partner.
                if isInterrupted.isSet { continue }
                blocks[side].append(summary)
                summaries.append(summary)
            }
        }
        let comparison = TargetComparison(labels: (labels[0], labels[1]), first: blocks[0], second: blocks[1])
        return BenchResults(summaries: summaries, comparison: comparison)
    }

    /// Sends what comes before the measurement to each target.
    private func warmUp(_ drivers: [LoadDriver]) async throws {
        var load = plan.steps[0].load
        switch load.warmUp {
        case .none: return
        case .seconds(let seconds):
            load.seconds = seconds
            load.conversations = nil
        case .conversations(let count):
            load.seconds = nil
            load.conversations = count
        }
        for (side, driver) in drivers.enumerated() where !isInterrupted.isSet {
            var workload = workload
            workload.variant = UInt64(side + 1)
            _ = try await driver.run(load, workload)
        }
    }

    private func measure(
        _ driver: LoadDriver,
        _ target: BenchTarget,
        _ load: LoadPlan,
        variant: UInt64 = 0,
        label: String,
        place: String
    ) async throws -> RunSummary {
        var workload = workload
        workload.variant = variant
        let progress = BenchProgress(load: load, turns: workload.turns, place: place, isQuiet: plan.options.isQuiet)
        let (start, processorStart) = (ContinuousClock.now, ProcessorTime.seconds)
        let measure = try await withThrowingTaskGroup(of: Void.self) { [workload] group in
            if let progress { group.addTask { try await progress.follow(driver) } }
            let measure = try await driver.run(load, workload)
            group.cancelAll()
            return measure
        }
        progress?.clear()
        let seconds = start.duration(to: .now) / .seconds(1)
        return RunSummary(
            label: label,
            target: target.url,
            measure: measure,
            plan: load,
            streams: workload.streams,
            generator: .init(
                processorSeconds: ProcessorTime.seconds - processorStart,
                seconds: seconds,
                threads: loops.count
            )
        )
    }
}
