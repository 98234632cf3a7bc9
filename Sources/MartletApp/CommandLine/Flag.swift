/// What a command was told by its flags. The initial values are the flags' defaults.
protocol FlagOptions: Sendable {
    /// The options of a command without a flag.
    init()
}

/// A flag of a command, declared once: its name, what it takes, what it does.
struct Flag<Options: FlagOptions>: Sendable {
    /// What a flag takes; the word that the help shows.
    enum Kind: String {
        /// `--flag`, `--flag=false`; never the next word.
        case boolean = ""
        case integer = "INT"
        case text = "TEXT"
        /// Values between commas; the flag may be repeated.
        case list = "LIST"
        case duration = "DURATION"
        case quantity = "QUANTITY"
    }

    /// What becomes of a value that was read.
    enum Effect: Sendable {
        case effective
        /// It is used, and there is a better way to say it: what to write instead.
        case deprecated(instead: String)
        /// It is checked and not used: why, as the end of the sentence "--flag has no effect: …".
        case none(because: String)
        /// The flag must not be given: why, as a sentence.
        case refused(String)
    }

    let name: String
    let kind: Kind
    /// One or more sentences.
    let help: String
    /// The default as a user would write it; empty for none.
    let defaultText: String
    let effect: Effect
    /// Reads a value into the options.
    let read: @Sendable (FlagValue, inout Options) throws(CommandError) -> Void
}

/// Flags under one title of the help.
struct FlagGroup<Options: FlagOptions>: Sendable {
    let title: String
    let flags: [Flag<Options>]
}

// MARK: - Flags that set an option

extension Flag {
    typealias Path<Value> = any WritableKeyPath<Options, Value> & Sendable

    static func boolean(_ name: String, _ path: Path<Bool>, _ help: String) -> Flag {
        make(name, .boolean, path, help, show: \.description) { value throws(CommandError) in try value.boolean() }
    }

    static func integer(
        _ name: String,
        _ path: Path<Int>,
        in range: ClosedRange<Int> = .min ... .max,
        _ help: String
    ) -> Flag {
        make(name, .integer, path, help, show: \.description) { value throws(CommandError) in
            try value.integer(in: range)
        }
    }

    /// A whole number that has no default.
    static func integer(_ name: String, _ path: Path<Int?>, in range: ClosedRange<Int>, _ help: String) -> Flag {
        make(name, .integer, path, help, show: { $0?.description ?? "" }) { value throws(CommandError) in
            try value.integer(in: range)
        }
    }

    static func text(_ name: String, _ path: Path<String>, _ help: String, effect: Effect = .effective) -> Flag {
        make(name, .text, path, help, effect: effect, show: { $0 }) { value in value.text }
    }

    static func duration(
        _ name: String,
        _ path: Path<Duration>,
        in range: ClosedRange<Duration>,
        _ help: String
    ) -> Flag {
        make(name, .duration, path, help, show: FlagValue.format) { value throws(CommandError) in
            try value.duration(in: range)
        }
    }

    /// An amount of bytes; an empty text is the default.
    static func bytes(_ name: String, _ path: Path<Int>, _ help: String) -> Flag {
        let standard = Options()[keyPath: path]
        return make(name, .quantity, path, help, show: FlagValue.formatBytes) { value throws(CommandError) in
            value.text.isEmpty ? standard : try value.bytes()
        }
    }

    /// An amount of bytes without a default; an empty text is none.
    static func bytes(_ name: String, _ path: Path<Int?>, _ help: String) -> Flag {
        make(name, .quantity, path, help, show: { $0.map(FlagValue.formatBytes) ?? "" }) { value throws(CommandError) in
            value.text.isEmpty ? nil : try value.bytes()
        }
    }

    /// Texts between commas, without blanks around them; the first flag replaces the default, others add to it.
    static func list(_ name: String, _ path: Path<[String]>, _ help: String) -> Flag {
        Flag(name: name, kind: .list, help: help, defaultText: "", effect: .effective) { value, options in
            if value.isFirst { options[keyPath: path] = [] }
            options[keyPath: path] += value.list
        }
    }

    /// A text as it stands each time that the flag is given.
    static func repeated(_ name: String, _ path: Path<[String]>, _ help: String) -> Flag {
        Flag(name: name, kind: .text, help: help, defaultText: "", effect: .effective) { value, options in
            options[keyPath: path].append(value.text)
        }
    }

    private static func make<Value>(
        _ name: String,
        _ kind: Kind,
        _ path: Path<Value>,
        _ help: String,
        effect: Effect = .effective,
        show: (Value) -> String,
        read: @escaping @Sendable (FlagValue) throws(CommandError) -> Value
    ) -> Flag {
        let defaultText = show(Options()[keyPath: path])
        return Flag(name: name, kind: kind, help: help, defaultText: defaultText, effect: effect) {
            value, options throws(CommandError) in
            options[keyPath: path] = try read(value)
        }
    }
}

// MARK: - Flags that set nothing

extension Flag {
    /// A flag whose value is checked by its kind and then forgotten.
    static func withoutEffect(
        _ name: String,
        _ kind: Kind,
        default defaultText: String = "",
        _ help: String,
        because reason: String
    ) -> Flag {
        Flag(name: name, kind: kind, help: help, defaultText: defaultText, effect: .none(because: reason)) {
            value, _ throws(CommandError) in
            switch kind {
            case .boolean: _ = try value.boolean()
            case .integer: _ = try value.integer(in: .min ... .max)
            case .duration: _ = try value.duration(in: FlagValue.anyDuration)
            case .quantity: if !value.text.isEmpty { _ = try value.bytes() }
            case .text, .list: break
            }
        }
    }

    /// A flag that must not be given.
    static func refused(_ name: String, _ kind: Kind, _ help: String, because sentence: String) -> Flag {
        Flag(name: name, kind: kind, help: help, defaultText: "", effect: .refused(sentence)) { _, _ in }
    }

    /// The same flag with another effect.
    func with(_ effect: Effect) -> Flag {
        Flag(name: name, kind: kind, help: help, defaultText: defaultText, effect: effect, read: read)
    }
}
