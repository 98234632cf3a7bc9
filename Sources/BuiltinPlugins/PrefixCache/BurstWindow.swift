import GatewayCore
import PrefixIndex

/// Which prompts were sent where in the last moments.
///
/// The requests of one prompt are a group, which is forgotten as a whole when the window's time has passed since its
/// first request. A plain value; nothing in it depends on a clock but what is passed in.
struct BurstWindow {
    /// What is placed: a prompt by its block hashes.
    struct Prompt {
        /// Names the whole prompt.
        let key: UInt64
        /// Its blocks.
        let blocks: Int
        /// Names its first blocks, as many as others must share with it to be placed with it; `nil` when it has fewer,
        /// or when that does not count.
        let family: UInt64?
        /// How many blocks the family shares.
        let familyBlocks: Int

        /// Makes the prompt of `hashes`; `nil` when there are none.
        ///
        /// - Parameter familyBlocks: how many first blocks make a family; 0 for no families.
        init?(_ hashes: [UInt64], familyBlocks: Int) {
            guard let last = hashes.last else { return nil }
            key = last
            blocks = hashes.count
            family = familyBlocks > 0 && hashes.count >= familyBlocks ? hashes[familyBlocks - 1] : nil
            self.familyBlocks = familyBlocks
        }
    }

    /// Where a request should go.
    enum Advice: Hashable {
        /// To a slot where its prompt, or the beginning that counts, was sent in this window.
        case follow(Int)
        /// The prompt is new: to a slot that got less than others, if nothing speaks against it.
        case balance(Int)
        /// The window is full.
        case none
    }

    private struct Placement {
        let replica: EndpointLife
        var requests: Int
        var load: Int
    }

    private struct Group {
        let startedAt: MonotonicInstant
        let family: UInt64?
        /// In the order of their first requests.
        var placements: [Placement]
    }

    private let duration: Duration
    private let maxPerReplica: Int
    private let maxRequests: Int
    private let countsBlocks: Bool

    private var groups: [UInt64: Group] = [:]
    /// The keys of the groups, by the time of their first request, from ``firstLive`` on.
    private var order: [UInt64] = []
    private var firstLive = 0
    private var requests = 0
    private var loads: [EndpointLife: Int] = [:]
    /// By family: how many of its groups a replica has.
    private var families: [UInt64: [EndpointLife: Int]] = [:]

    /// Makes an empty window.
    ///
    /// - Parameters:
    ///   - duration: how long a group is remembered.
    ///   - maxPerReplica: the most requests of a group that go to one replica while another has room.
    ///   - maxRequests: the most requests that are remembered.
    ///   - countsBlocks: whether a replica's load is the blocks that it has to compute, instead of requests.
    init(duration: Duration, maxPerReplica: Int, maxRequests: Int, countsBlocks: Bool) {
        self.duration = duration
        self.maxPerReplica = maxPerReplica
        self.maxRequests = maxRequests
        self.countsBlocks = countsBlocks
    }

    /// Where a request of `prompt` should go.
    mutating func advice(_ prompt: Prompt, _ candidates: Candidates, now: MonotonicInstant) -> Advice {
        expire(now)
        guard !candidates.isEmpty else { return .none }
        if let group = groups[prompt.key] { return .follow(slot(for: prompt, of: group, candidates)) }
        guard requests < maxRequests else { return .none }
        if let slot = relative(of: prompt, candidates) { return .follow(slot) }
        return .balance(leastLoaded(prompt, candidates) { _ in true } ?? candidates[0].slot)
    }

