/// Reads one object of a configuration strictly and collects everything that is wrong with it.
///
/// Reading never throws: a value that is missing, of the wrong kind or out of range is recorded as a problem, and the
/// reader gets the default (or the documented stand-in), so that one run finds all problems. ``finish()`` then throws
/// them together with every key that nobody has read. Whoever makes a decoder calls ``finish()``; the plugin registry
/// does so for plugins, after their initialisers.
///
/// ```swift
/// init(parameters: ParameterDecoder, context: inout PluginContext) throws {
///     threshold = parameters.int("queueThreshold", default: 128, in: 1...100_000)
///     window = parameters.duration("window", default: .seconds(5))
/// }
/// ```
///
/// A `null` value counts as absent. A decoder is used while a configuration is loaded, by one thread.
public final class ParameterDecoder {
    /// Where the object starts.
    public let position: SourcePosition
    /// The path of the object in its document, such as `plugins[0].parameters`.
    public let path: String
    /// The keys of the object in written order, including those whose value is `null`.
    public let keys: [String]

    private let members: [String: ConfigurationValue.Member]
    private let collector: Collector
    /// Notes what is asked for, where a schema is made instead of a plugin.
    let recorder: ParameterRecorder?
    private var children: [ParameterDecoder] = []
    private var asked: [String] = []
    private var askedSet: Set<String> = []
    private var reportedUnknown = false

    /// The problems and warnings of a decoder and everything below it.
    private final class Collector {
        var problems: [ConfigurationProblem] = []
        var warnings: [ConfigurationProblem] = []
    }

    /// Makes a decoder of `value`. Without a value (or with `null`) every key is absent; a value that is not an object
    /// is a problem.
    ///
    /// - Parameters:
    ///   - value: the object.
    ///   - path: its path in the document.
    ///   - position: where it would stand, for what is said of an object that is not there.
    public convenience init(value: ConfigurationValue?, path: String = "", position: SourcePosition = .builtin) {
        self.init(value, path: path, position: position, collector: Collector())
    }

    /// Makes a decoder without any value, which tells `recorder` what it is asked for.
    convenience init(recorder: ParameterRecorder) {
        self.init(nil, path: "", position: .builtin, collector: Collector(), recorder: recorder)
    }

    private init(
        _ value: ConfigurationValue?,
        path: String,
        position: SourcePosition,
        collector: Collector,
        recorder: ParameterRecorder? = nil
    ) {
        self.path = path
        self.collector = collector
        self.recorder = recorder
        self.position = value?.position ?? position
        switch value?.content {
        case .object(let members):
            keys = members.map(\.key)
            self.members = Dictionary(members.map { ($0.key, $0) }) { first, _ in first }
        case nil, .null:
            keys = []
            members = [:]
        case .some:
            keys = []
            members = [:]
            let message = "expected an object, found \(value?.description ?? "nothing")"
            collector.problems.append(ConfigurationProblem(position: self.position, path: path, message: message))
        }
    }

    // MARK: - Values as they stand

    /// Whether `key` is written with a value that is not `null`. Counts as reading it.
    public func contains(_ key: String) -> Bool {
        value(key) != nil
    }

    /// Records each of `keys` that is absent as a problem: for values that are read by readers without a required form.
    public func require(_ keys: String...) {
        for key in keys where !contains(key) { reportMissing(key) }
    }

    /// The value of `key` as it stands; `nil` when it is absent or `null`.
    public func value(_ key: String) -> ConfigurationValue? {
        recorder?.note(key, .any)
        if askedSet.insert(key).inserted { asked.append(key) }
        guard let value = members[key]?.value, !value.isNull else { return nil }
        return value
    }

    /// The path of `key` in the document.
    public func path(of key: String) -> String {
        Self.path(path, key)
    }

    /// Where `key` stands; the start of the object when it is absent.
    public func position(of key: String) -> SourcePosition {
        members[key]?.keyPosition ?? position
    }

