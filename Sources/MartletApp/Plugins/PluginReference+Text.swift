import GatewayConfiguration
import GatewayCore

extension PluginReference {
    /// A table of all types, by kind.
    package var list: String {
        let typeWidth = plugins.map(\.descriptor.type.count).max() ?? 0
        let blocks = groups.map { group in
            let lines = group.plugins.map { plugin in
                let type = plugin.descriptor.type.padded(to: typeWidth)
                guard plugin.descriptor.obstacle == nil else { return "  \(type)  \(plugin.descriptor.summary)\n" }
                return "  \(type)  \(plugin.descriptor.stability.rawValue.padded(to: 6))  \(plugin.advice)\n"
            }
            return group.title + "\n" + lines.joined()
        }
        return blocks.joined(separator: "\n")
    }

    /// Everything about each type.
    package var details: String {
        plugins.map(Self.details).joined(separator: "\n")
    }

    private static func details(_ plugin: PluginDescription) -> String {
        var text = "\(plugin.descriptor.type)\n  \(plugin.advice)\n"
        guard !plugin.kinds.isEmpty else { return text }
        text += "\n  acts as    \(plugin.roles)\n  stability  \(plugin.descriptor.stability.rawValue)\n"
        if let canonical = plugin.canonicalType { text += "  same as    \(canonical)\n" }
        if !plugin.produces.isEmpty { text += "  produces   \(plugin.produces.joined(separator: ", "))\n" }
        if !plugin.needs.isEmpty { text += "  reads      \(plugin.needs.map(\.phrase).joined(separator: ", "))\n" }
        return text + "\n" + table(ParameterRow.rows(of: plugin.parameters))
    }

    private static func table(_ rows: [ParameterRow]) -> String {
        guard !rows.isEmpty else { return "  no parameters\n" }
        let head = ParameterRow(path: "parameter", kind: "kind", fallback: "default", range: "range")
        let cells = ([head] + rows).map { [$0.path, $0.kind, $0.fallback, $0.range] }
        let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            var line = zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return "  \(line)\n"
        }.joined()
    }
}

extension String {
    /// The text with spaces behind it, `width` characters in all.
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
