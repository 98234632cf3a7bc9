/// A question about health: grpc.health.v1.HealthCheckRequest.
package struct HealthCheckRequest: Hashable, Sendable {
    /// The service that is asked about (field 1); empty for the server as a whole.
    package let service: String

    /// Reads a message.
    /// - Parameter bytes: the message, without the prefix of gRPC.
    package init(reading bytes: RawSpan) throws(WireError) {
        var reader = WireReader(.healthCheckRequest, in: bytes, limits: .standard)
        var service = 0..<0
        while let field = try reader.nextField(in: bytes) {
            if field.number == 1 {
                service = try reader.string(field, in: bytes)
            } else {
                try reader.skip(field, in: bytes)
            }
        }
        self.service = bytes.text(service)
    }
}

/// The health of a service (grpc.health.v1.HealthCheckResponse.ServingStatus).
package enum ServingStatus: UInt8, Hashable, Sendable {
    /// Not known.
    case unknown = 0
    /// It takes calls.
    case serving = 1
    /// It does not take calls.
    case notServing = 2
    /// There is no such service; told by `Watch`, and in llm-d's picker by `Check`.
    case serviceUnknown = 3
}

/// The answer to a question about health: grpc.health.v1.HealthCheckResponse, with the prefix of gRPC.
package struct HealthCheckResponse: Hashable, Sendable {
    /// The health (field 1).
    package let status: ServingStatus

    /// Makes an answer.
    package init(_ status: ServingStatus) {
        self.status = status
    }

    /// What ``write(to:)`` appends, in bytes.
    package var byteCount: Int { GRPCPrefix.byteCount &+ size }

    /// Appends the prefix of gRPC and the message. Less room than ``byteCount`` is a programming error and stops the
    /// process.
    package func write(to output: inout OutputRawSpan) {
        GRPCPrefix.append(length: size, to: &output)
        append(to: &output)
    }

    /// The size of the message in bytes.
    fileprivate var size: Int { WireSize.optionalNumber(UInt64(status.rawValue)) }

    fileprivate func append(to output: inout OutputRawSpan) {
        output.append(.varint(1), optionalNumber: UInt64(status.rawValue))
    }
}

/// The health of all services: grpc.health.v1.HealthListResponse, with the prefix of gRPC. The request has no fields.
package struct HealthListResponse: Hashable, Sendable {
    /// A service and its health.
    package struct Entry: Hashable, Sendable {
        /// The service's name; empty for the server as a whole.
        package let service: String
        /// Its health.
        package let status: ServingStatus

        /// Makes an entry.
        package init(_ service: String, _ status: ServingStatus) {
            self.service = service
            self.status = status
        }
    }

    /// The services, in the order in which they are written (field 1).
    package let statuses: [Entry]

    /// Makes an answer.
    package init(_ statuses: [Entry]) {
        self.statuses = statuses
    }

    /// What ``write(to:)`` appends, in bytes.
    package var byteCount: Int { GRPCPrefix.byteCount &+ size }

    /// Appends the prefix of gRPC and the message. Less room than ``byteCount`` is a programming error and stops the
    /// process.
    package func write(to output: inout OutputRawSpan) {
        GRPCPrefix.append(length: size, to: &output)
        for entry in statuses {
            output.append(.bytes(1), length: entry.size)
            output.append(.bytes(1), text: entry.service)
            let response = HealthCheckResponse(entry.status)
            output.append(.bytes(2), length: response.size)
            response.append(to: &output)
        }
    }

    private var size: Int { statuses.reduce(0) { $0 &+ WireSize.bytes($1.size) } }
}

extension HealthListResponse.Entry {
    /// The size of the map entry in bytes.
    fileprivate var size: Int {
        WireSize.bytes(service.utf8.count) &+ WireSize.bytes(HealthCheckResponse(status).size)
    }
}
