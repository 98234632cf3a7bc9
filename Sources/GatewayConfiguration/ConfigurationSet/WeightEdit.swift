import FoundationEssentials
import GatewayCore

/// Another weight for one target of a rewrite, in the file where it is written: one number changes, and every other
/// byte stays, comments too.
package struct WeightEdit: Sendable {
    /// Why a weight is not changed.
    package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// Whether there is no such rewrite or target; else there is one that cannot be changed this way.
        package let isUnknown: Bool
        /// One sentence.
        package let description: String
    }

    /// The rewrite.
    package let rewrite: ResourceName
    /// The target model.
    package let target: String
    /// The new weight.
    package let weight: Int

    /// The weights that a target can have.
    package static let weights = 1...1_000_000

    /// Makes an edit.
    ///
    /// - Throws: ``Refusal`` for a weight that no target can have.
    package init(rewrite: ResourceName, target: String, weight: Int) throws(Refusal) {
        guard Self.weights.contains(weight) else {
            let range = "\(Self.weights.lowerBound) to \(Self.weights.upperBound)"
            throw Refusal(isUnknown: false, description: "the weight \(weight) is not from \(range)")
        }
        self.rewrite = rewrite
        self.target = target
        self.weight = weight
    }

    /// A file as it is to be.
    package struct EditedFile: Sendable {
        /// Its path, as the configuration names it.
        package let path: String
        /// Where it lies: what ``path`` leads to when it is a link.
        package let place: String
        /// Its text.
        package let text: String
    }

    /// The file at `path`, or that one of the folder there which has the rewrite, with the weight. Blocks while it
    /// reads.
    ///
    /// - Throws: ``Refusal``; also for files that cannot be read.
    package func edited(at path: String) throws(Refusal) -> EditedFile {
        do {
            for file in try ConfigurationSet.files(path: path) {
                let text = try ConfigurationFile.read(file, maxBytes: ConfigurationFile.maxBytes)
                guard let edited = try applied(to: text, file: file) else { continue }
                let place = URL(filePath: file).resolvingSymlinksInPath().path
                return EditedFile(path: file, place: place, text: edited)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw refused("the configuration cannot be changed: \(error)")
        }
        throw Refusal(isUnknown: true, description: "no file of the configuration has the rewrite '\(rewrite)'")
    }

    /// `text` with the weight; `nil` when it does not have the rewrite.
    ///
    /// - Throws: ``Refusal`` when it has the rewrite and the weight cannot be changed; `ConfigurationError` when it is
    ///   not YAML.
    func applied(to text: String, file: String) throws -> String? {
        let documents = try YAMLDocumentReader().read(text, file: file)
        let resources = documents.flatMap(Self.resources).filter(isMeant)
        guard let resource = resources.first else { return nil }
        let weight = try weight(in: resource)
        guard let place = Self.place(of: weight.position, in: text) else {
            throw refused("the weight of '\(target)' is not where it was read")
        }
        let digits = text[place...].prefix { $0.isASCII && $0.isNumber }
        // What is not plain digits may stand for more than this one number: an anchor, say.
        guard case .int(let present) = weight.content, Int64(digits) == present else {
            throw refused("the weight of '\(target)' at \(weight.position) is not written as a plain number")
        }
        let edited = "\(text[..<place])\(self.weight)\(text[digits.endIndex...])"
        try check(edited, file: file)
        return edited
    }

    /// Reads the edited text once more: it must say the new weight.
    private func check(_ text: String, file: String) throws {
        let resources = try YAMLDocumentReader().read(text, file: file).flatMap(Self.resources).filter(isMeant)
        guard let resource = resources.first, try weight(in: resource).content == .int(Int64(weight)) else {
            throw refused("the weight of '\(target)' in \(file) cannot be changed without changing more")
        }
    }

    /// The document, or what is in it when it is a list.
    private static func resources(_ document: ConfigurationValue) -> [ConfigurationValue] {
        guard document["kind"]?.content == .string("List"), case .array(let items) = document["items"]?.content else {
            return [document]
        }
        return items
    }

    private func isMeant(_ resource: ConfigurationValue) -> Bool {
        let kinds = [ResourceKind.rewrite, .model].map { ConfigurationValue.Content.string($0.rawValue) }
        guard let kind = resource["kind"]?.content, kinds.contains(kind), let metadata = resource["metadata"] else {
            return false
        }
        let namespace = metadata["namespace"]?.content ?? .string("default")
        return metadata["name"]?.content == .string(rewrite.name) && namespace == .string(rewrite.namespace)
    }

    /// Where the weight of the target is.
    private func weight(in resource: ConfigurationValue) throws(Refusal) -> ConfigurationValue {
        var targets = resource["spec"]?["targetModels"]?.elements ?? []
        for rule in resource["spec"]?["rules"]?.elements ?? [] { targets += rule["targets"]?.elements ?? [] }
        let named = targets.filter { ($0["modelRewrite"] ?? $0["name"])?.content == .string(target) }
        guard let found = named.first else {
            let message = "the rewrite '\(rewrite)' has no target '\(target)'"
            throw Refusal(isUnknown: true, description: message)
        }
        if named.count > 1 {
            throw refused("the rewrite '\(rewrite)' has the target '\(target)' in \(named.count) rules")
        }
        guard let weight = found["weight"], !weight.isNull else {
            throw refused("the target '\(target)' of the rewrite '\(rewrite)' has no weight written out")
        }
        return weight
    }

    /// The character at `position`, whose line and column count from 1, a column for each Unicode scalar.
    private static func place(of position: SourcePosition, in text: String) -> String.Index? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        var line = 1
        while line < position.line {
            guard let end = scalars[index...].firstIndex(where: isBreak) else { return nil }
            let isPair = scalars[end] == "\r" && scalars[scalars.index(after: end)...].first == "\n"
            index = scalars.index(end, offsetBy: isPair ? 2 : 1)
            line += 1
        }
        return scalars.index(index, offsetBy: position.column - 1, limitedBy: scalars.endIndex)
    }

    /// Whether YAML begins a new line behind it.
    private static func isBreak(_ scalar: Unicode.Scalar) -> Bool {
        [0x0A, 0x0D, 0x85, 0x2028, 0x2029].contains(scalar.value)
    }

    private func refused(_ description: String) -> Refusal {
        Refusal(isUnknown: false, description: description)
    }
}

extension ConfigurationValue {
    /// The elements of a list; none of anything else.
    fileprivate var elements: [ConfigurationValue] {
        if case .array(let elements) = content { elements } else { [] }
    }
}
