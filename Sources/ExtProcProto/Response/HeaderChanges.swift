/// What becomes of a header field when one of its name is there (HeaderValueOption.append_action).
///
/// Envoy 1.39 overwrites or adds whatever is said here; other proxies do what is said.
package enum AppendAction: UInt8, Hashable, Sendable {
    /// Adds a second one.
    case appendIfExistsOrAdd = 0
    /// Leaves it as it is.
    case addIfAbsent = 1
    /// Takes its place.
    case overwriteIfExistsOrAdd = 2
    /// Takes its place, and does nothing when there is none.
    case overwriteIfExists = 3
}

/// A header field to set (config.core.v3.HeaderValueOption).
///
/// The value is written as `raw_value`: Envoy sets an empty header for one in `value`. The deprecated `append` is never
/// written.
package struct HeaderSetting: Hashable, Sendable {
    /// The name. Envoy takes any case.
    package var name: String
    /// The value, whose UTF-8 is sent. An empty one sets an empty field.
    package var value: String
    /// What becomes of a field of this name.
    package var action: AppendAction

    /// Makes a setting.
    package init(_ name: String, _ value: String, action: AppendAction = .overwriteIfExistsOrAdd) {
        self.name = name
        self.value = value
        self.action = action
    }
}

/// Changes to the header fields of a request or a response (HeaderMutation).
package struct HeaderChanges: Hashable, Sendable {
    /// Fields to set, in this order (field 1).
    package var settings: [HeaderSetting]
    /// Names of fields to remove (field 2).
    package var removals: [String]

    /// No changes.
    package static let none = HeaderChanges()

    /// Makes changes; without arguments there are none.
    package init(set settings: [HeaderSetting] = [], remove removals: [String] = []) {
        self.settings = settings
        self.removals = removals
    }
}

extension HeaderSetting {
    /// The size of the HeaderValue in bytes.
    @inline(__always)
    private var headerValueSize: Int {
        WireSize.optionalBytes(name.utf8.count) &+ WireSize.optionalBytes(value.utf8.count)
    }

    /// The size of the HeaderValueOption in bytes.
    @inline(__always)
    private var optionSize: Int {
        WireSize.bytes(headerValueSize) &+ WireSize.optionalNumber(UInt64(action.rawValue))
    }

    /// The size of a HeaderValue in a field of its own, in bytes.
    var fieldSizeAsHeaderValue: Int { WireSize.bytes(headerValueSize) }

    /// The size of a HeaderValueOption in a field of its own, in bytes.
    @inline(__always)
    var fieldSizeAsOption: Int { WireSize.bytes(optionSize) }

    /// Appends a HeaderValue in field 1.
    @inline(__always)
    func appendAsHeaderValue(to output: inout OutputRawSpan) {
        output.append(.bytes(1), length: headerValueSize)
        output.append(.bytes(1), optionalText: name)
        output.append(.bytes(3), optionalText: value)
    }

    /// Appends a HeaderValueOption in field 1.
    @inline(__always)
    func appendAsOption(to output: inout OutputRawSpan) {
        output.append(.bytes(1), length: optionSize)
        appendAsHeaderValue(to: &output)
        output.append(.varint(3), optionalNumber: UInt64(action.rawValue))
    }
}

extension HeaderChanges {
    /// The size of the HeaderMutation in bytes; 0 when nothing changes.
    var size: Int {
        var size = 0
        for setting in settings { size &+= setting.fieldSizeAsOption }
        for name in removals { size &+= WireSize.bytes(name.utf8.count) }
        return size
    }

    /// Appends the HeaderMutation of `size` bytes in a field, unless nothing changes.
    func append(_ tag: WireTag, size: Int, to output: inout OutputRawSpan) {
        guard size > 0 else { return }
        output.append(tag, length: size)
        for setting in settings { setting.appendAsOption(to: &output) }
        for name in removals { output.append(.bytes(2), text: name) }
    }
}
