import Foundation
import GatewayConfiguration
import GatewayCore
import Testing

@testable import MartletApp

/// A configuration below `Golden`, with what `martlet check` is expected to say of it.
///
/// A case is a file `NAME.yaml` or `NAME.json`, or a folder `NAME.d`. Beside it stand `NAME.canonical.yaml` with what
/// is printed, and `NAME.warnings.txt` when there are warnings; or `NAME.error.txt` with what is wrong. A first line
/// `# flags: --allow-experimental-plugins` gives the check that flag. `MARTLET_UPDATE_GOLDEN=1` writes the
/// expectations anew.
struct GoldenCase: Sendable, CustomTestStringConvertible {
    /// The path of the input in the folder of the cases.
    let input: String

    var testDescription: String { input }

    /// What a check says.
    struct Outcome: Equatable {
        /// The texts by the suffix of their files.
        var files: [String: String]

        /// The suffixes of expectations.
        static let suffixes = [".canonical.yaml", ".warnings.txt", ".error.txt"]

        /// The canonical form; `nil` for a mistake.
        var canonical: String? { files[".canonical.yaml"] }
        /// What is wrong; `nil` for nothing.
        var error: String? { files[".error.txt"] }
    }

    /// The folder of the cases.
    static let folder = String(#filePath.dropLast("GoldenCase.swift".count)) + "Golden"

    /// Whether expectations are written instead of compared.
    static let isUpdating = ProcessInfo.processInfo.environment["MARTLET_UPDATE_GOLDEN"] == "1"

    /// Every file and folder of the cases, by path.
    static let paths: [String] = {
        let paths = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }
        return (paths ?? []).sorted()
    }()

    /// All cases.
    static let all: [GoldenCase] = paths.compactMap { path in
        let isInside = path.split(separator: "/").dropLast().contains { $0.hasSuffix(".d") }
        let isInput = [".yaml", ".json", ".d"].contains { path.hasSuffix($0) }
        let isExpectation = Outcome.suffixes.contains { path.hasSuffix($0) }
        return isInput && !isInside && !isExpectation ? GoldenCase(input: path) : nil
    }

    /// The input's path without what tells its form.
    var name: String {
        String(input.prefix(upTo: input.lastIndex(of: ".") ?? input.endIndex))
    }

    /// Checks the input.
    func run() -> Outcome {
        outcome { try check.run(path: "\(Self.folder)/\(input)") }
    }

    /// Checks a text in place of the input.
    func run(text: String) -> Outcome {
        outcome { try check.run(documents: try ConfigurationSet.documents(text: text, file: "canonical.yaml")) }
    }

    /// What the files say.
    func expected() -> Outcome {
        var files: [String: String] = [:]
        for suffix in Outcome.suffixes {
            files[suffix] = try? String(contentsOfFile: "\(Self.folder)/\(name)\(suffix)", encoding: .utf8)
        }
        return Outcome(files: files)
    }

    /// Writes the files.
    func update(to outcome: Outcome) throws {
        for suffix in Outcome.suffixes {
            let path = "\(Self.folder)/\(name)\(suffix)"
            if let text = outcome.files[suffix] {
                try text.write(toFile: path, atomically: true, encoding: .utf8)
            } else {
                try? FileManager.default.removeItem(atPath: path)
            }
        }
    }

    private var check: ConfigurationCheck {
        let text = try? String(contentsOfFile: "\(Self.folder)/\(input)", encoding: .utf8)
        return ConfigurationCheck(
            allowsExperimental: text?.hasPrefix("# flags: --allow-experimental-plugins\n") ?? false
        )
    }

    private func outcome(_ run: () throws -> ConfigurationCheck.Report) -> Outcome {
        do {
            let report = try run()
            var files = [".canonical.yaml": report.canonical]
            if !report.warnings.isEmpty { files[".warnings.txt"] = Self.text(report.warnings.joined(separator: "\n")) }
            return Outcome(files: files)
        } catch {
            return Outcome(files: [".error.txt": Self.text("\(error)")])
        }
    }

    /// Positions as if the check was run in the folder of the cases.
    private static func text(_ text: String) -> String {
        text.replacing(folder + "/", with: "") + "\n"
    }
}
