package import NIOCore
import NIOSSL

/// Certificates that traces are to be sent with, and that cannot be used.
package struct TracingCertificateError: Error, CustomStringConvertible {
    /// One sentence with the variable and the file.
    package let description: String
}

extension TracingEnvironment {
    /// The way to where spans go.
    ///
    /// - Parameters:
    ///   - eventLoop: where all of it happens.
    ///   - write: takes the lines for standard output.
    /// - Throws: ``TracingCertificateError``.
    package func transport(
        on eventLoop: any EventLoop,
        write: @escaping @Sendable (String) -> Void
    ) throws(TracingCertificateError) -> sending any SpanTransport {
        switch exporter {
        case .console, .none: return ConsoleTransport(eventLoop: eventLoop, write: write)
        case .otlp: return try collector(on: eventLoop)
        }
    }

    /// Where spans go, for people.
    package var destination: String {
        switch exporter {
        case .none: "nowhere"
        case .console: "standard output"
        case .otlp where exportProtocol == .grpc: "\(isGRPCSecure ? "https" : "http")://\(grpcAuthority) by grpc"
        case .otlp: "\(url) by \(exportProtocol.rawValue)"
        }
    }

    private var grpcAuthority: String { address?.authority(defaultPort: 4317) ?? "localhost:4317" }

    private var isGRPCSecure: Bool {
        // The usual address of this machine is plain text, and so is what the environment says nothing about.
        address.map { $0.isSecure ?? !isInsecure } ?? false
    }

    /// Where batches go by HTTP.
    private var url: String {
        guard var address else { return "http://localhost:4318/v1/traces" }
        address.isSecure = address.isSecure ?? false
        if isAddressWhole {
            if address.path.isEmpty { address.path = "/" }
        } else {
            address.path += address.path.hasSuffix("/") ? "v1/traces" : "/v1/traces"
        }
        return address.description
    }

    private func collector(on eventLoop: any EventLoop) throws(TracingCertificateError) -> any SpanTransport {
        let tls = try self.tls
        guard exportProtocol == .grpc else {
            return HTTPTransport(
                url: url,
                encoding: exportProtocol == .httpJSON ? .json : .protobuf,
                headers: headers,
                tls: tls,
                eventLoop: eventLoop
            )
        }
        do {
            let address = address ?? CollectorAddress("localhost:4317")
            guard let address else { throw TracingCertificateError(description: "there is no collector") }
            return try GRPCTransport(
                address: address, headers: headers, tls: isGRPCSecure ? tls : nil, eventLoop: eventLoop)
        } catch {
            throw TracingCertificateError(description: "the certificates of OTEL_EXPORTER_OTLP_*: \(error)")
        }
    }

    /// Whom to trust, and who we are.
    var tls: TLSConfiguration {
        get throws(TracingCertificateError) {
            var tls = TLSConfiguration.makeClientConfiguration()
            if !certificatePath.isEmpty {
                tls.trustRoots = .certificates(
                    try Self.read(certificatePath, "OTEL_EXPORTER_OTLP_CERTIFICATE", NIOSSLCertificate.fromPEMFile))
            }
            guard !clientCertificatePath.isEmpty || !clientKeyPath.isEmpty else { return tls }
            guard !clientCertificatePath.isEmpty, !clientKeyPath.isEmpty else {
                throw TracingCertificateError(
                    description: "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together: "
                        + "give both or none"
                )
            }
            let chain = try Self.read(
                clientCertificatePath, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", NIOSSLCertificate.fromPEMFile)
            tls.certificateChain = chain.map { .certificate($0) }
            tls.privateKey = .privateKey(
                try Self.read(clientKeyPath, "OTEL_EXPORTER_OTLP_CLIENT_KEY") {
                    try NIOSSLPrivateKey(file: $0, format: .pem)
                }
            )
            return tls
        }
    }

    private static func read<Value>(
        _ path: String,
        _ variable: String,
        _ load: (String) throws -> Value
    ) throws(TracingCertificateError) -> Value {
        do {
            return try load(path)
        } catch {
            throw TracingCertificateError(description: "\(variable) '\(path)' cannot be used: \(error)")
        }
    }
}
