import KubernetesClient
import NIOCore

/// A type of object for tests.
struct Gadget: KubernetesObject, Hashable {
    struct Spec: Decodable, Hashable {
        var size: Int
        var tags: [String]?
    }

    static let resource = APIResource(group: "tests.example", version: "v1", plural: "gadgets", kind: "Gadget")
    static let query = ResourceQuery(resource, namespace: "ns")

    var metadata: ObjectMetadata
    var spec: Spec

    /// The JSON of a gadget; `size` is any JSON value.
    static func json(_ name: String, version: Int, uid: String = "u", size: String = "1", more: String = "") -> String {
        #"{"metadata":{"name":"\#(name)","namespace":"ns","uid":"\#(uid)","resourceVersion":"\#(version)"},"#
            + #""spec":{"size":\#(size)}\#(more)}"#
    }

    /// The JSON of a list.
    static func list(_ items: [String], version: String, continuation: String = "") -> String {
        #"{"kind":"GadgetList","apiVersion":"tests.example/v1","metadata":{"resourceVersion":"\#(version)","#
            + #""continue":"\#(continuation)"},"items":[\#(items.joined(separator: ","))]}"#
    }

    /// The JSON of an event of a watch, as a line.
    static func event(_ type: String, _ object: String) -> String {
        #"{"type":"\#(type)","object":\#(object)}"# + "\n"
    }

    /// The JSON of a bookmark, as a line.
    static func bookmark(_ version: Int) -> String {
        event("BOOKMARK", #"{"kind":"Gadget","metadata":{"resourceVersion":"\#(version)"}}"#)
    }

    /// The JSON of a `Status`.
    static func status(_ code: Int, _ reason: String, _ message: String, details: String = "{}") -> String {
        #"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"\#(message)","#
            + #""reason":"\#(reason)","details":\#(details),"code":\#(code)}"#
    }
}

/// A source of numbers that are the same in each run (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    /// True so many times in a hundred.
    mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &self) < percent
    }

    /// The text in pieces, of which some have a byte only.
    mutating func pieces(of text: String, longest: Int = 200) -> [ByteBuffer] {
        var rest = ByteBuffer(string: text)
        var pieces: [ByteBuffer] = []
        while rest.readableBytes > 0 {
            let length = chance(30) ? 1 : Int.random(in: 1...longest, using: &self)
            if let piece = rest.readSlice(length: min(length, rest.readableBytes)) { pieces.append(piece) }
        }
        return pieces
    }
}
