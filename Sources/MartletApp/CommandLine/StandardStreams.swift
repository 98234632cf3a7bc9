import GatewayConfiguration
import GatewayCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A place of the process to write text to, unbuffered: whoever waits for a line sees it at once.
package enum StandardStream: Int32, Sendable {
    /// Standard output.
    case output = 1
    /// Standard error.
    case error = 2

    /// Writes all of `text`, or as much as is taken.
    package func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { systemWrite(rawValue, $0) }
            if written <= 0 { return }
            rest = rest.dropFirst(written)
        }
    }
}

/// The C function, which the method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

/// Standard input as a text.
enum StandardInput {
    /// What positions in it are named after.
    static let name = "<stdin>"

    /// Reads everything to the end. Blocks until then.
    ///
    /// - Throws: ``ConfigurationError`` when it has more than `maxBytes`, cannot be read or is not UTF-8.
    static func read(maxBytes: Int) throws(ConfigurationError) -> String {
        let position = SourcePosition(file: name)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { systemRead($0) }
            if count == 0 { return try ConfigurationFile.text(of: bytes, file: name) }
            guard count > 0 else { throw ConfigurationError(position: position, message: "it cannot be read") }
            bytes += chunk[..<count]
            guard bytes.count <= maxBytes else {
                throw ConfigurationError(position: position, message: "it has more than \(maxBytes) bytes")
            }
        }
    }

    /// What the system's call returns: how many bytes it read, below 0 for an error in `errno`.
    static func systemRead(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(0, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
            Musl.read(0, bytes.baseAddress, bytes.count)
        #else
            Darwin.read(0, bytes.baseAddress, bytes.count)
        #endif
    }
}
