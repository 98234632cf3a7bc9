#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a simulated server does wrong on purpose. A plan holds until the next one replaces it, or until its time is
/// over.
///
/// The default does nothing wrong. As JSON (`POST /simulator/faults`) every member may be left out, and an unknown one
/// is an error. Requests below `/simulator/` are never affected.
package struct FaultPlan: Sendable, Hashable, Codable {
    /// Reset each new connection, and each existing one when its next request comes, as a process that died.
    package var refuseConnections = false
    /// Reset the connection after this many events of a streamed answer, or amid the body of one that is not streamed.
    package var resetAfterEvents: Int?
    /// Close the connection in good order after this many events, without the end of the chunked body.
    package var truncateAfterEvents: Int?
    /// Time before a request reaches the engine, from 0 to 3,600,000.
    package var addedLatencyMilliseconds = 0.0
    /// Factor on the time of each step, from 0.001 to 1,000,000.
    package var slowdown = 1.0
    /// Status of the answers that fail, from 400 to 599.
    package var errorStatus = 500
    /// Share of the inference requests that fail with `errorStatus`, from 0 to 1, drawn from the seed.
    package var errorProbability = 0.0
    /// Keep silent instead of answering an inference request.
    package var hang = false
    /// What the metrics page does.
    package var metrics = MetricsFault.none
    /// What the health page does: the status it answers, 200 to 599.
    package var healthStatus = 200
    /// Milliseconds of the clock until the plan is over, above 0 and at most 86,400,000; nil means no end. This is the
    /// way back from `refuseConnections` for those who can no longer connect.
    package var durationMilliseconds: Double?

    /// What the metrics page does.
    package enum MetricsFault: String, Sendable, Hashable, Codable {
        /// It is as it should be.
        case none
        /// It is not a metrics page, though the status is 200.
        case garbage
        /// It ends in the middle of a line, though the status is 200.
        case cut
        /// It answers 500.
        case error
        /// It never answers.
        case hang
    }

    /// A plan that does nothing wrong.
    package init() {}

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case refuseConnections = "refuse_connections"
        case resetAfterEvents = "reset_after_events"
        case truncateAfterEvents = "truncate_after_events"
        case addedLatencyMilliseconds = "added_latency_milliseconds"
        case slowdown
        case errorStatus = "error_status"
        case errorProbability = "error_probability"
        case hang
        case metrics
        case healthStatus = "health_status"
        case durationMilliseconds = "duration_milliseconds"
    }

    /// A key of any name, to find the ones that should not be there.
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
    }

    package init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw SimulatorConfigurationError(description: "faults have no member \"\(key.stringValue)\"")
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, _ fallback: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? fallback
        }
        refuseConnections = try value(.refuseConnections, refuseConnections)
        resetAfterEvents = try container.decodeIfPresent(Int.self, forKey: .resetAfterEvents)
        truncateAfterEvents = try container.decodeIfPresent(Int.self, forKey: .truncateAfterEvents)
        addedLatencyMilliseconds = try value(.addedLatencyMilliseconds, addedLatencyMilliseconds)
        slowdown = try value(.slowdown, slowdown)
        errorStatus = try value(.errorStatus, errorStatus)
        errorProbability = try value(.errorProbability, errorProbability)
        hang = try value(.hang, hang)
        metrics = try value(.metrics, metrics)
        healthStatus = try value(.healthStatus, healthStatus)
        durationMilliseconds = try container.decodeIfPresent(Double.self, forKey: .durationMilliseconds)
    }

    /// Reads a plan and checks its ranges.
    /// - Throws: ``SimulatorConfigurationError`` with what is wrong.
    package init(json: [UInt8]) throws(SimulatorConfigurationError) {
        do {
            self = try JSONDecoder().decode(FaultPlan.self, from: Data(json))
        } catch let error as SimulatorConfigurationError {
            throw error
        } catch {
            throw SimulatorConfigurationError(description: "faults cannot be read: \(RequestBodyError(error))")
        }
        try validate()
    }

    /// The plan as the JSON it could be read from.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Every member is a number, a word or a flag in its range; there is nothing an encoder could refuse.
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// - Throws: ``SimulatorConfigurationError`` for the first value out of its range.
    package func validate() throws(SimulatorConfigurationError) {
        func require(
            _ key: CodingKeys,
            _ value: Double,
            _ range: ClosedRange<Double>
        ) throws(SimulatorConfigurationError) {
            guard range.contains(value) else {
                let bounds = "\(range.lowerBound) to \(range.upperBound)"
                throw SimulatorConfigurationError(
                    description: "\(key.rawValue) is \(value); it must be from \(bounds)"
                )
            }
        }
        try require(.addedLatencyMilliseconds, addedLatencyMilliseconds, 0...3_600_000)
        try require(.slowdown, slowdown, 0.001...1_000_000)
        try require(.errorStatus, Double(errorStatus), 400...599)
        try require(.errorProbability, errorProbability, 0...1)
        try require(.healthStatus, Double(healthStatus), 200...599)
        try require(.resetAfterEvents, Double(resetAfterEvents ?? 0), 0...1e9)
        try require(.truncateAfterEvents, Double(truncateAfterEvents ?? 0), 0...1e9)
        try require(.durationMilliseconds, durationMilliseconds ?? 1, 0.001...86_400_000)
    }
}
