import GatewayCore
package import NIOCore
import NIOPosix
import NIOSSL

/// Sends load to one target and measures its answers, on event loops of its own share of a group. Runs follow one
/// another and use the connections of those before. Safe from any thread.
package final class LoadDriver: Sendable {
    /// What is known of a run while it goes.
    package struct Progress: Sendable {
        /// What was measured.
        package let measure: RunMeasure
        /// Requests under way.
        package let inFlight: Int
    }

    private let workers: [NIOLoopBoundBox<LoadWorker>]

    /// A driver with a worker on each of `loops`.
    ///
    /// - Throws: an error that says what is wrong with the certificates of `target`.
    package init(target: LoadTarget, loops: [any EventLoop]) throws {
        let tls = target.address.isSecure ? try Self.makeTLS(target) : nil
        workers = loops.map { loop in
            .makeBoxSendingValue(LoadWorker(target: target, tls: tls, loop: loop), eventLoop: loop)
        }
    }

    /// Makes one run. One at a time. When the task is cancelled, the run is broken off and what was measured returned.
    package func run(_ plan: LoadPlan, _ workload: Workload) async throws -> RunMeasure {
        // A moment ahead, so that every loop has begun by then.
        let origin = LoadWorker.now + 2_000_000
        let numbers = ConversationNumbers(limit: plan.conversations)
        // Each worker has at least one request under way, so there must not be more of them than of those.
        let active = workers.prefix(max(1, plan.inFlightMax))
        let parts = active.enumerated().map { index, worker in
            worker.eventLoop.flatSubmit {
                worker.value.begin(
                    LoadWorker.Share(
                        plan: plan,
                        workload: workload,
                        index: index,
                        workers: active.count,
                        origin: origin,
                        numbers: numbers
                    )
                )
            }
        }
        let measures = try await withTaskCancellationHandler {
            var measures: [RunMeasure] = []
            for part in parts { measures.append(try await part.get()) }
            return measures
        } onCancel: {
            for worker in active { worker.eventLoop.execute { worker.value.stop() } }
        }
        return measures.dropFirst().reduce(into: measures[0]) { $0.merge($1) }
    }

    /// How the run under way stands; `nil` between runs.
    package func progress() async throws -> Progress? {
        var measure: RunMeasure?
        var inFlight = 0
        for worker in workers {
            guard let part = try await worker.eventLoop.submit({ worker.value.progress }).get() else { continue }
            inFlight += part.inFlight
            if measure == nil { measure = part.measure } else { measure?.merge(part.measure) }
        }
        return measure.map { Progress(measure: $0, inFlight: inFlight) }
    }

    /// Closes all connections.
    package func shutdown() async throws {
        for worker in workers {
            try await worker.eventLoop.submit { worker.value.close() }.get()
        }
    }

    private static func makeTLS(_ target: LoadTarget) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = ["http/1.1"]
        if !target.verifiesCertificate { tls.certificateVerification = .none }
        if let path = target.caCertificatePath { tls.trustRoots = .file(path) }
        return try NIOSSLContext(configuration: tls)
    }
}
