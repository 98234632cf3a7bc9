import GatewayCore
import GatewayTesting
import Testing

@testable import DataLayer

@Suite("Sets of endpoints that follow each other")
struct EndpointReplacementTests {
    /// What the next set is made of: the last one with a few changes, as sources of endpoints tell them.
    private func next(_ last: [EndpointDescription], _ random: inout RandomSource) -> [EndpointDescription] {
        var next = last
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let place = next.isEmpty ? 0 : Int.random(in: 0..<next.count, using: &random)
            let name = "e\(Int.random(in: 0..<12, using: &random))"
            switch Int.random(in: 0..<7, using: &random) {
            case 0, 1: next.insert(.made(name, port: Int.random(in: 1...2, using: &random)), at: place)
            case 2 where !next.isEmpty: next.remove(at: place)
            case 3 where !next.isEmpty: next[place].labels["n"] = "\(Int.random(in: 0..<3, using: &random))"
            case 4 where !next.isEmpty:
                next[place] = .made(next[place].id.name, port: .random(in: 1...3, using: &random))
            case 5: next.shuffle(using: &random)
            default: break
            }
        }
        return next
    }

    @Test("lives go on exactly where name and address stay, and the first of a name counts", arguments: 1...200)
    func lives(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var table = EndpointTable(ejection: EjectionConfiguration())
        var last: [EndpointDescription] = []
        for _ in 0..<60 {
            let before = Dictionary(uniqueKeysWithValues: table.records.map { ($0.description.id, $0) })
            let snapshots = Dictionary(uniqueKeysWithValues: table.snapshots.map { ($0.id, $0) })
            last = next(last, &random)
            let left = table.replace(last)
            table.release(left ?? [])

            var seen: Set<EndpointID> = []
            let expected = last.filter { seen.insert($0.id).inserted }
            #expect(table.records.map(\.description) == expected)
            #expect(table.snapshots.map(\.id) == expected.map(\.id))
            #expect(table.snapshots.map(\.labels) == expected.map(\.labels))
            #expect(table.modelLists.count == expected.count)
            #expect(Set(table.records.map(\.life.slot)).count == expected.count)
            for (position, record) in table.records.enumerated() {
                #expect(table.position(of: record.life) == position)
                let old = before[record.description.id]
                let goesOn = old?.description.address == record.description.address
                #expect((old?.life == record.life) == goesOn)
                if let old, old.description == record.description {
                    #expect(table.snapshots[position] === snapshots[record.description.id], "nothing is made anew")
                }
            }
            let stayed = Set(table.records.map { "\($0.life)" })
            let gone = before.values.filter { !stayed.contains("\($0.life)") }.map(\.description.id)
            #expect(Set((left ?? []).map(\.id)) == Set(gone))
        }
    }
}
