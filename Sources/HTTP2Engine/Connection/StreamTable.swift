/// A stream of a connection. It stays the name of that stream when its place has gone to another one.
package struct HTTP2Stream: Hashable, Sendable {
    /// The number that HTTP/2 knows it by; 1 or more.
    package let number: UInt32
    /// Its place among the open streams, from 0 and below the most streams that were ever open at once. Whoever keeps
    /// something for each stream can keep it there.
    package let place: Int

    init(number: UInt32, place: Int) {
        self.number = number
        self.place = place
    }

    /// The number and the place in one.
    package var rawValue: Int { place &<< 32 | Int(number) }

    /// The stream whose ``rawValue`` is `rawValue`.
    package init(rawValue: Int) {
        number = UInt32(truncatingIfNeeded: rawValue)
        place = rawValue &>> 32
    }
}

/// The state of an open stream.
struct StreamState {
    /// 0 for a place without a stream.
    var number: UInt32
    /// The client has ended its side.
    var isRemoteDone = false
    /// The response's header was sent.
    var isBegun = false
    /// All of the response was sent.
    var isLocalDone = false
    /// A byte has come, or something was answered: a reset is no sign of a flood.
    var isProcessed = false
    var isQueued = false
    /// Whether a reset follows the end, so that the client stops sending.
    var resetsBehindEnd = false
    var end: HTTP2CallEnd?
    var sendWindow: Int
    var receiveWindow: Int
    /// Bytes of answers that wait.
    var waiting = 0
    /// Padding that was received: its room in the window is given back with that of the bytes.
    var paddingBytes = 0
    /// What `content-length` announces and has not come yet.
    var contentLeft: Int?
    // The neighbours in the queue of streams that may send.
    var previous = -1
    var next = -1

    init(number: UInt32, sendWindow: Int, receiveWindow: Int) {
        self.number = number
        self.sendWindow = sendWindow
        self.receiveWindow = receiveWindow
    }
}

/// The open streams of a connection, found by their number.
struct StreamTable {
    private(set) var count = 0
    /// The states by place; read and changed in place.
    var states: [StreamState] = []
    private var free: [Int] = []
    /// An open-addressing table of places plus one; 0 is empty. Its length is a power of two, more than twice `count`.
    private var index = [UInt32](repeating: 0, count: 64)
    /// The hash must not be foreseeable: the peer chooses the numbers.
    private let multiplier: UInt32
    private var last = HTTP2Stream(number: 0, place: 0)

    init(multiplier: UInt32 = .random(in: 0 ... .max)) {
        self.multiplier = multiplier | 1
    }

    /// The open stream of a number, which is not 0.
    @inline(__always)
    mutating func find(_ number: UInt32) -> HTTP2Stream? {
        if last.number == number { return last }
        var bucket = home(number)
        while index[bucket] != 0 {
            let place = Int(index[bucket]) &- 1
            if states[place].number == number {
                last = HTTP2Stream(number: number, place: place)
                return last
            }
            bucket = (bucket &+ 1) & (index.count &- 1)
        }
        return nil
    }

    /// Whether a stream is still open.
    @inline(__always)
    func isOpen(_ stream: HTTP2Stream) -> Bool {
        stream.place < states.count && states[stream.place].number == stream.number
    }

    /// Adds a stream whose number is not in the table.
    mutating func insert(_ state: StreamState) -> HTTP2Stream {
        let place: Int
        if let reused = free.popLast() {
            place = reused
            states[place] = state
        } else {
            place = states.count
            states.append(state)
        }
        count &+= 1
        if 2 &* count >= index.count { rebuild(4 &* index.count) } else { enter(state.number, place) }
        last = HTTP2Stream(number: state.number, place: place)
        return last
    }

    /// Removes an open stream.
    mutating func remove(_ stream: HTTP2Stream) {
        if last.number == stream.number { last = HTTP2Stream(number: 0, place: 0) }
        var hole = home(stream.number)
        while Int(index[hole]) != stream.place &+ 1 { hole = (hole &+ 1) & (index.count &- 1) }
        // What stands behind the hole moves into it unless its own way begins behind it.
        var bucket = (hole &+ 1) & (index.count &- 1)
        while index[bucket] != 0 {
            let start = home(states[Int(index[bucket]) &- 1].number)
            if (bucket &- start) & (index.count &- 1) >= (bucket &- hole) & (index.count &- 1) {
                index[hole] = index[bucket]
                hole = bucket
            }
            bucket = (bucket &+ 1) & (index.count &- 1)
        }
        index[hole] = 0
        states[stream.place].number = 0
        states[stream.place].end = nil
        free.append(stream.place)
        count &-= 1
    }

    @inline(__always)
    private func home(_ number: UInt32) -> Int {
        Int((number &* multiplier) &>> UInt32(32 &- index.count.trailingZeroBitCount))
    }

    private mutating func enter(_ number: UInt32, _ place: Int) {
        var bucket = home(number)
        while index[bucket] != 0 { bucket = (bucket &+ 1) & (index.count &- 1) }
        index[bucket] = UInt32(truncatingIfNeeded: place &+ 1)
    }

    private mutating func rebuild(_ length: Int) {
        index = [UInt32](repeating: 0, count: length)
        for place in states.indices where states[place].number != 0 { enter(states[place].number, place) }
    }
}

/// How the streams that closed last were closed: what may still come for one depends on it.
struct ClosedStreams {
    enum Way: UInt8 {
        /// Both sides ended it.
        case ended
        /// The client reset it.
        case resetByPeer
        /// This side reset it; the client may not know yet.
        case resetHere
    }

    private static let most = 256
    private var numbers: [UInt32] = []
    private var ways: [Way] = []
    private var oldest = 0

    mutating func add(_ number: UInt32, _ way: Way) {
        if numbers.count < Self.most {
            numbers.append(number)
            ways.append(way)
        } else {
            numbers[oldest] = number
            ways[oldest] = way
            oldest = (oldest &+ 1) % Self.most
        }
    }

    /// How a stream was closed; `nil` when that was too long ago, or it never was open.
    func way(_ number: UInt32) -> Way? {
        numbers.firstIndex(of: number).map { ways[$0] }
    }
}
