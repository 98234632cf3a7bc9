import Logging
import ServiceLifecycle
import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The logs of one process: its levels, its one writer to standard error, and the access log.
struct ProcessLogs: Sendable {
    /// The parts of the program that log under names of their own.
    enum Part: String, CaseIterable {
        /// The process: its start, its configuration, its end.
        case process = "martlet"
        /// Requests that were refused or broke off.
        case requests = "martlet.requests"
        /// Endpoints that are ejected, come back, or tell nothing.
        case endpoints = "martlet.endpoints"
        /// The cluster that is followed.
        case kubernetes = "martlet.kubernetes"
        /// Starts and ends of the services of the process.
        case services = "martlet.services"
    }

    /// Which lines are written.
    let levels: LogLevels
    /// The access log; `nil` when there is none.
    let access: AccessLog?
    private let style: LogStyle
    private let writer: LineWriter
    private let accessFile: LineWriter?

    /// The most bytes that wait for standard error.
    static let bytesMax = 1 << 20
    /// The most bytes that wait for the file of the access log.
    static let accessBytesMax = 4 << 20

    /// Makes the logs; nothing is written yet.
    ///
    /// - Parameters:
    ///   - options: what the user wants.
    ///   - destination: where lines go that are not for a file.
    ///   - isTerminal: whether people look there.
    ///   - environment: the process's.
    /// - Throws: ``CommandError`` when the file of the access log cannot be opened.
    init(
        _ options: LogOptions,
        to destination: consuming LineDestination,
        isTerminal: Bool,
        environment: [String: String]
    ) throws(CommandError) {
        let style = options.style(isTerminal: isTerminal, environment: environment)
        let levels = LogLevels(options.level)
        let writer = LineWriter(to: destination, bytesMax: Self.bytesMax) { lost in
            Self.lossNotice(lost, style: style, of: "this log")
        }
        self.style = style
        self.levels = levels
        self.writer = writer
        let accessStyle = options.accessLogFormat == .text ? LogStyle.text(isColoured: false) : .json
        switch options.accessLog {
        case .off:
            accessFile = nil
            access = nil
        case .standardError:
            accessFile = nil
            access = AccessLog(style: accessStyle, writer: writer)
        case .file(let path):
            let file = LineWriter(
                to: try LineDestination(path: path, flag: "--access-log"),
                bytesMax: Self.accessBytesMax
            ) { lost in
                // Whoever reads the file counts requests in it: what is not one is said elsewhere.
                writer.write(Self.lossNotice(lost, style: style, of: "the access log \(path)"))
                return []
            }
            accessFile = file
            access = AccessLog(style: accessStyle, writer: file)
        }
        for part in Part.allCases { _ = levels.cell(part.rawValue) }
    }

    /// The logger of a part of the program.
    func logger(_ part: Part = .process) -> Logger {
        Logger(label: part.rawValue, factory: { handler(label: $0) })
    }

    /// What writes the lines of the loggers called `label`.
    func handler(label: String) -> any LogHandler {
        ProcessLogHandler(label: label, style: style, writer: writer, level: levels.cell(label))
    }

    /// Puts the number of lost lines onto the metrics page.
    func register(in registry: MetricRegistry) throws(MetricRegistrationError) {
        let (writer, accessFile) = (writer, accessFile)
        _ = try LogMetrics(registry: registry) { samples in
            samples.add(Double(writer.droppedLines), "process")
            if let accessFile { samples.add(Double(accessFile.droppedLines), "access") }
        }
    }

    /// Opens the file of the access log anew, if there is one, and then logs what became of it.
    func reopenFiles() {
        let logger = logger()
        accessFile?.reopen { problem in
            if let problem {
                logger.error(
                    "the file of the access log cannot be opened anew; the old one stays in use",
                    metadata: ["error": "\(problem)"]
                )
            } else {
                logger.info("the file of the access log is opened anew")
            }
        }
    }

    /// Whether there is a file that can be opened anew.
    var hasFiles: Bool { accessFile != nil }

    /// Does `body`, and then waits a moment until what was logged is written.
    func whileOpen<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            let result = try await body()
            await flush()
            return result
        } catch {
            await flush()
            throw error
        }
    }

    private func flush() async {
        await accessFile?.flush(within: .seconds(1))
        await writer.flush(within: .seconds(1))
    }

    private static func lossNotice(_ lost: Int, style: LogStyle, of log: String) -> [UInt8] {
        var line = LogLine(
            style, .warning, logger: Part.process.rawValue,
            message: "lines of \(log) were lost: they could not be written, or not in time"
        )
        line.add("lines", lost)
        return line.finished()
    }
}