    // MARK: - Objects and lists

    /// A decoder of the object at `key`; `nil` when it is absent. It is finished with this decoder.
    public func object(_ key: String) -> ParameterDecoder? {
        recorder?.note(key, .emptyObject)
        if let recorder, recorder.offersNested { return ParameterDecoder(recorder: recorder.nested(key)) }
        return value(key).map { child($0, path: path(of: key)) }
    }

    /// A decoder of the object at `key`, whose absence is a problem and reads as an empty object of which nothing more
    /// is reported.
    public func requiredObject(_ key: String) -> ParameterDecoder {
        recorder?.note(key, .emptyObject) { $0.isRequired = true }
        if let recorder { return ParameterDecoder(recorder: recorder.nested(key)) }
        if let object = object(key) { return object }
        reportMissing(key)
        return ParameterDecoder(nil, path: path(of: key), position: position, collector: Collector())
    }

    /// Decoders of the objects in the list at `key`; empty when it is absent. They are finished with this decoder.
    public func objects(_ key: String) -> [ParameterDecoder] {
        recorder?.note(key, .list(.emptyObject))
        if let recorder, recorder.offersNested { return [ParameterDecoder(recorder: recorder.nested(key))] }
        return array(key).enumerated().map { index, element in child(element, path: "\(path(of: key))[\(index)]") }
    }

    /// The elements of the list at `key` as they stand; empty when it is absent.
    public func array(_ key: String) -> [ConfigurationValue] {
        recorder?.note(key, .list(.any))
        guard let value = value(key) else { return [] }
        guard case .array(let elements) = value.content else {
            reportMismatch(value, expected: "a list", key: key)
            return []
        }
        return elements
    }

    /// A decoder of `value`, which must be an object. One that is not is reported here and reads as an empty object of
    /// which nothing more is reported: fields that are missing in it are no news.
    private func child(_ value: ConfigurationValue, path: String) -> ParameterDecoder {
        guard case .object = value.content else {
            let message = "expected an object, found \(value)"
            collector.problems.append(ConfigurationProblem(position: value.position, path: path, message: message))
            return ParameterDecoder(nil, path: path, position: value.position, collector: Collector())
        }
        let child = ParameterDecoder(value, path: path, position: value.position, collector: collector)
        children.append(child)
        return child
    }

    // MARK: - Problems

    /// The problems found so far in this decoder's root and everything below it, in the order they were found.
    public var problems: [ConfigurationProblem] { collector.problems }

    /// The warnings recorded so far in this decoder's root and everything below it.
    public var warnings: [ConfigurationProblem] { collector.warnings }

    /// Records that something is wrong with the value of `key`, or with the object itself when there is no key.
    ///
    /// - Parameters:
    ///   - message: a sentence without a full stop that has the offending value.
    ///   - key: the key whose value is wrong.
    ///   - value: the value's own position is used when it is given, which matters inside lists.
    ///   - candidates: the names that would have been right; the one nearest to `name` is suggested.
    ///   - name: the name that was written.
    public func report(
        _ message: String,
        at key: String? = nil,
        value: ConfigurationValue? = nil,
        candidates: [String] = [],
        name: String? = nil
    ) {
        collector.problems.append(
            problem(message, at: key, value: value, suggestion: name.flatMap { NearestName.find($0, in: candidates) })
        )
    }

    /// Records that an element of the list at `key` is wrong.
    public func report(_ message: String, at key: String, index: Int, value: ConfigurationValue) {
        let path = "\(path(of: key))[\(index)]"
        collector.problems.append(ConfigurationProblem(position: value.position, path: path, message: message))
    }

    /// Records that something is suspicious or of no effect; a warning fails nothing.
    public func warn(_ message: String, at key: String? = nil) {
        collector.warnings.append(problem(message, at: key, value: nil, suggestion: nil))
    }

