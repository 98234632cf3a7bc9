/// The endpoints that a proxy or a test lets a request go to: the value of `x-gateway-destination-endpoint-subset` and
/// of headers in its form.
///
/// An item is `host`, which stands for all ports of the host, or `host:port`. An IPv6 host may stand in brackets and
/// must do so in front of a port; it is compared as an address, not as text. An item that is neither stands for nobody,
/// so that a spelling mistake never opens a request to endpoints that were not named.
package struct EndpointSubset: Hashable, Sendable {
    private struct Member: Hashable, Sendable {
        let host: String
        /// The port; `nil` for all.
        let port: Int?
    }

    /// From this many members on, a look-up in a table is faster than comparing them one by one.
    private static let tableThreshold = 16

    private let members: [Member]
    /// The ports by host, with `nil` among them for all; empty below the threshold.
    private let table: [String: Set<Int?>]

    /// Makes a subset of items, of which each may be a list with commas. Blanks around items do not count.
    package init(_ items: some Sequence<String>) {
        members = items.flatMap { item in
            item.split(separator: ",").compactMap { Self.member($0.trimmingWhitespace()) }
        }
        var table: [String: Set<Int?>] = [:]
        if members.count >= Self.tableThreshold {
            for member in members { table[member.host, default: []].insert(member.port) }
        }
        self.table = table
    }

    /// Whether it has no member: then it contains nobody.
    package var isEmpty: Bool { members.isEmpty }

    /// Whether `address` is one of the endpoints.
    package func contains(_ address: EndpointAddress) -> Bool {
        guard !members.isEmpty else { return false }
        let host = Self.canonical(address.host)
        guard table.isEmpty else {
            guard let ports = table[host] else { return false }
            return ports.contains(address.port) || ports.contains(nil)
        }
        return members.contains { $0.host == host && ($0.port ?? address.port) == address.port }
    }

    private static func member(_ text: String) -> Member? {
        var host = text[...]
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":") else { return nil }
                port = rest.dropFirst()
            }
        } else if let colon = text.firstIndex(of: ":"), colon == text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        guard let port else { return Member(host: canonical(String(host)), port: nil) }
        guard port.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let number = Int(port), 1...65_535 ~= number else {
            return nil
        }
        return Member(host: canonical(String(host)), port: number)
    }

    /// The one spelling of a host: IPv6 addresses with all groups, everything in lower case.
    private static func canonical(_ host: String) -> String {
        if host.utf8.contains(UInt8(ascii: ":")), let address = IPv6Groups(host[...]) { return address.description }
        return host.utf8.contains { $0 &- 0x41 < 26 } ? host.lowercased() : host
    }
}

/// The eight groups of an IPv6 address (RFC 4291, 2.2), with its zone.
private struct IPv6Groups: CustomStringConvertible {
    private let groups: [UInt16]
    private let zone: Substring

    /// Reads an address in any of its spellings; `nil` when the text is none.
    init?(_ text: Substring) {
        let percent = text.firstIndex(of: "%") ?? text.endIndex
        zone = text[percent...]
        var pieces = text[..<percent].split(separator: ":", omittingEmptySubsequences: false)[...]
        // A gap at an end gives two empty pieces, one within gives one.
        if pieces.count >= 2, pieces[pieces.startIndex].isEmpty {
            guard pieces[pieces.startIndex + 1].isEmpty else { return nil }
            pieces.removeFirst()
        }
        if pieces.count >= 2, pieces[pieces.endIndex - 1].isEmpty {
            guard pieces[pieces.endIndex - 2].isEmpty else { return nil }
            pieces.removeLast()
        }
        var front: [UInt16] = []
        var back: [UInt16]?
        for (index, piece) in zip(pieces.indices, pieces) {
            if piece.isEmpty {
                guard back == nil else { return nil }
                back = []
                continue
            }
            guard let values = Self.values(piece, isLast: index == pieces.endIndex - 1) else { return nil }
            if back == nil { front += values } else { back? += values }
        }
        let missing = 8 - front.count - (back?.count ?? 0)
        guard back == nil ? missing == 0 : missing > 0 else { return nil }
        groups = front + Array(repeating: 0, count: missing) + (back ?? [])
    }

    var description: String {
        groups.map { String($0, radix: 16) }.joined(separator: ":") + zone
    }

    /// One group, or the two of an IPv4 address at the end.
    private static func values(_ piece: Substring, isLast: Bool) -> [UInt16]? {
        guard piece.utf8.contains(UInt8(ascii: ".")) else {
            guard piece.utf8.count <= 4, piece.utf8.allSatisfy(\.isHexadecimalDigit) else { return nil }
            return UInt16(piece, radix: 16).map { [$0] }
        }
        let parts = piece.split(separator: ".", omittingEmptySubsequences: false)
        guard isLast, parts.count == 4, parts.allSatisfy({ $0.utf8.allSatisfy { $0 &- 0x30 < 10 } }) else { return nil }
        let bytes = parts.compactMap { UInt8($0) }
        guard bytes.count == 4 else { return nil }
        return [UInt16(bytes[0]) << 8 | UInt16(bytes[1]), UInt16(bytes[2]) << 8 | UInt16(bytes[3])]
    }
}

extension UInt8 {
    fileprivate var isHexadecimalDigit: Bool { self &- 0x30 < 10 || (self | 0x20) &- 0x61 < 6 }
}
