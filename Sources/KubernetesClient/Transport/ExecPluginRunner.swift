import Subprocess

/// Runs a plugin and reads what it says.
struct ExecPluginRunner: Sendable {
    /// The most bytes of an answer. A chain of certificates has a hundredth of it.
    static let maxOutput = 1 << 20
    /// How much of what the program complains of is kept: its end.
    static let keptComplaint = 4096

    let plugin: ExecPlugin
    let cluster: ClusterConfiguration
    /// How long the program may take.
    let limit: Duration

    /// Runs the program once. It is ended when the task is cancelled.
    ///
    /// - Throws: ``APIError/unauthenticated(_:)`` with what went wrong, the last line that the program complained of,
    ///   and what the configuration says to who does not have the program.
    func run() async throws(APIError) -> ExecCredential {
        var authorities: [UInt8]?
        if plugin.needsCluster, let source = cluster.trust.authorities {
            do { authorities = try source.read() } catch {
                throw problem("the certificate authority in \(source): \(error.reason)")
            }
        }
        let question = ExecCredential.question(plugin, of: cluster, authorities: authorities)
        switch await outcome(question) {
        case .answer(let bytes):
            do { return try ExecCredential(json: bytes, version: plugin.version) } catch {
                throw problem(error.reason)
            }
        case .failure(let reason, let complaint, let hints): throw problem(reason, complaint, hints: hints)
        }
    }

    private enum Outcome: Sendable {
        case answer([UInt8])
        case failure(String, complaint: String, hints: Bool)
    }

    /// What the program says, or that it took too long.
    private func outcome(_ question: String) async -> Outcome {
        await withTaskGroup(of: Outcome?.self) { group in
            group.addTask { await execute(question) }
            group.addTask {
                // Cancelled when the program is done.
                do { try await Task.sleep(for: limit) } catch { return nil }
                return .failure("it did not end within \(limit)", complaint: "", hints: false)
            }
            var first: Outcome?
            while first == nil, let next = await group.next() { first = next }
            group.cancelAll()
            return first ?? .failure("it was cancelled", complaint: "", hints: false)
        }
    }

    private func execute(_ question: String) async -> Outcome {
        var options = PlatformOptions()
        // Its own group, so that what it started goes with it.
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        var variables: [Environment.Key: String?] = [:]
        for variable in plugin.environment { variables[Environment.Key(name: variable.name)] = variable.value }
        variables["KUBERNETES_EXEC_INFO"] = question
        do {
            let result = try await Subprocess.run(
                plugin.command.contains("/") ? .path(.init(text: plugin.command)) : .name(plugin.command),
                arguments: Arguments(plugin.arguments),
                environment: .inherit.updating(variables),
                platformOptions: options,
                input: .none,
                output: .bytes(limit: Self.maxOutput),
                error: .sequence
            ) { execution in
                var end: [UInt8] = []
                for try await piece in execution.standardError {
                    piece.withUnsafeBytes { end.append(contentsOf: $0.suffix(Self.keptComplaint)) }
                    if end.count > Self.keptComplaint { end.removeFirst(end.count - Self.keptComplaint) }
                }
                return end
            }
            guard result.terminationStatus.isSuccess else {
                let complaint = Self.lastLine(result.closureResult)
                return .failure("it ended with \(result.terminationStatus)", complaint: complaint, hints: true)
            }
            return .answer(result.standardOutput)
        } catch let error as SubprocessError where error.code == .executableNotFound {
            return .failure("there is no such program", complaint: "", hints: true)
        } catch let error as SubprocessError where error.code == .outputLimitExceeded {
            return .failure("its output has more than \(Self.maxOutput) bytes", complaint: "", hints: false)
        } catch {
            return .failure("it cannot be run: \(error)", complaint: "", hints: true)
        }
    }

    private func problem(_ reason: String, _ complaint: String = "", hints: Bool = false) -> APIError {
        var text = "The plugin '\(plugin.command)' gave no credentials: \(reason)"
        if !complaint.isEmpty { text += ": \(complaint)" }
        text += "."
        if hints, !plugin.installHint.isEmpty { text += " \(plugin.installHint)" }
        return .unauthenticated(text)
    }

    /// The last line that is not empty, without what would spoil a log.
    static func lastLine(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) } ?? ""
        return String(
            line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.map(Character.init).prefix(500))
    }
}

extension ExpressibleByStringLiteral where StringLiteralType == String {
    /// A path of the package below, whose module is not imported for this alone.
    fileprivate init(text: String) {
        self.init(stringLiteral: text)
    }
}

extension Environment.Key {
    fileprivate init(name: String) {
        self.init(stringLiteral: name)
    }
}
