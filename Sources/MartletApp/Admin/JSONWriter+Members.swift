import RequestFormats

// Members of objects in one call each.
extension JSONWriter {
    /// Writes a text; `null` for `nil`.
    mutating func field(_ name: String, _ text: String?) {
        key(name)
        if let text { string(text) } else { null() }
    }

    /// Writes an integer; `null` for `nil`.
    mutating func field(_ name: String, _ number: Int?) {
        key(name)
        if let number { integer(number) } else { null() }
    }

    /// Writes a number, a whole one without a fraction; `null` for `nil`.
    mutating func number(_ number: Double?) {
        guard let number else { return null() }
        if let whole = Int(exactly: number) { integer(whole) } else { double(number) }
    }

    /// Writes a number as ``number(_:)`` does.
    mutating func field(_ name: String, _ value: Double?) {
        key(name)
        number(value)
    }

    /// Writes a truth.
    mutating func field(_ name: String, _ flag: Bool) {
        key(name)
        boolean(flag)
    }

    /// Writes an array of integers.
    mutating func field(_ name: String, _ numbers: [Int]) {
        key(name)
        beginArray()
        for number in numbers { integer(number) }
        endArray()
    }

    /// Writes an array of texts; `null` for `nil`.
    mutating func field(_ name: String, _ texts: [String]?) {
        key(name)
        guard let texts else { return null() }
        beginArray()
        for text in texts { string(text) }
        endArray()
    }

    /// Writes an object, whose members `body` writes.
    mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        beginObject()
        body(&self)
        endObject()
    }
}
