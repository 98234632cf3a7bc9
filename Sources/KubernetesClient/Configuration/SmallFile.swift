import FoundationEssentials

/// Reads the small files of a configuration: tokens, certificates, kubeconfig files.
enum SmallFile {
    /// The most bytes of a file. A bundle of all authorities that systems trust has a tenth of it.
    static let maxBytes = 4 << 20

    /// The bytes of the file at `path`. Waits for the disk, on the thread that calls.
    static func read(_ path: String) throws(Problem) -> [UInt8] {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            if let size = attributes[.size] as? UInt64, size > UInt64(maxBytes) {
                throw Problem(isMissing: false, reason: "the file has \(size) bytes; at most \(maxBytes) are read")
            }
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch let problem as Problem {
            throw problem
        } catch let error as CocoaError {
            switch error.code {
            case .fileReadNoSuchFile, .fileNoSuchFile: throw Problem(isMissing: true, reason: "there is no such file")
            case .fileReadNoPermission: throw Problem(isMissing: false, reason: "this process may not read the file")
            default: throw Problem(isMissing: false, reason: "the file cannot be read: \(error)")
            }
        } catch {
            throw Problem(isMissing: false, reason: "the file cannot be read: \(error)")
        }
    }

    /// The text of the file at `path` without white space around it; not empty.
    static func readToken(_ path: String) throws(Problem) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw Problem(isMissing: false, reason: "the file is not text")
        }
        let token = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        guard !token.isEmpty else { throw Problem(isMissing: false, reason: "the file is empty") }
        return String(token)
    }

    /// Why a file cannot be read.
    struct Problem: Error, Hashable {
        /// Whether there is no such file.
        let isMissing: Bool
        /// What is wrong, as the end of a sentence.
        let reason: String
    }
}

extension ByteSource {
    /// The bytes. Waits for the disk when they are in a file.
    func read() throws(SmallFile.Problem) -> [UInt8] {
        switch self {
        case .data(let bytes): bytes
        case .file(let path): try SmallFile.read(path)
        }
    }
}
