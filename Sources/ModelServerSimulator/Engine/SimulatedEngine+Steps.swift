extension SimulatedEngine {
    /// Chooses what the step that begins at `time` computes; nil when there is nothing to compute.
    mutating func planStep(at time: SimulatedTime) -> Step? {
        var work = StepWork(budget: parameters.maxBatchedTokens)
        let preempted = scheduleRunning(&work)
        // A sequence has just lost its blocks for want of room, so there is none for another one.
        if !preempted {
            admitWaiting(&work, at: time)
        }
        guard work.tokens > 0 else {
            return nil
        }
        let nanoseconds = duration(of: work)
        return Step(
            end: time.advanced(byNanoseconds: nanoseconds),
            seconds: Double(nanoseconds) / 1e9,
            hasPrefill: work.prefillTokens > 0
        )
    }

    /// What a step computes, as far as its duration depends on it.
    struct StepWork {
        var budget: Int
        var prefillTokens = 0
        var decodingSequences = 0

        var tokens: Int {
            prefillTokens + decodingSequences
        }

        mutating func add(_ tokens: Int, decoding: Bool) {
            budget -= tokens
            if decoding {
                decodingSequences += 1
            } else {
                prefillTokens += tokens
            }
        }
    }

    /// Gives each running sequence its share of the step, in order of admission.
    ///
    /// - Returns: whether a sequence had to be preempted.
    private mutating func scheduleRunning(_ work: inout StepWork) -> Bool {
        var preempted = false
        var index = 0
        while index < running.count, work.budget > 0 {
            let wanted = min(running[index].totalTokens - running[index].computedTokens, work.budget)
            while index < running.count, !reserveBlocks(forSequenceAt: index, computing: wanted) {
                preemptLast()
                preempted = true
            }
            // The sequence may have been the last one itself.
            guard index < running.count else {
                break
            }
            running[index].scheduledTokens = wanted
            let decoding = wanted == 1 && running[index].computedTokens >= running[index].promptTokens
            work.add(wanted, decoding: decoding)
            index += 1
        }
        return preempted
    }

    /// Lets waiting requests into the batch, in order of arrival.
    private mutating func admitWaiting(_ work: inout StepWork, at time: SimulatedTime) {
        var offset = 0
        while work.budget > 0, running.count < parameters.maxRunningSequences {
            guard var sequence = waiting[offset], sequence.readyAt <= time else {
                return
            }
            if let adapter = sequence.adapter, adapters.request(adapter, at: time) != .resident {
                offset += 1
                continue
            }
            guard claimPrefix(for: &sequence) else {
                return
            }
            if sequence.firstScheduledAt == nil {
                sequence.firstScheduledAt = time
                totals.queueTime.observe(time.seconds(since: sequence.submittedAt))
            }
            if let adapter = sequence.adapter {
                adapters.retain(adapter)
            }
            waiting.remove(at: offset)
            sequence.scheduledTokens = min(sequence.totalTokens - sequence.computedTokens, work.budget)
            work.add(sequence.scheduledTokens, decoding: false)
            running.append(sequence)
            // The claim made sure that there are blocks for the whole sequence.
            _ = reserveBlocks(forSequenceAt: running.count - 1, computing: sequence.scheduledTokens)
        }
    }

    /// Takes the blocks that already hold the beginning of the sequence, if the rest of it finds room too.
    private mutating func claimPrefix(for sequence: inout SequenceState) -> Bool {
        // The last token is always computed: it is its result that the first output token comes from.
        let findable = (sequence.totalTokens - 1) / parameters.blockSizeTokens
        let found = parameters.prefixCaching ? pool.cachedPrefix(of: sequence.chain.fullBlocks, limit: findable) : []
        let needed = blockCount(for: sequence.totalTokens) - found.count
        guard needed <= pool.freeCount - pool.freeCount(among: found) else {
            return false
        }
        for block in found {
            pool.retain(block)
        }
        sequence.blocks = found
        sequence.publishedBlocks = found.count
        sequence.computedTokens = found.count * parameters.blockSizeTokens
        if sequence.firstScheduledAt == nil {
            sequence.cachedTokens = sequence.computedTokens
            totals.prefixQueryTokens += sequence.promptTokens
            totals.prefixHitTokens += sequence.cachedTokens
        }
        return true
    }

    /// Makes sure the sequence has blocks for `tokens` more computed tokens; takes none when it cannot have all.
    private mutating func reserveBlocks(forSequenceAt index: Int, computing tokens: Int) -> Bool {
        let wanted = blockCount(for: running[index].computedTokens + tokens) - running[index].blocks.count
        guard wanted > 0 else {
            return true
        }
        guard wanted <= pool.freeCount else {
            return false
        }
        for _ in 0..<wanted {
            guard let block = pool.allocate() else {
                return false
            }
            running[index].blocks.append(block)
        }
        return true
    }

    /// Sends the sequence admitted last back to the front of the queue, without its blocks.
    private mutating func preemptLast() {
        var sequence = running.removeLast()
        pool.release(sequence.blocks)
        if let adapter = sequence.adapter {
            adapters.release(adapter)
        }
        sequence.blocks = []
        sequence.publishedBlocks = 0
        sequence.computedTokens = 0
        sequence.scheduledTokens = 0
        waiting.prepend(sequence)
        totals.preemptions += 1
    }

    private func blockCount(for tokens: Int) -> Int {
        (tokens + parameters.blockSizeTokens - 1) / parameters.blockSizeTokens
    }

    /// Nanoseconds a step takes: its prompt tokens at the rate of prefill, then its decoding sequences.
    private func duration(of work: StepWork) -> Int64 {
        var nanoseconds = Double(work.prefillTokens) * 1e9 / parameters.prefillTokensPerSecond
        if work.decodingSequences > 0 {
            nanoseconds += Double(parameters.interTokenLatency.wholeNanoseconds)
            nanoseconds +=
                Double(work.decodingSequences - 1) * Double(parameters.interTokenLatencyPerSequence.wholeNanoseconds)
        }
        // Thirty years for a step are as good as for ever, and leave Int64 room to add.
        return Int64(min((nanoseconds * slowdown).rounded(), 1e18))
    }

    /// Books what a step has computed and makes its tokens.
    mutating func complete(_ ended: Step, at time: SimulatedTime, into events: inout [EngineEvent]) {
        totals.steps += 1
        if ended.hasPrefill {
            totals.prefillSeconds += ended.seconds
        } else {
            totals.decodeSeconds += ended.seconds
        }
        var anyFinished = false
        for index in running.indices where running[index].scheduledTokens > 0 {
            running[index].computedTokens += running[index].scheduledTokens
            running[index].scheduledTokens = 0
            publishFullBlocks(ofSequenceAt: index)
            guard running[index].computedTokens == running[index].totalTokens else {
                continue
            }
            if running[index].outputLimit > 0 {
                makeToken(forSequenceAt: index, at: time, into: &events)
            } else {
                notePromptDone(forSequenceAt: index)
            }
            if running[index].outputTokens == running[index].outputLimit {
                finish(sequenceAt: index, at: time, into: &events)
                anyFinished = true
            }
        }
        if anyFinished {
            running.removeAll { $0.outputTokens == $0.outputLimit && $0.computedTokens >= $0.promptTokens }
        }
    }

    private mutating func publishFullBlocks(ofSequenceAt index: Int) {
        guard parameters.prefixCaching else {
            return
        }
        let full = running[index].computedTokens / parameters.blockSizeTokens
        while running[index].publishedBlocks < full {
            let block = running[index].publishedBlocks
            pool.publish(running[index].blocks[block], hash: running[index].chain.fullBlocks[block])
            running[index].publishedBlocks += 1
        }
    }

    private mutating func notePromptDone(forSequenceAt index: Int) {
        totals.promptTokens += running[index].promptTokens
        totals.longestSequence = max(totals.longestSequence, running[index].totalTokens)
    }

    private mutating func makeToken(
        forSequenceAt index: Int,
        at time: SimulatedTime,
        into events: inout [EngineEvent]
    ) {
        let token = running[index].text.next(isFirst: running[index].outputTokens == 0)
        if let last = running[index].lastTokenAt {
            totals.interTokenLatency.observe(time.seconds(since: last))
        } else {
            totals.timeToFirstToken.observe(time.seconds(since: running[index].submittedAt))
            notePromptDone(forSequenceAt: index)
        }
        running[index].lastTokenAt = time
        running[index].chain.append(token)
        running[index].outputTokens += 1
        totals.generationTokens += 1
        totals.longestSequence = max(totals.longestSequence, running[index].totalTokens)
        let isLast = running[index].outputTokens == running[index].outputLimit
        let kind = EngineEvent.Kind.token(
            token,
            index: running[index].outputTokens - 1,
            finishReason: isLast ? running[index].finishReason : nil
        )
        events.append(EngineEvent(id: running[index].id, time: time, kind: kind))
    }

    private mutating func finish(sequenceAt index: Int, at time: SimulatedTime, into events: inout [EngineEvent]) {
        let sequence = running[index]
        pool.release(sequence.blocks)
        running[index].blocks = []
        if let adapter = sequence.adapter {
            adapters.release(adapter)
        }
        switch sequence.finishReason {
        case .stop: totals.finishedStop += 1
        case .length: totals.finishedLength += 1
        }
        totals.requestLatency.observe(time.seconds(since: sequence.submittedAt))
        totals.promptLength.observe(Double(sequence.promptTokens))
        totals.outputLength.observe(Double(sequence.outputTokens))
        let kind = EngineEvent.Kind.finished(sequence.usage, sequence.finishReason)
        events.append(
            EngineEvent(id: sequence.id, time: time, kind: kind, scheduledAt: sequence.firstScheduledAt))
    }
}
