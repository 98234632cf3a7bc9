/// What a plugin type reads from its parameters, in the order in which it asks.
///
/// Nobody writes a schema down: ``PluginRegistry/schema(of:)`` records what a plugin asks its ``ParameterDecoder`` for
/// while it is made, so the reference of a plugin cannot say anything else than the plugin does.
package struct ParameterSchema: Equatable, Sendable {
    /// What a value is.
    package indirect enum Kind: Equatable, Sendable {
        /// Whatever the plugin makes of it.
        case any
        /// `true` or `false`.
        case boolean
        /// A whole number.
        case integer
        /// A number.
        case number
        /// Text.
        case text
        /// A duration such as `1m30s`.
        case duration
        /// An amount such as `1Gi`.
        case amount
        /// One of these texts.
        case choice([String])
        /// An object of texts, such as labels.
        case textMap
        /// An object.
        case object(ParameterSchema)
        /// A list.
        case list(Kind)
    }

    /// One key.
    package struct Field: Equatable, Sendable {
        /// The key.
        package let key: String
        /// What its value is.
        package internal(set) var kind = Kind.any
        /// Whether it must be written.
        package internal(set) var isRequired = false
        /// What counts when it is not written; `nil` when the plugin then does without.
        package internal(set) var fallback: ConfigurationValue?
        /// The smallest value; `nil` for none.
        package internal(set) var minimum: ConfigurationValue?
        /// The largest value; `nil` for none.
        package internal(set) var maximum: ConfigurationValue?
        /// Whether the plugin does anything with it; older configurations may have keys that mean nothing any more.
        package internal(set) var hasEffect = true
    }

    /// The keys.
    package let fields: [Field]

    /// Makes a schema.
    package init(fields: [Field]) {
        self.fields = fields
    }
}

/// Notes what one object of parameters is asked for.
///
/// Of what is said about a key more than once the first counts, except that a kind may become more precise: a plugin
/// may look whether a key is there before it reads it.
final class ParameterRecorder {
    /// Whether objects and lists that may be left out read as if there were one, so that their keys are asked for.
    var offersNested = false {
        didSet { for recorder in nested.values { recorder.offersNested = offersNested } }
    }

    private var fields: [ParameterSchema.Field] = []
    private var nested: [String: ParameterRecorder] = [:]

    /// Notes `key` and what `detail` adds.
    func note(_ key: String, _ kind: ParameterSchema.Kind, detail: (inout ParameterSchema.Field) -> Void = { _ in }) {
        let index = fields.firstIndex { $0.key == key }
        var field = index.map { fields[$0] } ?? ParameterSchema.Field(key: key)
        field.kind = Self.refine(field.kind, by: kind)
        detail(&field)
        if let index { fields[index] = field } else { fields.append(field) }
    }

    /// The recorder of the object, or of the elements of the list, at `key`.
    func nested(_ key: String) -> ParameterRecorder {
        if let known = nested[key] { return known }
        let recorder = ParameterRecorder()
        recorder.offersNested = offersNested
        nested[key] = recorder
        return recorder
    }

    /// What was noted so far.
    var schema: ParameterSchema {
        ParameterSchema(
            fields: fields.map { field in
                var field = field
                if let inner = nested[field.key]?.schema { field.kind = Self.filled(field.kind, with: inner) }
                return field
            }
        )
    }

    private static func refine(_ known: ParameterSchema.Kind, by kind: ParameterSchema.Kind) -> ParameterSchema.Kind {
        switch (known, kind) {
        case (.any, _): kind
        case (.list(let known), .list(let element)): .list(refine(known, by: element))
        default: known
        }
    }

    private static func filled(_ kind: ParameterSchema.Kind, with inner: ParameterSchema) -> ParameterSchema.Kind {
        switch kind {
        case .object: .object(inner)
        case .list(let element): .list(filled(element, with: inner))
        default: kind
        }
    }
}

extension ParameterSchema.Kind {
    /// An object of which nothing is known yet.
    static let emptyObject = Self.object(ParameterSchema(fields: []))
}

extension ParameterSchema.Field {
    /// Sets what counts without the key, unless it is known.
    mutating func setFallback(_ content: ConfigurationValue.Content) {
        fallback = fallback ?? ConfigurationValue(content)
    }

    /// Sets the ends of a range, except for those that are the type's own.
    mutating func setRange<Bound: FixedWidthInteger>(_ range: ClosedRange<Bound>) {
        if range.lowerBound != .min { minimum = ConfigurationValue(.int(Int64(clamping: range.lowerBound))) }
        if range.upperBound != .max { maximum = ConfigurationValue(.int(Int64(clamping: range.upperBound))) }
    }

    /// Sets the ends of a range; `nil` for none.
    mutating func setRange(_ range: ClosedRange<Double>?) {
        guard let range else { return }
        if range.lowerBound != -Double.greatestFiniteMagnitude {
            minimum = ConfigurationValue(.double(range.lowerBound))
        }
        if range.upperBound != .greatestFiniteMagnitude { maximum = ConfigurationValue(.double(range.upperBound)) }
    }

    /// Sets the ends of a range; `nil` for none.
    mutating func setRange(_ range: ClosedRange<Duration>?) {
        guard let range else { return }
        minimum = ConfigurationValue(.string(GoDuration.format(range.lowerBound)))
        maximum = ConfigurationValue(.string(GoDuration.format(range.upperBound)))
    }
}
