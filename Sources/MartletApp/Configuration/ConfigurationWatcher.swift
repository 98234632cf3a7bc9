import GatewayCore
import Logging
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Notices when a file, or a file of a folder, changes.
///
/// Looks twice a second at names, sizes, identities and times instead of subscribing to events: that works the same on
/// every file system, and through the symbolic links by which a mounted ConfigMap is swapped.
struct ConfigurationWatcher: Service {
    /// What is compared between two looks.
    struct Fingerprint: Hashable {
        private struct Entry: Hashable {
            let path: String
            let inode: UInt64
            let size: Int64
            let modifiedSeconds: Int
            let modifiedNanoseconds: Int
        }

        private let entries: [Entry]

        /// Looks at the file or folder at `path`; links are followed.
        init(path: String) {
            entries = ([path] + Self.children(of: path)).compactMap(Self.entry)
        }

        private static func children(of path: String) -> [String] {
            guard let directory = opendir(path) else { return [] }
            defer { closedir(directory) }
            var names: [String] = []
            while let item = readdir(directory) {
                let name = withUnsafeBytes(of: item.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." { names.append("\(path)/\(name)") }
            }
            return names.sorted()
        }

        private static func entry(_ path: String) -> Entry? {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            #if canImport(Darwin)
                let modified = status.st_mtimespec
            #else
                let modified = status.st_mtim
            #endif
            return Entry(
                path: path,
                inode: UInt64(status.st_ino),
                size: Int64(status.st_size),
                modifiedSeconds: Int(modified.tv_sec),
                modifiedNanoseconds: Int(modified.tv_nsec)
            )
        }
    }

    private let paths: @Sendable () -> [String]
    private let clock: any MonotonicClock
    private let interval: Duration
    private let initial: [String: Fingerprint]
    private let onChange: @Sendable () async -> Void

    /// Watches the files and folders at `paths`, which is asked before each look. `onChange` is called after each
    /// change, never twice at once.
    ///
    /// - Parameter initial: what is watched from the start, as it was before it was first read. A path that comes later
    ///   counts as a change once, because nobody knows whether it changed since it was read.
    init(
        paths: @escaping @Sendable () -> [String],
        initial: [String: Fingerprint],
        clock: any MonotonicClock,
        interval: Duration = .milliseconds(500),
        onChange: @escaping @Sendable () async -> Void
    ) {
        self.paths = paths
        self.initial = initial
        self.clock = clock
        self.interval = interval
        self.onChange = onChange
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var known = initial
            while !Task.isCancelled {
                guard (try? await clock.sleep(until: clock.now.advanced(by: interval))) != nil else { return }
                let present = Dictionary(
                    paths().map { ($0, Fingerprint(path: $0)) },
                    uniquingKeysWith: { first, _ in first }
                )
                let isChanged = present.contains { path, fingerprint in known[path] != fingerprint }
                known = present
                if isChanged { await onChange() }
            }
        }
    }
}