    /// Accepts `keys` without using them, and warns about each one that is written: for fields that exist elsewhere and
    /// have no effect here.
    public func acceptWithoutEffect(_ keys: String..., because reason: String) {
        for key in keys {
            recorder?.note(key, .any) { if $0.kind == .any { $0.hasEffect = false } }
            if contains(key) { warn("has no effect: \(reason)", at: key) }
        }
    }

    /// Accepts `keys` without using them and without a word.
    public func accept(_ keys: String...) {
        for key in keys {
            recorder?.note(key, .any) { if $0.kind == .any { $0.hasEffect = false } }
            _ = value(key)
        }
    }

    /// An error of everything found so far and `message`, to throw where reading cannot go on.
    public func error(
        _ message: String,
        candidates: [String] = [],
        value: String? = nil
    ) -> ConfigurationError {
        let suggestion = value.flatMap { NearestName.find($0, in: candidates) }
        return ConfigurationError(
            collector.problems + [problem(message, at: nil, value: nil, suggestion: suggestion)]
        )
    }

    /// Records every key, here and in the objects read from here, that nobody has read, and throws all problems of the
    /// decoder's root. May be called again.
    ///
    /// - Throws: ``ConfigurationError`` when there is any problem.
    public func finish() throws(ConfigurationError) {
        reportUnknownKeys()
        guard collector.problems.isEmpty else { throw ConfigurationError(collector.problems) }
    }

    /// Records every key that nobody has read, here and in the objects read from here.
    package func reportUnknownKeys() {
        collector.problems += takeUnknownKeys()
    }

    /// The keys that nobody has read, here and in the objects read from here, for readers that go on without them. Each
    /// is told once.
    package func takeUnknownKeys() -> [ConfigurationProblem] {
        let below = children.flatMap { $0.takeUnknownKeys() }
        guard !reportedUnknown else { return below }
        reportedUnknown = true
        return below
            + keys.filter { !askedSet.contains($0) }.map { key in
                let suggestion = NearestName.find(key, in: asked.lazy.filter { self.members[$0] == nil } + asked)
                var message = "unknown field \(ConfigurationProblem.quoted(key))"
                if suggestion == nil { message += knownFields }
                return problem(message, at: key, value: nil, suggestion: suggestion)
            }
    }

    private var knownFields: String {
        switch asked.count {
        case 0: "; no field is known here"
        case ...12: "; known are \(asked.joined(separator: ", "))"
        default: ""
        }
    }

    private func problem(
        _ message: String,
        at key: String?,
        value: ConfigurationValue?,
        suggestion: String?
    ) -> ConfigurationProblem {
        ConfigurationProblem(
            position: value?.position ?? key.map(position(of:)) ?? position,
            path: key.map(path(of:)) ?? path,
            message: message,
            suggestion: suggestion
        )
    }

    /// Records that `value`, at `key` or within the list there, is not of the expected kind.
    func reportMismatch(
        _ value: ConfigurationValue,
        expected: String,
        key: String,
        index: Int? = nil,
        member: String? = nil
    ) {
        var place = path(of: key)
        if let index { place += "[\(index)]" }
        if let member { place = Self.path(place, member) }
        collector.problems.append(
            ConfigurationProblem(
                position: value.position,
                path: place,
                message: "expected \(expected), found \(value)"
            )
        )
    }

    /// Records that `key` is absent.
    func reportMissing(_ key: String) {
        recorder?.note(key, .any) { $0.isRequired = true }
        report("required field \"\(key)\" is missing", at: key)
    }

    /// `base.key`, with keys that are no plain words in brackets: `metadata.labels["app.kubernetes.io/name"]`.
    package static func path(_ base: String, _ key: String) -> String {
        let isWord = key.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || "0"..."9" ~= scalar || scalar == "-" || scalar == "_"
        }
        guard isWord, !key.isEmpty else { return "\(base)[\(ConfigurationProblem.quoted(key))]" }
        return base.isEmpty ? key : "\(base).\(key)"
    }
}
