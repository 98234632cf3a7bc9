import NIOCore
package import Telemetry

/// What the environment says of traces, in OpenTelemetry's variables.
///
/// A variable that cannot be used never stops the program: a warning says so in one sentence, with what is used
/// instead.
package struct TracingEnvironment: Sendable {
    /// Where spans go.
    package enum Exporter: String, Sendable, CaseIterable {
        /// To a collector.
        case otlp
        /// To standard output.
        case console
        /// Nowhere.
        case none
    }

    /// How a collector is spoken to.
    package enum ExportProtocol: String, Sendable, CaseIterable {
        case grpc
        case httpProtobuf = "http/protobuf"
        case httpJSON = "http/json"
    }

    /// What holds where the environment says nothing.
    package struct Defaults: Sendable {
        /// The name of the service.
        package var serviceName: String
        /// Its version.
        package var serviceVersion: String
        /// Which traces are recorded.
        package var sampler: Sampler

        /// Makes defaults; see the properties.
        package init(serviceName: String, serviceVersion: String, sampler: Sampler) {
            self.serviceName = serviceName
            self.serviceVersion = serviceVersion
            self.sampler = sampler
        }
    }

    /// Whether everything is off, whatever else is said.
    package private(set) var isDisabled = false
    /// Whether a variable says where spans go.
    package private(set) var namesExporter = false
    /// Where spans go.
    package private(set) var exporter = Exporter.otlp
    /// How the collector is spoken to.
    package private(set) var exportProtocol = ExportProtocol.grpc
    /// The collector; `nil` for the usual address on this machine.
    package private(set) var address: CollectorAddress?
    /// Whether ``address`` is whole, so that no path is to be added for traces.
    package private(set) var isAddressWhole = false
    /// What else is sent with each batch.
    package private(set) var headers: [(String, String)] = []
    /// Whether gRPC is spoken in plain text where the address does not say.
    package private(set) var isInsecure = false
    /// The file with the authorities of the collector; empty for the system's.
    package private(set) var certificatePath = ""
    /// The file with our certificate; empty for none.
    package private(set) var clientCertificatePath = ""
    /// The file with the key of our certificate; empty for none.
    package private(set) var clientKeyPath = ""
    /// Which traces are recorded.
    package private(set) var sampler: Sampler
    /// When batches are sent.
    package private(set) var times = ExportStateMachine.Times()
    /// The most spans that wait.
    package private(set) var queueSize = 2048
    /// How many spans make a batch.
    package private(set) var batchSize = 512
    /// What is said of the process.
    package private(set) var resource: [SpanAttribute] = []
    /// What could not be used, a sentence for each.
    package private(set) var warnings: [String] = []

    private let variables: [String: String]

    /// Reads the variables of `environment`.
    package init(_ environment: [String: String], defaults: Defaults) {
        variables = environment
        sampler = defaults.sampler
        readExporter()
        readConnection()
        readSampler()
        readBatches()
        readResource(defaults)
    }

    // MARK: - The parts

    private mutating func readExporter() {
        isDisabled = boolean("OTEL_SDK_DISABLED") ?? false
        if let name = value("OTEL_TRACES_EXPORTER") {
            namesExporter = true
            if let exporter = Exporter(rawValue: name.lowercased()) {
                self.exporter = exporter
            } else {
                warn("OTEL_TRACES_EXPORTER", name, "is not otlp, console or none; otlp is used")
            }
        }
        if let (variable, name) = signal("PROTOCOL") {
            if let known = ExportProtocol(rawValue: name.lowercased()) {
                exportProtocol = known
            } else {
                warn(variable, name, "is not grpc, http/protobuf or http/json; grpc is used")
            }
        }
        if let text = value("OTEL_PROPAGATORS") {
            let names = text.split(separator: ",").map { $0.filter { $0 != " " } }
            if let foreign = names.first(where: { !["tracecontext", "baggage", "none"].contains($0) }) {
                warn("OTEL_PROPAGATORS", text, "names '\(foreign)'; tracecontext is used, and baggage passes as it is")
            }
        }
    }

    private mutating func readConnection() {
        for (variable, isWhole) in [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", true), ("OTEL_EXPORTER_OTLP_ENDPOINT", false),
        ] {
            guard let text = value(variable) else { continue }
            namesExporter = true
            address = CollectorAddress(text)
            isAddressWhole = isWhole
            if address == nil {
                // It may hold a password.
                warn(variable, "is not like http://HOST:PORT; the collector on this machine is used")
            }
            break
        }
        if let (variable, text) = signal("HEADERS") { headers = pairs(text, of: variable) }
        if let (variable, text) = signal("INSECURE") { isInsecure = boolean(text, of: variable) ?? false }
        certificatePath = signal("CERTIFICATE")?.text ?? ""
        clientCertificatePath = signal("CLIENT_CERTIFICATE")?.text ?? ""
        clientKeyPath = signal("CLIENT_KEY")?.text ?? ""
        if let (variable, text) = signal("COMPRESSION"), text != "none" {
            warn(variable, text, "is not none; batches are not compressed")
        }
        if let (variable, text) = signal("TIMEOUT") {
            times.timeout = .milliseconds(Int64(number(text, of: variable, in: 1...600_000, instead: 10_000)))
        }
    }

    private mutating func readSampler() {
        let argument = value("OTEL_TRACES_SAMPLER_ARG")
        let name = value("OTEL_TRACES_SAMPLER")
        switch name?.lowercased() {
        case nil: break
        case "always_on"?: sampler = Sampler(root: .always, followsParent: false)
        case "always_off"?: sampler = Sampler(root: .never, followsParent: false)
        case "traceidratio"?: sampler = Sampler(root: .ratio(1), followsParent: false)
        case "parentbased_always_on"?: sampler = Sampler(root: .always, followsParent: true)
        case "parentbased_always_off"?: sampler = Sampler(root: .never, followsParent: true)
        case "parentbased_traceidratio"?: sampler = Sampler(root: .ratio(1), followsParent: true)
        default:
            sampler = Sampler(root: .ratio(0.1), followsParent: true)
            warn("OTEL_TRACES_SAMPLER", name ?? "", "is not known; parentbased_traceidratio is used")
        }
        guard case .ratio = sampler.root else { return }
        // Without its argument a sampler by share records one trace in ten, as llm-d's endpoint picker does.
        var share = 0.1
        if let argument {
            if let number = Double(argument), (0...1).contains(number) {
                share = number
            } else {
                warn("OTEL_TRACES_SAMPLER_ARG", argument, "is not a number from 0 to 1; 0.1 is used")
            }
        }
        sampler.root = .ratio(share)
    }

    private mutating func readBatches() {
        if let text = value("OTEL_BSP_MAX_QUEUE_SIZE") {
            // Less than the spans of one request would let nothing through.
            queueSize = number(text, of: "OTEL_BSP_MAX_QUEUE_SIZE", in: 64...1_000_000, instead: 2048)
        }
        batchSize = min(batchSize, queueSize)
        if let text = value("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") {
            batchSize = number(
                text, of: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", in: 1...queueSize, instead: min(512, queueSize))
        }
        if let text = value("OTEL_BSP_SCHEDULE_DELAY") {
            times.delay = .milliseconds(
                Int64(number(text, of: "OTEL_BSP_SCHEDULE_DELAY", in: 10...3_600_000, instead: 5000)))
        }
        if let text = value("OTEL_BSP_EXPORT_TIMEOUT") {
            times.patience = .milliseconds(
                Int64(number(text, of: "OTEL_BSP_EXPORT_TIMEOUT", in: 1...3_600_000, instead: 30_000)))
        }
    }

    private mutating func readResource(_ defaults: Defaults) {
        let attributes = value("OTEL_RESOURCE_ATTRIBUTES").map { pairs($0, of: "OTEL_RESOURCE_ATTRIBUTES") } ?? []
        let named = value("OTEL_SERVICE_NAME") ?? attributes.last { $0.0 == "service.name" }?.1
        resource = [
            SpanAttribute("service.name", named ?? defaults.serviceName),
            SpanAttribute("service.version", defaults.serviceVersion),
            SpanAttribute("telemetry.sdk.name", "martlet"),
            SpanAttribute("telemetry.sdk.language", "swift"),
            SpanAttribute("telemetry.sdk.version", defaults.serviceVersion),
        ]
        for (key, text) in attributes where key != "service.name" {
            resource.removeAll { $0.key == key }
            resource.append(SpanAttribute(key, text))
        }
    }

    // MARK: - Reading one variable

    /// A variable that is there and not empty: to OpenTelemetry, an empty one is none.
    private func value(_ name: String) -> String? {
        variables[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The variable for traces, else the one for all signals.
    private func signal(_ name: String) -> (variable: String, text: String)? {
        for variable in ["OTEL_EXPORTER_OTLP_TRACES_\(name)", "OTEL_EXPORTER_OTLP_\(name)"] {
            if let text = value(variable) { return (variable, text) }
        }
        return nil
    }

    private mutating func boolean(_ name: String) -> Bool? {
        value(name).flatMap { boolean($0, of: name) }
    }

    private mutating func boolean(_ text: String, of name: String) -> Bool? {
        switch text.lowercased() {
        case "true": return true
        case "false": return false
        default:
            warn(name, text, "is neither true nor false; false is used")
            return nil
        }
    }

    private mutating func number(_ text: String, of name: String, in range: ClosedRange<Int>, instead: Int) -> Int {
        if let number = Int(text), range.contains(number) { return number }
        warn(name, text, "is not a number from \(range.lowerBound) to \(range.upperBound); \(instead) is used")
        return instead
    }

    /// `key=value` pairs between commas; values may be percent-encoded.
    private mutating func pairs(_ text: String, of name: String) -> [(String, String)] {
        var pairs: [(String, String)] = []
        for part in text.split(separator: ",") {
            guard let equals = part.firstIndex(of: "="), part.startIndex < equals else {
                // Headers hold keys of collectors.
                warn(name, "has a part that is not like key=value; it is left out")
                continue
            }
            let key = String(part[..<equals]).trimmingSpaces
            pairs.append((key, String(part[part.index(after: equals)...]).trimmingSpaces.percentDecoded))
        }
        return pairs
    }

    /// Of a variable whose value is nobody's business.
    private mutating func warn(_ name: String, _ fault: String) {
        warnings.append("\(name) \(fault).")
    }

    private mutating func warn(_ name: String, _ value: String, _ fault: String) {
        warnings.append("\(name) '\(value)' \(fault).")
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    /// The text with `%XX` replaced by the bytes that it stands for; what is no such sequence stays.
    fileprivate var percentDecoded: String {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) {
                bytes.append(decoded)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
