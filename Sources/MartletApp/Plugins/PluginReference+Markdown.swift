import GatewayConfiguration
import GatewayCore

extension PluginReference {
    /// The reference as a document: `docs/plugins.md`, when it is of all types.
    package var markdown: String {
        guard plugins.count > 1 else { return plugins.map { Self.section($0) }.joined() }
        var text = """
            # Plugins

            *For those who name a plugin in a configuration.*

            Every plugin type that a configuration can name, what it reads from its `parameters`, and what it writes and
            reads of a request's data. `make docs` writes this page (`martlet plugins --markdown`), and a test compares
            it. How plugins work together, and their formulas: [configuration](configuration.md). One of your own:
            [write a plugin in ten minutes](write-a-plugin.md).

            A parameter with nothing in the column of defaults may be left out as well. `[]` stands for each element of
            a list. A plugin reads data of the plugin that is named behind it; where that is not configured, it is
            added, unless the data is optional.

            """
        for group in groups { text += "\n## \(group.title)\n\n" + Self.body(group) }
        return text
    }

    private static func body(_ group: Group) -> String {
        guard group.plugins.contains(where: { !$0.kinds.isEmpty }) else {
            return "| type | why |\n|---|---|\n"
                + group.plugins.map { plugin in
                    "| `\(plugin.descriptor.type)` | \(cell(plugin.descriptor.obstacle ?? "")) |\n"
                }.joined()
        }
        return group.plugins.map(section).joined(separator: "\n")
    }

    private static func section(_ plugin: PluginDescription) -> String {
        var text = "### \(plugin.descriptor.type)\n\n\(plugin.advice)"
        guard !plugin.kinds.isEmpty else { return text + "\n" }
        if let canonical = plugin.canonicalType { return text + " Another name of `\(canonical)`.\n" }
        if plugin.descriptor.stability == .alpha { text += " Alpha: needs `--allow-experimental-plugins`." }
        text += "\n"
        var facts: [String] = []
        if plugin.kinds.count > 1 { facts.append("acts as \(plugin.roles)") }
        if !plugin.produces.isEmpty {
            facts.append("produces \(plugin.produces.map { "`\($0)`" }.joined(separator: ", "))")
        }
        if !plugin.needs.isEmpty { facts.append("reads \(plugin.needs.map(\.markdown).joined(separator: ", "))") }
        if !facts.isEmpty {
            let sentence = facts.joined(separator: "; ")
            text += "\n\(sentence.prefix(1).uppercased())\(sentence.dropFirst()).\n"
        }
        return text + "\n" + table(ParameterRow.rows(of: plugin.parameters))
    }

    private static func table(_ rows: [ParameterRow]) -> String {
        guard !rows.isEmpty else { return "No parameters.\n" }
        return "| parameter | kind | default | range |\n|---|---|---|---|\n"
            + rows.map { row in
                "| `\(row.path)` | \(cell(row.kind)) | \(cell(row.fallback)) | \(cell(row.range)) |\n"
            }.joined()
    }

    /// Text in a cell of a table, where a bar would end it.
    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|")
    }
}

extension PluginDescription.Need {
    fileprivate var markdown: String {
        let origin = producer.isEmpty ? "`\(data)`" : "`\(data)` of `\(producer)`"
        return isRequired ? origin : "\(origin) (optional)"
    }
}
