package import GatewayCore

/// The file of the endpoint picker's file discovery: one endpoint list, in YAML or JSON.
package enum EndpointListFile {
    /// The most bytes of the file.
    private static let maxBytes = 1 << 20

    /// Reads the file at `path`. Blocks while it reads.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong with the file and its entries.
    package static func load(path: String) throws(ConfigurationError) -> [EndpointEntry] {
        let documents = try YAMLDocumentReader().read(try ConfigurationFile.read(path, maxBytes: maxBytes), file: path)
        guard let value = documents.first, documents.count == 1 else {
            let message = "expected one list of endpoints, found \(documents.count) documents"
            throw ConfigurationError(position: SourcePosition(file: path), message: message)
        }
        let document = ParameterDecoder(value: value)
        document.accept("kind")
        let entries = EndpointEntry.decode(document)
        try document.finish()
        let duplicates = EndpointEntry.duplicates(in: entries)
        guard duplicates.isEmpty else { throw ConfigurationError(duplicates) }
        return entries
    }
}
