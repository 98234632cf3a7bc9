/// Finds the model of a response in its JSON, which may be cut anywhere: the value of `model` in the outermost object,
/// and in that of an envelope around the response.
///
/// Text that a model generated cannot pass for one: it stands in strings, and what strings hold is passed over. Broken
/// JSON does no harm: what is no key called `model` at its place is passed over too. Nothing recurses or is kept: a
/// level of nesting is a number.
struct ModelValueFinder: Sendable {
    /// What came.
    enum Event: Hashable, Sendable {
        /// A string that is the model begins, with its quote at this offset.
        case begins(at: Int)
        /// The string that began is another name than the one that is looked for.
        case isOther
        /// The string that began is the name, and ends in front of this offset.
        case isName(end: Int)
    }

    private enum Place: Hashable, Sendable {
        /// Outside strings.
        case structure
        /// In the key of an object that is looked into.
        case key
        /// In a string that is passed over.
        case text
        /// Behind a backslash in such a string.
        case escape
        /// In a string that is the model.
        case model
    }

    private let envelope: KeyWord?
    private var name: JSONStringComparison
    private var place = Place.structure
    /// The objects and arrays around the present place.
    private var depth = 0
    /// Whether the outermost value is an object.
    private var isRootObject = false
    /// Whether the object on the second level is the envelope's.
    private var isInEnvelope = false
    /// Whether the next string of the object that is looked into is a key.
    private var expectsKey = false
    /// The key whose value comes, as far as it has come.
    private var key = KeyWord()

    /// Makes a finder at the start of a document.
    ///
    /// - Parameters:
    ///   - name: the name that is looked for.
    ///   - envelope: the key of an object in the outermost one that may have a model as well; at most eight bytes.
    init(name: String, envelope: StaticString?) {
        self.name = JSONStringComparison(with: name)
        self.envelope = envelope.map { KeyWord($0) }
    }

    /// Whether a string that is the model has begun and not ended.
    var isInModel: Bool { place == .model }

    /// Begins with another document.
    mutating func restart() {
        place = .structure
        depth = 0
        isRootObject = false
        isInEnvelope = false
    }

    /// Reads on to the next event; `nil` when there is none in front of `end`, where the offset is then.
    mutating func next(in bytes: RawSpan, from offset: inout Int, to end: Int) -> Event? {
        while offset < end {
            if place == .text {
                offset = bytes.endOfPlainText(from: offset)
                if offset >= end { return nil }
            }
            let byte = bytes.byte(at: offset)
            switch place {
            case .structure:
                offset &+= 1
                if passStructure(byte) { return .begins(at: offset &- 1) }
            case .key:
                offset &+= 1
                passKey(byte)
            case .text:
                offset &+= 1
                if byte == UInt8(ascii: "\"") {
                    place = .structure
                } else if byte == UInt8(ascii: "\\") {
                    place = .escape
                }
            case .escape:
                offset &+= 1
                place = .text
            case .model:
                switch name.take(byte) {
                case .open:
                    offset &+= 1
                case .equal:
                    offset &+= 1
                    place = .structure
                    return .isName(end: offset)
                case .different(let isPartOfEscape):
                    if isPartOfEscape { offset &+= 1 }
                    place = .text
                    return .isOther
                }
            }
        }
        return nil
    }

    /// Whether the present place is directly in an object that is looked into.
    private var isWatched: Bool {
        depth == 1 ? isRootObject : depth == 2 && isInEnvelope
    }

    /// Passes a byte outside strings; returns whether it is the quote in front of the model.
    private mutating func passStructure(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""):
            place = .text
            guard isWatched else { break }
            if expectsKey {
                place = .key
                key = KeyWord()
                expectsKey = false
            } else if key == .model {
                place = .model
                name.restart()
                return true
            }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let isObject = byte == UInt8(ascii: "{")
            if depth == 0 { isRootObject = isObject }
            if depth == 1 { isInEnvelope = isObject && isRootObject && key == envelope }
            depth &+= 1
            expectsKey = isObject
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth = max(0, depth &- 1)
            expectsKey = false
            key = KeyWord()
        case UInt8(ascii: ","):
            expectsKey = true
            key = KeyWord()
        default:
            break
        }
        return false
    }

    /// Passes a byte of a key. One with an escape is none that is looked for: engines write these keys plainly.
    private mutating func passKey(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""):
            place = .structure
        case UInt8(ascii: "\\"):
            key = KeyWord()
            place = .escape
        default:
            key.append(byte)
        }
    }
}

/// A key of up to eight bytes; a longer one equals none of these.
private struct KeyWord: Hashable, Sendable {
    static let model = KeyWord("model")

    private var bits: UInt64 = 0
    private var count: UInt8 = 0

    init() {}

    init(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { append(text.utf8Start[index]) }
    }

    mutating func append(_ byte: UInt8) {
        guard count <= 8 else { return }
        bits = bits &<< 8 | UInt64(byte)
        count &+= 1
    }
}
