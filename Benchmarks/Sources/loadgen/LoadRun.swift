import NIOCore
import NIOHTTP1
import NIOPosix
import Workload

/// One run: a fixed count of requests over a fixed count of connections, all on one event loop.
///
/// Confined to its event loop: every method is called there.
final class LoadRun {
    private let options: LoadOptions
    private let loop: any EventLoop
    private let finished: EventLoopPromise<LoadReport>
    private let head: HTTPRequestHead
    private var corpus: RequestCorpus
    private var report = LoadReport()
    private var idle: [LoadConnection] = []
    private var issued = 0
    private var settled = 0
    private var opened = 0
    private var isOver = false
    private var alarm: Scheduled<Void>?
    private var start = NIODeadline.now()

    /// The digest every reply's body must have.
    let expectedReply: BodyDigest

    init(options: LoadOptions, loop: any EventLoop) {
        self.options = options
        self.loop = loop
        finished = loop.makePromise()
        corpus = RequestCorpus(kind: options.workload, sharedPrefixes: options.sharedPrefixes, seed: options.seed)
        expectedReply = CannedReplies().digest(for: options.workload)
        var headers: HTTPHeaders = [
            "host": "\(options.host):\(options.port)",
            "content-type": "application/json",
            "content-length": String(options.workload.bodyByteCount),
            "accept": "application/json",
            "authorization": "Bearer benchmark",
            "user-agent": "loadgen/1",
        ]
        if options.workload.streams {
            headers.add(name: "x-bench-reply", value: "sse")
        }
        head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v1/chat/completions", headers: headers)
        report.latencies.reserveCapacity(options.requests)
        report.firstByteLatencies.reserveCapacity(options.requests)
    }

    /// Opens the connections and starts. The future fails if a first connection cannot be opened, or on time-out.
    func begin() -> EventLoopFuture<LoadReport> {
        start = .now()
        loop.assumeIsolated().scheduleTask(in: .seconds(Int64(options.timeoutSeconds))) {
            let done = "\(self.settled) of \(self.options.requests) requests were answered"
            self.end(.failure(RunError(description: "after \(self.options.timeoutSeconds) s only \(done)")))
        }
        for _ in 0..<options.connections {
            open()
        }
        return finished.futureResult
    }

    func becameIdle(_ connection: LoadConnection) {
        idle.append(connection)
        pump()
    }

    func closed(_ connection: LoadConnection) {
        idle.removeAll { $0 === connection }
        guard !isOver else { return }
        report.reconnects += 1
        open()
    }

    func succeeded(due: NIODeadline, firstByte: NIODeadline?, reads: Int) {
        let now = NIODeadline.now()
        report.latencies.append((now - due).nanoseconds)
        report.firstByteLatencies.append(((firstByte ?? now) - due).nanoseconds)
        report.bodyReads += reads
        settle()
    }

    func failed(_ reason: String, _ sentence: String) {
        report.fail(reason, sentence)
        settle()
    }

    private func open() {
        opened += 1
        guard opened <= options.connections * 2 + options.requests else {
            end(.failure(RunError(description: "\(opened) connections were opened: the server keeps closing them")))
            return
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(LoadConnection(run: bound.value))
                }
            }
            .connect(host: options.host, port: options.port)
            .assumeIsolated()
            .whenFailure { self.end(.failure($0)) }
    }

    /// Gives due requests to idle connections, and sleeps until the next is due.
    private func pump() {
        while issued < options.requests, let connection = idle.last {
            let now = NIODeadline.now()
            var due = now
            if options.requestsPerSecond > 0 {
                due = start + .nanoseconds(Int64(issued) * 1_000_000_000 / Int64(options.requestsPerSecond))
                guard due <= now else {
                    wakeUp(at: due)
                    return
                }
            }
            idle.removeLast()
            issued += 1
            connection.send(head, corpus.next(), due: due)
        }
    }

    private func wakeUp(at due: NIODeadline) {
        guard alarm == nil else { return }
        alarm = loop.assumeIsolated().scheduleTask(deadline: due) {
            self.alarm = nil
            self.pump()
        }
    }

    private func settle() {
        settled += 1
        if settled == options.requests {
            report.elapsedNanoseconds = (NIODeadline.now() - start).nanoseconds
            end(.success(report))
        }
    }

    private func end(_ result: Result<LoadReport, any Error>) {
        guard !isOver else { return }
        isOver = true
        finished.completeWith(result)
    }
}

struct RunError: Error, CustomStringConvertible {
    let description: String
}
