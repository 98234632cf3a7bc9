extension FlagSet {
    /// The columns of the help text.
    private static var columns: Int { 100 }

    /// The text of `--help`: every flag with what it takes, its default, and what becomes of it.
    var help: String {
        var lines = ["OVERVIEW: \(abstract)", "", "USAGE: \(command) [FLAGS]"]
        for group in groups {
            lines += ["", "\(group.title.uppercased()):"]
            for flag in group.flags { lines += Self.lines(of: flag) }
        }
        lines += ["", "HELP:", "  -h, --help", "      Show this text."]
        return lines.joined(separator: "\n")
    }

    private static func lines(of flag: Flag<Options>) -> [String] {
        let short = flag.name.count == 1 ? "-\(flag.name), " : ""
        let takes = flag.kind == .boolean ? "" : " \(flag.kind.rawValue)"
        var text = flag.help
        switch flag.effect {
        case .effective: break
        case .deprecated(let instead): text += " Deprecated: \(instead)."
        case .none(let reason): text += " No effect: \(reason)."
        case .refused(let sentence): text += " Refused: \(sentence)"
        }
        if !flag.defaultText.isEmpty { text += " (default: \(flag.defaultText))" }
        return ["  \(short)--\(flag.name)\(takes)"] + wrap(text).map { "      \($0)" }
    }

    private static func wrap(_ text: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > columns - 6 {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return lines + [line]
    }
}
