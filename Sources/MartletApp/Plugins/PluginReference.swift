import BuiltinPlugins
import GatewayConfiguration
package import GatewayCore

/// `martlet plugins`: what there is to know of the plugin types, as text, as Markdown and as JSON. All of it comes from
/// the registry and from what the plugins themselves ask for.
package struct PluginReference: Sendable {
    /// The types of one heading.
    struct Group {
        /// What they are.
        let title: String
        /// The types, in the order of registration.
        let plugins: [PluginDescription]
    }

    /// The types, in the order of registration.
    let plugins: [PluginDescription]

    /// The reference of `plugins`.
    init(_ plugins: [PluginDescription]) {
        self.plugins = plugins
    }

    /// The reference of a type, or of all of them.
    ///
    /// - Parameters:
    ///   - type: the type; `nil` for all.
    ///   - plugins: the types that there are; `nil` for those that are built in.
    /// - Throws: ``CommandError`` when there is no such type.
    package init(type: String?, in plugins: PluginRegistry? = nil) throws(CommandError) {
        let registry = plugins ?? BuiltinCatalogue.registry()
        guard let type else {
            self.init(registry.descriptions)
            return
        }
        guard let description = registry.description(of: type) else {
            let near = NearestName.find(type, in: registry.typeNames).map { " (did you mean '\($0)'?)" } ?? ""
            throw CommandError("There is no plugin type '\(type)'\(near). martlet plugins lists all.")
        }
        self.init([description])
    }

    /// The types by the first thing that they do; those that cannot be used come last.
    var groups: [Group] {
        var groups = PluginKind.allCases.map { kind in
            Group(title: kind.title, plugins: plugins.filter { $0.kinds.first == kind })
        }
        groups.append(Group(title: "Not in this release", plugins: plugins.filter { $0.kinds.isEmpty }))
        return groups.filter { !$0.plugins.isEmpty }
    }
}

extension PluginKind {
    /// The heading of the types of this kind.
    fileprivate var title: String {
        plural.prefix(1).uppercased() + plural.dropFirst()
    }
}

extension PluginDescription {
    /// The summary, with what there is to warn of in front.
    var advice: String {
        descriptor.deprecation.map { "Deprecated: \($0). \(descriptor.summary)" } ?? descriptor.summary
    }

    /// Where the type acts, in words.
    var roles: String { kinds.map(\.rawValue).joined(separator: ", ") }
}

extension PluginDescription.Need {
    /// The data and who writes it, in words.
    var phrase: String {
        let origin = producer.isEmpty ? data : "\(data) of \(producer)"
        return isRequired ? origin : "\(origin) (optional)"
    }
}

/// One line of a table of parameters.
struct ParameterRow {
    /// The path of the parameter, with `[]` for the elements of a list.
    let path: String
    /// What the value is.
    let kind: String
    /// What counts without it.
    let fallback: String
    /// What it may be.
    let range: String

    /// The rows of a schema, those of nested objects behind their own.
    static func rows(of schema: ParameterSchema, under base: String = "") -> [ParameterRow] {
        schema.fields.flatMap { field -> [ParameterRow] in
            let path = base.isEmpty ? field.key : "\(base).\(field.key)"
            let row = ParameterRow(
                path: path, kind: field.kind.phrase, fallback: field.fallbackPhrase, range: field.rangePhrase
            )
            guard let (suffix, inner) = field.kind.nested else { return [row] }
            return [row] + rows(of: inner, under: path + suffix)
        }
    }
}

extension ParameterSchema.Kind {
    /// The kind in words.
    var phrase: String { phrase(isPlural: false) }

    private func phrase(isPlural: Bool) -> String {
        switch self {
        case .any: "any"
        case .boolean: "true or false"
        case .integer: isPlural ? "whole numbers" : "whole number"
        case .number: isPlural ? "numbers" : "number"
        case .text: isPlural ? "texts" : "text"
        case .duration: isPlural ? "durations" : "duration"
        case .amount: isPlural ? "amounts" : "amount"
        case .choice: "choice"
        case .textMap: isPlural ? "objects of texts" : "object of texts"
        case .object: isPlural ? "objects" : "object"
        case .list(let element): (isPlural ? "lists of " : "list of ") + element.phrase(isPlural: true)
        }
    }

    /// What an object, or each element of a list, holds, and what its path adds to that of the list.
    fileprivate var nested: (suffix: String, schema: ParameterSchema)? {
        switch self {
        case .object(let schema): ("", schema)
        case .list(let element): element.nested.map { ("[]" + $0.suffix, $0.schema) }
        default: nil
        }
    }
}

extension ParameterSchema.Field {
    /// What counts when the key is not written, in words; empty when nothing does.
    fileprivate var fallbackPhrase: String {
        if !hasEffect { return "no effect" }
        return isRequired ? "required" : fallback.map(Self.phrase) ?? ""
    }

    /// What the value may be, in words; empty for anything of its kind.
    fileprivate var rangePhrase: String {
        if case .choice(let names) = kind { return names.joined(separator: ", ") }
        if minimum?.content == .double(.leastNonzeroMagnitude) {
            return "above 0" + (maximum.map { " and at most \(Self.phrase($0))" } ?? "")
        }
        switch (minimum.map(Self.phrase), maximum.map(Self.phrase)) {
        case (let low?, let high?): return "\(low) to \(high)"
        case (let low?, nil): return "at least \(low)"
        case (nil, let high?): return "at most \(high)"
        case (nil, nil): return ""
        }
    }

    /// A value as a configuration writes it, without the quotes that it does not need.
    private static func phrase(_ value: ConfigurationValue) -> String {
        switch value.content {
        case .string(let text) where !text.isEmpty: text
        case .double(let number): Int64(exactly: number).map { "\($0)" } ?? "\(number)"
        default: value.description
        }
    }
}
