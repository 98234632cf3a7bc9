import FoundationEssentials
package import GatewayCore

extension ConfigurationSet {
    /// The most files of a folder, and the most bytes of all of them.
    private static let maxFiles = 1_000
    private static let maxTotalBytes = 64 << 20

    /// Reads the file at `path`, or the `*.yaml`, `*.yml` and `*.json` files of the folder there in the order of their
    /// names; hidden files and subfolders are not read. Blocks while it reads.
    ///
    /// - Throws: ``ConfigurationError`` when a file cannot be read or the configuration is wrong.
    package static func load(path: String) throws(ConfigurationError) -> ConfigurationSet {
        try decode(documents: documents(path: path))
    }

    /// The documents of the file or folder at `path`, in the order of ``load(path:)``. What is wrong with the syntax of
    /// several files is reported at once. Blocks while it reads.
    ///
    /// - Throws: ``ConfigurationError`` when a file cannot be read, is not YAML, or when there is no document.
    package static func documents(path: String) throws(ConfigurationError) -> [ConfigurationValue] {
        let files = try files(path: path)
        let limits = YAMLDocumentReader.Limits()
        var documents: [ConfigurationValue] = []
        var problems: [ConfigurationProblem] = []
        var totalBytes = 0
        for file in files {
            do throws(ConfigurationError) {
                let text = try ConfigurationFile.read(file, maxBytes: limits.maxBytes)
                totalBytes += text.utf8.count
                guard totalBytes <= maxTotalBytes else {
                    let message = "the files up to this one have more than \(maxTotalBytes) bytes"
                    throw ConfigurationError(position: SourcePosition(file: file), message: message)
                }
                documents += try YAMLDocumentReader(limits: limits).read(text, file: file)
            } catch {
                problems += error.problems
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return try nonEmpty(documents, file: path)
    }

    /// The documents of `text`.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - file: the name of the source in positions.
    /// - Throws: ``ConfigurationError`` when it is not YAML, or when there is no document.
    package static func documents(text: String, file: String) throws(ConfigurationError) -> [ConfigurationValue] {
        try nonEmpty(try YAMLDocumentReader().read(text, file: file), file: file)
    }

    private static func nonEmpty(
        _ documents: [ConfigurationValue],
        file: String
    ) throws(ConfigurationError) -> [ConfigurationValue] {
        guard !documents.isEmpty else {
            throw ConfigurationError(position: SourcePosition(file: file), message: "there is no document in it")
        }
        return documents
    }

    /// The files that are read for `path`, in their order.
    static func files(path: String) throws(ConfigurationError) -> [String] {
        let position = SourcePosition(file: path)
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw ConfigurationError(position: position, message: "there is no such file or folder")
        }
        guard isDirectory else { return [path] }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw ConfigurationError(position: position, message: "the folder cannot be read: \(error)")
        }
        let chosen = names.filter { name in
            !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
        }
        guard !chosen.isEmpty else {
            throw ConfigurationError(position: position, message: "the folder has no *.yaml, *.yml or *.json file")
        }
        guard chosen.count <= maxFiles else {
            let message = "the folder has \(chosen.count) files; at most \(maxFiles) are read"
            throw ConfigurationError(position: position, message: message)
        }
        let folder = path.hasSuffix("/") ? path : path + "/"
        return chosen.sorted().map { folder + $0 }
    }
}
