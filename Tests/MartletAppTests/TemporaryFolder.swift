import Foundation

/// A folder of a test, removed with it.
final class TemporaryFolder {
    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file; its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    /// Makes a folder; its path.
    @discardableResult
    func makeFolder(_ name: String) throws -> String {
        let folder = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Puts a symbolic link to `target` at `name`, in place of one that is there, in one step.
    func link(_ name: String, to target: String) throws {
        let fresh = "\(path)/\(name).next"
        try FileManager.default.createSymbolicLink(atPath: fresh, withDestinationPath: target)
        guard rename(fresh, "\(path)/\(name)") == 0 else { throw CocoaError(.fileWriteUnknown) }
    }
}
