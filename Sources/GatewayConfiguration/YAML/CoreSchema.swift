import GatewayCore

/// What a YAML scalar means: the core schema of YAML 1.2.2 (chapter 10.3). So `yes`, `on` and `1:30` are text.
enum CoreSchema {
    /// The value of `text`. A plain scalar without a tag is looked at; any other is text unless its tag says otherwise.
    /// `nil` when the tag is not one of the core schema's or the text does not fit it.
    static func resolve(_ text: String, tag: String, isPlain: Bool) -> ConfigurationValue.Content? {
        switch tag {
        case "": isPlain ? resolvePlain(text) : .string(text)
        case "!", "tag:yaml.org,2002:str": .string(text)
        case "tag:yaml.org,2002:null": isNull(text) ? .null : nil
        case "tag:yaml.org,2002:bool": bool(text).map { .bool($0) }
        case "tag:yaml.org,2002:int": integer(text).map { .int($0) }
        case "tag:yaml.org,2002:float": (float(text) ?? integer(text).map { Double($0) }).map { .double($0) }
        default: nil
        }
    }

    private static func resolvePlain(_ text: String) -> ConfigurationValue.Content {
        if isNull(text) { return .null }
        if let flag = bool(text) { return .bool(flag) }
        if let number = integer(text) { return .int(number) }
        if let number = float(text) { return .double(number) }
        return .string(text)
    }

    private static func isNull(_ text: String) -> Bool {
        switch text {
        case "", "~", "null", "Null", "NULL": true
        default: false
        }
    }

    private static func bool(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    /// `[-+]?[0-9]+`, `0o[0-7]+`, `0x[0-9a-fA-F]+`. A number beyond `Int64` is a floating-point number, as in JSON.
    private static func integer(_ text: String) -> Int64? {
        if text.hasPrefix("0o") { return unsigned(text.dropFirst(2), radix: 8) }
        if text.hasPrefix("0x") { return unsigned(text.dropFirst(2), radix: 16) }
        return Int64(text)
    }

    private static func unsigned(_ digits: Substring, radix: Int) -> Int64? {
        // The standard library takes a sign here; the schema does not.
        guard let first = digits.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
        return Int64(digits, radix: radix)
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, `[-+]?\.inf`, `\.nan`.
    private static func float(_ text: String) -> Double? {
        switch text {
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .infinity
        case "-.inf", "-.Inf", "-.INF": return -.infinity
        case ".nan", ".NaN", ".NAN": return .nan
        default: break
        }
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        let whole = takeDigits(&rest)
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = takeDigits(&rest)
        }
        guard whole > 0 || fraction > 0 else { return nil }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
            guard takeDigits(&rest) > 0 else { return nil }
        }
        guard rest.isEmpty else { return nil }
        return Double(text) ?? Double(text.replacing(".", with: ".0", maxReplacements: 1))
    }

    private static func takeDigits(_ rest: inout Substring.UTF8View) -> Int {
        let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }.count
        rest = rest.dropFirst(digits)
        return digits
    }
}
