import FoundationEssentials
import GatewayCore

/// Reads a file of a configuration as text.
enum ConfigurationFile {
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
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let line = 1 + validPrefix(of: bytes).count { $0 == UInt8(ascii: "\n") }
            let place = SourcePosition(file: file, line: line, column: 1)
            throw ConfigurationError(position: place, message: "the line is not UTF-8")
        }
        return text
    }

    /// The bytes of `bytes` before the first line that is not UTF-8.
    private static func validPrefix(of bytes: Data) -> Data {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.endIndex
            guard String(validating: bytes[start..<end], as: UTF8.self) != nil else { break }
            start = end
        }
        return bytes[..<start]
    }
}
