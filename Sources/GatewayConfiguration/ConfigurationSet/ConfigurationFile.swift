import FoundationEssentials
package import GatewayCore

/// Reads a file of a configuration as text.
package enum ConfigurationFile {
    /// The most bytes of one file.
    package static let maxBytes = YAMLDocumentReader.Limits().maxBytes

    /// The text of `file`. Its size is looked at before a byte is read.
    ///
    /// - Throws: ``ConfigurationError`` when it is not a regular file, is too large, cannot be read or is not UTF-8.
    static func read(_ file: String, maxBytes: Int) throws(ConfigurationError) -> String {
        let position = SourcePosition(file: file)
        let attributes: [FileAttributeKey: Any]
        let bytes: Data
        do {
            // A folder of a mounted ConfigMap holds links; the size must be that of what they point to.
            let target = URL(filePath: file).resolvingSymlinksInPath().path
            attributes = try FileManager.default.attributesOfItem(atPath: target)
            guard attributes[.type] as? FileAttributeType == .typeRegular else {
                throw ConfigurationError(position: position, message: "it is not a regular file")
            }
            if let size = attributes[.size] as? UInt64, size > UInt64(maxBytes) {
                let message = "the file has \(size) bytes; at most \(maxBytes) are read"
                throw ConfigurationError(position: position, message: message)
            }
            bytes = try Data(contentsOf: URL(filePath: target))
        } catch let error as ConfigurationError {
            throw error
        } catch {
            throw ConfigurationError(position: position, message: "the file cannot be read: \(error)")
        }
        return try text(of: bytes, file: file)
    }

    /// The text that `bytes`, those of `file`, are in UTF-8.
    ///
    /// - Throws: ``ConfigurationError`` with the line that is not UTF-8.
    package static func text(of bytes: some Collection<UInt8>, file: String) throws(ConfigurationError) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let line = 1 + validPrefix(of: bytes).count { $0 == UInt8(ascii: "\n") }
        throw ConfigurationError(
            position: SourcePosition(file: file, line: line, column: 1), message: "the line is not UTF-8"
        )
    }

    /// The bytes of `bytes` before the first line that is not UTF-8.
    private static func validPrefix<Bytes: Collection<UInt8>>(of bytes: Bytes) -> Bytes.SubSequence {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let end = newline.map { bytes.index(after: $0) } ?? bytes.endIndex
            guard String(validating: bytes[start..<end], as: UTF8.self) != nil else { break }
            start = end
        }
        return bytes[..<start]
    }
}
