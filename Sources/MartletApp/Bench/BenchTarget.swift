import EngineClient
import FoundationEssentials
import GatewayCore
import LoadGenerator
import NIOPosix
import RequestFormats

/// A target of `martlet bench`: `[LABEL=]URL`, whose path stands for that of the API when it has one.
struct BenchTarget {
    /// What the reports call it.
    let label: String
    /// The target as it was given, without the label, and without a query, which may have a secret.
    let url: String
    /// Where the target lists its models: beside the API, and where clients of the API look for it if that is nowhere.
    let modelsPath: String
    /// Where the load goes.
    let target: LoadTarget

    /// Reads an argument.
    ///
    /// - Throws: ``CommandError`` for what is no URL.
    init(_ text: String, _ options: BenchOptions) throws(CommandError) {
        var url = Substring(text)
        var label: Substring = ""
        if let equals = text.firstIndex(of: "="), !text[..<equals].contains("/") {
            label = text[..<equals]
            url = text[text.index(after: equals)...]
        }
        var path = options.path ?? options.api.path
        var origin = url
        if let scheme = url.firstRange(of: "://"), let slash = url[scheme.upperBound...].firstIndex(of: "/") {
            origin = url[..<slash]
            let given = url[slash...]
            // `/v1` is what clients of the API call its base.
            if given.hasSuffix("/v1") || given.hasSuffix("/v1/") {
                let base = given.hasSuffix("/") ? given.dropLast() : given
                path = String(base + options.api.path.dropFirst("/v1".count))
            } else if given.count > 1 {
                path = String(given)
            }
        }
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CommandError("--path '\(path)' is no path that starts with '/'.")
        }
        let address = try EndpointArgument(String(origin), flag: "The target").address
        var target = LoadTarget(address: address, path: path)
        target.verifiesCertificate = !options.isInsecure
        target.caCertificatePath = options.caPath
        self.target = target
        self.url = String(origin) + path.prefix { $0 != "?" }
        let ending = options.api.path.dropFirst("/v1".count)
        modelsPath = (path.hasSuffix(ending) ? String(path.dropLast(ending.count)) : "/v1") + "/models"
        self.label = label.isEmpty ? "" : String(label)
    }

    /// The first model that the target lists.
    ///
    /// - Throws: ``CommandError`` when it does not answer or lists none.
    func firstModel(_ options: BenchOptions) async throws(CommandError) -> String {
        let response: OutboundResponse
        do {
            var configuration = EngineHTTPClientConfiguration()
            configuration.verifiesCertificates = !options.isInsecure
            configuration.caCertificatePath = options.caPath
            let client = try EngineHTTPClient(
                group: .singletonMultiThreadedEventLoopGroup,
                configuration: configuration
            )
            let request = OutboundRequest(
                address: target.address,
                path: modelsPath,
                timeout: .seconds(10),
                maxResponseBytes: 16 << 20,
                headers: options.authorization.map { [.init(name: "authorization", value: $0)] } ?? []
            )
            let result: Result<OutboundResponse, any Error>
            do { result = .success(try await client.get(request)) } catch { result = .failure(error) }
            await client.shutdown()
            response = try result.get()
        } catch {
            throw CommandError("\(url) does not answer: \(error). Is it running?")
        }
        guard response.status == 200, let model = response.body.withBytes(Self.firstModel) else {
            throw CommandError(
                "\(target.address) does not list its models (status \(response.status)); name one with --model.")
        }
        return model
    }

    /// `data[0].id` of a list of models.
    private static func firstModel(_ bytes: RawSpan) -> String? {
        var scanner = JSONScanner()
        do {
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                guard key.equals("data", in: bytes) else {
                    _ = try scanner.skipValue(in: bytes)
                    continue
                }
                try scanner.enterArray(in: bytes)
                guard try scanner.nextElement(in: bytes) else { return nil }
                try scanner.enterObject(in: bytes)
                while let key = try scanner.nextKey(in: bytes) {
                    let value = try scanner.skipValue(in: bytes)
                    if key.equals("id", in: bytes) { return value.string(in: bytes) }
                }
                return nil
            }
        } catch {
            return nil
        }
        return nil
    }
}

extension BenchOptions {
    /// The field that says who asks; `nil` for nobody.
    var authorization: String? {
        let key = apiKey ?? ProcessInfo.processInfo.environment["OPENAI_API_KEY"]
        return key.map { "Bearer \($0.trimmingWhitespace())" }
    }
}
