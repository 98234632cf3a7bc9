import FlowControl
import GatewayCore
import Scheduling
import Telemetry

/// The figures of plugins that are read when the metrics page is written.
package enum PluginGauges {
    /// Lets the families read from the plugins of the controller's pools, whatever they are at the time.
    package static func observe(_ controller: RequestController) {
        controller.metrics.scheduling.prefixIndexSize.observe { samples in
            for pool in controller.state.pools {
                for (name, type, blocks) in pool.scheduler.rememberedPrefixes {
                    samples.accumulate(Double(blocks), name, type)
                }
            }
        }
        let metrics = controller.metrics.flowControl
        metrics.programFairness.observe { samples in
            if let programs = programs(of: controller) { samples.add(fairnessIndex(programs.compactMap(\.meanWait))) }
        }
        metrics.programWait.observe { samples in
            for program in programs(of: controller) ?? [] {
                if let wait = program.meanWait { samples.add(wait * 1_000, program.id) }
            }
        }
        metrics.programService.observe { samples in
            for program in programs(of: controller) ?? [] { samples.add(program.attainedService, program.id) }
        }
    }

    /// The programs of all pools and bands, those first that waited most often; `nil` where no policy knows any.
    private static func programs(of controller: RequestController) -> [ProgramFigures]? {
        let known = controller.state.pools.compactMap { $0.flowControl?.programs() }
        guard !known.isEmpty else { return nil }
        var byID: [String: ProgramFigures] = [:]
        for program in known.joined() {
            byID[program.id] = byID[program.id].map { $0 + program } ?? program
        }
        return byID.values.sorted { ($1.dispatched, $0.id) < ($0.dispatched, $1.id) }
    }

    /// Jain's index: 1 when all are equal, 1 / n when one of n has everything; 1 for none, and for nothing but zeros.
    static func fairnessIndex(_ values: [Double]) -> Double {
        let sum = values.reduce(0, +)
        let squares = values.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? sum * sum / (Double(values.count) * squares) : 1
    }
}

extension ProgramFigures {
    /// The mean wait in seconds; `nil` when no request was let go.
    fileprivate var meanWait: Double? {
        dispatched > 0 ? waited.fractionalSeconds / Double(dispatched) : nil
    }

    fileprivate static func + (left: ProgramFigures, right: ProgramFigures) -> ProgramFigures {
        ProgramFigures(
            id: left.id,
            attainedService: left.attainedService + right.attainedService,
            waited: left.waited + right.waited,
            dispatched: left.dispatched + right.dispatched
        )
    }
}
