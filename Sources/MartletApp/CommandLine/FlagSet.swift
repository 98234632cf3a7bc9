import GatewayCore

/// The flags of a command, read as Go's pflag reads them: `--flag value`, `--flag=value`, `-v 3`, `-v3`, `-v=3`.
///
/// Beside that, the spellings of the endpoint picker's first releases are understood, with a warning: `--poolName` for
/// `--pool-name`, and one dash in front of a long name.
struct FlagSet<Options: FlagOptions>: Sendable {
    /// What a command line says.
    enum Reading {
        /// The user asks what there is.
        case help
        case options(Parsed)
    }

    /// The options that a command line sets.
    struct Parsed: Sendable {
        var options: Options
        /// The names of the flags that were given.
        var given: Set<String>
        /// What is accepted and has no effect, or should be written otherwise. Full sentences.
        var warnings: [String]
    }

    /// The command as the user calls it, such as `martlet epp`.
    let command: String
    /// One sentence about it.
    let abstract: String
    /// The flags in the order of the help.
    let groups: [FlagGroup<Options>]

    /// Every flag.
    var flags: [Flag<Options>] { groups.flatMap(\.flags) }

    /// Reads `arguments`, the words behind the command.
    ///
    /// - Throws: ``CommandError`` for the first word that cannot be used.
    func read(_ arguments: [String]) throws(CommandError) -> Reading {
        var reader = FlagReader(set: self, rest: arguments[...])
        while let word = reader.rest.popFirst() {
            if try reader.read(word) { return .help }
        }
        return .options(reader.parsed)
    }
}

/// One pass over the words of a command line.
private struct FlagReader<Options: FlagOptions> {
    let byName: [String: Flag<Options>]
    let names: [String]
    let command: String
    var rest: ArraySlice<String>
    var parsed = FlagSet<Options>.Parsed(options: Options(), given: [], warnings: [])

    init(set: FlagSet<Options>, rest: ArraySlice<String>) {
        let flags = set.flags
        byName = Dictionary(flags.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        names = flags.map(\.name)
        command = set.command
        self.rest = rest
    }

    /// Reads one word, and the next one when it is its value. Returns whether the user asks for help.
    mutating func read(_ word: String) throws(CommandError) -> Bool {
        if word == "--help" || word == "-h" { return true }
        if word.hasPrefix("--"), word.count > 2 {
            try readLong(word.dropFirst(2), dashes: "--")
        } else if word.hasPrefix("-"), word.count > 1, word != "--" {
            try readShort(word.dropFirst())
        } else if word != "--" || !rest.isEmpty {
            let stray = word == "--" ? rest.first ?? word : word
            throw CommandError("'\(stray)' is not a flag, and \(command) takes nothing else\(hint(stray)).")
        }
        return false
    }

    /// A value behind a flag that takes none is easily written with a blank.
    private func hint(_ word: String) -> String {
        let value = FlagValue(flag: "", text: word, isFirst: true)
        return (try? value.boolean()) == nil ? "" : "; write --flag=\(word) for a flag that is true or false"
    }

    private mutating func readLong(_ body: Substring, dashes: String) throws(CommandError) {
        let parts = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let written = String(parts[0])
        guard let (flag, isOld) = find(written) else {
            let near = NearestName.find(written, in: names).map { " (did you mean --\($0)?)" } ?? ""
            throw CommandError("\(dashes)\(written) is not a flag of \(command)\(near).")
        }
        if isOld || dashes == "-" { warn("\(dashes)\(written) is deprecated: write --\(flag.name).") }
        if parts.count == 2 {
            try set(flag, to: String(parts[1]))
        } else if flag.kind == .boolean {
            try set(flag, to: "true")
        } else {
            try set(flag, to: try value(of: flag))
        }
    }

    private mutating func readShort(_ body: Substring) throws(CommandError) {
        let name = body.prefix { $0 != "=" }
        if name.count > 1, find(String(name)) != nil { return try readLong(body, dashes: "-") }
        guard let flag = byName[String(body.prefix(1))] else {
            throw CommandError("-\(body) is not a flag of \(command).")
        }
        let attached = body.dropFirst()
        let text = attached.hasPrefix("=") ? attached.dropFirst() : attached
        try set(flag, to: attached.isEmpty ? try value(of: flag) : String(text))
    }

    /// The flag called `name`, by its name or its spelling of old.
    private func find(_ name: String) -> (flag: Flag<Options>, isOld: Bool)? {
        if let flag = byName[name] { return (flag, false) }
        guard name.contains(where: \.isUppercase) else { return nil }
        let dashed = name.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
        return byName[String(dashed.drop { $0 == "-" })].map { ($0, true) }
    }

    private mutating func value(of flag: Flag<Options>) throws(CommandError) -> String {
        guard let value = rest.popFirst() else { throw CommandError("--\(flag.name) needs a value.") }
        return value
    }

    private mutating func set(_ flag: Flag<Options>, to text: String) throws(CommandError) {
        let value = FlagValue(flag: flag.name, text: text, isFirst: !parsed.given.contains(flag.name))
        try flag.read(value, &parsed.options)
        parsed.given.insert(flag.name)
        switch flag.effect {
        case .effective:
            break
        case .deprecated(let instead):
            warn("--\(flag.name) is deprecated: \(instead).")
        case .none(let reason):
            // What has no effect is not done: who turns it off gets what he wants.
            if flag.kind == .boolean, try !value.boolean() { return }
            warn("--\(flag.name) has no effect: \(reason).")
        case .refused(let sentence):
            throw CommandError("--\(flag.name) cannot be used: \(sentence)")
        }
    }

    private mutating func warn(_ sentence: String) {
        if !parsed.warnings.contains(sentence) { parsed.warnings.append(sentence) }
    }
}
