import GatewayCore

extension PluginConformance {
    /// Plays the scheduler for a profile handler, with every mixture of profiles that find somebody and profiles that
    /// find nobody.
    func check(_ handler: any ProfileHandler, _ candidates: Candidates, _ fresh: SchedulingContext) -> [String] {
        var found = handler.objections(to: profiles).compactMap { objection in
            if case .error(let message) = objection {
                "the profile handler refuses its profiles: \(message)"
            } else {
                nil
            }
        }
        for mixture in 0..<1 << min(profiles.count, 4) {
            let ends = profiles.indices.map { index in
                mixture >> min(index, 3) & 1 == 1
                    ? ProfileProgress.drained
                    : .found(ProfileResult(profile: profiles[index], endpoints: [candidates[index % candidates.count]]))
            }
            found += run(handler, ends: ends, fresh)
        }
        return found
    }

    /// Runs what the handler asks for until it has enough, where the profiles end as `ends` says, and checks what it
    /// makes of the results.
    private func run(_ handler: any ProfileHandler, ends: [ProfileProgress], _ fresh: SchedulingContext) -> [String] {
        var context = fresh
        var twin = fresh
        var progress = [ProfileProgress](repeating: .notRun, count: profiles.count)
        while true {
            let round = handler.nextProfiles(profiles, progress: progress, context: &context)
            if round != handler.nextProfiles(profiles, progress: progress, context: &twin) {
                return ["the profile handler is not deterministic"]
            }
            if round.isEmpty { break }
            for index in round {
                guard profiles.indices.contains(index) else {
                    return ["the profile handler asks for profile \(index) of \(profiles.count)"]
                }
                guard !progress[index].hasRun else {
                    return ["the profile handler asks for profile '\(profiles[index])' twice"]
                }
                progress[index] = ends[index]
            }
        }
        let decision: SchedulingDecision
        do throws(Rejection) {
            decision = try handler.decide(profiles, progress: progress, context: &context)
        } catch {
            let isDrained = progress.contains { $0.hasRun && $0.result == nil }
            let hasRun = progress.contains(where: \.hasRun)
            return hasRun && !isDrained ? ["the profile handler refuses the results that it asked for: \(error)"] : []
        }
        return check(decision, progress)
    }

    /// Checks that a decision is made of results, each of them once.
    private func check(_ decision: SchedulingDecision, _ progress: [ProfileProgress]) -> [String] {
        let used = [decision.primary] + decision.secondary
        var found: [String] = []
        for result in used {
            let own = progress.compactMap(\.result).first { $0.profile == result.profile }
            if own?.endpoints.map(\.id) != result.endpoints.map(\.id) {
                found.append("the profile handler makes up a result of the profile '\(result.profile)'")
            }
        }
        if Set(used.map(\.profile)).count != used.count { found.append("the profile handler uses a result twice") }
        if let port = decision.destinationPort, !(1...65_535).contains(port) {
            found.append("the profile handler sends requests to port \(port)")
        }
        return found
    }
}
