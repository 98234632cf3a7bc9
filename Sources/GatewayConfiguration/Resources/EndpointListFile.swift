package import GatewayCore

/// The file of the endpoint picker's file discovery: one endpoint list, in YAML or JSON.
package struct EndpointListFile: Sendable {
    /// The endpoints, in written order.
    package let endpoints: [ListedEndpoint]
    /// What looks like a mistake.
    package let warnings: [ConfigurationProblem]

    /// The most bytes of the file.
    private static let maxBytes = 1 << 20

    /// Reads the file at `path`. Blocks while it reads.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - targetPorts: the ports of entries without one of their own, 1 to 8; without any, such entries are mistakes.
    /// - Throws: ``ConfigurationError`` with everything that is wrong with the file and its entries.
    package static func load(path: String, targetPorts: [Int] = []) throws(ConfigurationError) -> EndpointListFile {
        let documents = try YAMLDocumentReader().read(try ConfigurationFile.read(path, maxBytes: maxBytes), file: path)
        guard let value = documents.first, documents.count == 1 else {
            let message = "expected one list of endpoints, found \(documents.count) documents"
            throw ConfigurationError(position: SourcePosition(file: path), message: message)
        }
        let document = ParameterDecoder(value: value)
        document.accept("kind")
        let entries = EndpointEntry.decode(document)
        // What is wrong with one entry hides nothing of the others.
        var problems: [ConfigurationProblem] = []
        do throws(ConfigurationError) { try document.finish() } catch { problems = error.problems }
        problems += entries.compactMap { $0.missingPort(targetPorts: targetPorts) }
        problems += EndpointEntry.duplicates(in: entries)
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return EndpointListFile(
            endpoints: entries.flatMap { $0.endpoints(targetPorts: targetPorts) },
            warnings: document.warnings + entries.compactMap { $0.strayActivePorts(targetPorts: targetPorts) }
        )
    }
}
