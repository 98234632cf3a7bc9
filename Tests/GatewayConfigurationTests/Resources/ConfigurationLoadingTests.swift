import FoundationEssentials
import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite struct ConfigurationLoadingTests {
    /// Runs `body` with the path of a fresh folder that holds `files`, and removes the folder.
    private func withFolder(_ files: [String: Data], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, content) in files { try content.write(to: folder.appending(path: name)) }
        try body(folder.path)
    }

    private func documents(_ names: [String]) -> String {
        names.map { "kind: Endpoints\nendpoints: [{name: \($0), address: 127.0.0.1, port: 1}]\n" }.joined(
            separator: "---\n")
    }

    private func message(_ path: String) -> String {
        do {
            _ = try ConfigurationSet.load(path: path)
            return ""
        } catch {
            return error.description.replacing(path, with: "DIR")
        }
    }

    @Test func readsTheFilesOfAFolderInOrder() throws {
        let files = [
            "b.yml": documents(["c"]), "a.yaml": documents(["a", "b"]), ".hidden.yaml": "not: [yaml", "notes.txt": "]",
            "c.json": #"{"kind": "Endpoints", "endpoints": [{"name": "d", "address": "::1", "port": 1}]}"#,
        ]
        try withFolder(files.mapValues { Data($0.utf8) }) { folder in
            let set = try ConfigurationSet.load(path: folder)
            #expect(set.endpoints.map(\.id.name) == ["a", "b", "c", "d"])
            #expect(set.endpoints[2].position.description == "\(folder)/b.yml:2:13")
            #expect(try ConfigurationSet.load(path: folder + "/b.yml").endpoints.map(\.id.name) == ["c"])
        }
    }

    @Test func readsThroughLinks() throws {
        try withFolder(["data": Data(documents(["a"]).utf8)]) { folder in
            try FileManager.default.createSymbolicLink(atPath: folder + "/a.yaml", withDestinationPath: "data")
            #expect(try ConfigurationSet.load(path: folder).endpoints.count == 1)
        }
    }

    @Test func reportsWhatCannotBeRead() throws {
        try withFolder(["a.yaml": Data("a: *b".utf8), "b.yaml": Data("a: 1\nb: \u{e9}\n".utf8) + [0xFF, 0x0A]]) {
            folder in
            #expect(
                message(folder) == """
                    DIR/a.yaml:1:4: not YAML: found undefined alias
                    DIR/b.yaml:3:1: the line is not UTF-8
                    """
            )
            #expect(message(folder + "/c.yaml") == "DIR: there is no such file or folder")
        }
        try withFolder([:]) { folder in
            #expect(message(folder) == "DIR: the folder has no *.yaml, *.yml or *.json file")
        }
        try withFolder(["a.yaml": Data("# nothing\n---\n".utf8)]) { folder in
            #expect(message(folder) == "DIR: there is no document in it")
            try FileManager.default.createDirectory(atPath: folder + "/b.yaml", withIntermediateDirectories: false)
            #expect(message(folder) == "DIR/b.yaml: it is not a regular file")
        }
        try withFolder(["a.yaml": Data(repeating: 0x20, count: (8 << 20) + 1)]) { folder in
            #expect(message(folder) == "DIR/a.yaml: the file has 8388609 bytes; at most 8388608 are read")
        }
    }
}