    /// Notes that a request of `prompt` goes to `endpoint`.
    mutating func note(_ prompt: Prompt, on endpoint: EndpointSnapshot, now: MonotonicInstant) {
        expire(now)
        guard requests < maxRequests else { return }
        let replica = EndpointLife(endpoint)
        var group = groups[prompt.key] ?? Group(startedAt: now, family: prompt.family, placements: [])
        if group.placements.isEmpty { order.append(prompt.key) }
        let known = group.placements.firstIndex { $0.replica == replica }
        let load = countsBlocks ? (known == nil ? newBlocks(of: prompt, on: replica) : 0) : 1
        if let known {
            group.placements[known].requests += 1
            group.placements[known].load += load
        } else {
            group.placements.append(Placement(replica: replica, requests: 1, load: load))
            if let family = prompt.family { families[family, default: [:]][replica, default: 0] += 1 }
        }
        groups[prompt.key] = group
        loads[replica, default: 0] += load
        requests += 1
    }

    // MARK: - Choosing

    /// The first replica of the group with room, else the least loaded that has room, else the least loaded.
    private func slot(for prompt: Prompt, of group: Group, _ candidates: Candidates) -> Int {
        func requests(on endpoint: EndpointSnapshot) -> Int {
            let replica = EndpointLife(endpoint)
            return group.placements.first { $0.replica == replica }?.requests ?? 0
        }
        for placement in group.placements where placement.requests < maxPerReplica {
            let isCandidate = candidates.positions.contains { EndpointLife(candidates.all[$0]) == placement.replica }
            if isCandidate { return placement.replica.slot }
        }
        return leastLoaded(prompt, candidates) { requests(on: $0) < maxPerReplica }
            ?? leastLoaded(prompt, candidates) { _ in true } ?? candidates[0].slot
    }

    /// The least loaded replica that has a group of the prompt's family and less than its fair share of the window.
    private func relative(of prompt: Prompt, _ candidates: Candidates) -> Int? {
        guard let family = prompt.family, let holders = families[family] else { return nil }
        let total = loads.values.reduce(countsBlocks ? prompt.blocks : 1, +)
        let fairShare = (total + candidates.count - 1) / candidates.count
        return leastLoaded(prompt, candidates) { endpoint in
            let replica = EndpointLife(endpoint)
            return holders[replica] != nil && loads[replica, default: 0] < fairShare
        }
    }

    /// The slot of the least loaded candidate that `isEligible` accepts. Of equal ones the prompt decides, so that
    /// identical prompts that are placed at the same moment by different threads meet.
    private func leastLoaded(
        _ prompt: Prompt,
        _ candidates: Candidates,
        where isEligible: (EndpointSnapshot) -> Bool
    ) -> Int? {
        var best: (load: Int, lot: UInt64, slot: Int)?
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            guard isEligible(endpoint) else { continue }
            let load = loads[EndpointLife(endpoint), default: 0]
            let lot = XXH64.hash(prompt.key, UInt64(truncatingIfNeeded: endpoint.slot))
            if let best, (best.load, best.lot) <= (load, lot) { continue }
            best = (load, lot, endpoint.slot)
        }
        return best?.slot
    }

    /// The blocks of a prompt that a replica has to compute, as far as this window knows.
    private func newBlocks(of prompt: Prompt, on replica: EndpointLife) -> Int {
        guard let family = prompt.family, families[family]?[replica] != nil else { return prompt.blocks }
        return prompt.blocks - prompt.familyBlocks
    }

    // MARK: - Forgetting

    private mutating func expire(_ now: MonotonicInstant) {
        while firstLive < order.count {
            let key = order[firstLive]
            guard let group = groups[key], now.since(group.startedAt) >= duration else { break }
            groups[key] = nil
            firstLive += 1
            for placement in group.placements { take(placement, of: group) }
        }
        // Moved down when half of the list is past, so that a key is moved once on average.
        if firstLive > 64, firstLive * 2 > order.count {
            order.removeSubrange(0..<firstLive)
            firstLive = 0
        }
    }

    private mutating func take(_ placement: Placement, of group: Group) {
        requests -= placement.requests
        let load = loads[placement.replica, default: 0] - placement.load
        loads[placement.replica] = load > 0 ? load : nil
        guard let family = group.family, let count = families[family]?[placement.replica] else { return }
        families[family]?[placement.replica] = count > 1 ? count - 1 : nil
        if families[family]?.isEmpty == true { families[family] = nil }
    }
}
