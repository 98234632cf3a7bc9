import CAllocator
package import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is set once per process, before anything else runs.
package enum ProcessSetup {
    /// Prepares the process for serving.
    ///
    /// - Parameter logLevel: trace, debug, info, notice, warning, error or critical.
    /// - Throws: ``CommandError`` for another level.
    package static func prepare(logLevel: String) throws(CommandError) -> Logger {
        guard let level = Logger.Level(rawValue: logLevel) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandError("--log-level '\(logLevel)' is not one of \(known).")
        }
        keepLargeBuffers()
        raiseDescriptorLimit()
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "martlet")
        logger.logLevel = level
        return logger
    }

    /// Keeps buffers of up to 4 MiB on the heap. By default glibc maps and unmaps the pages of every allocation above
    /// 128 KiB, which for bodies of that size costs as much as all the rest of their way through the gateway.
    private static func keepLargeBuffers() {
        martlet_keep_large_blocks(4 << 20, 64 << 20)
    }

    /// Every connection is a descriptor: takes as many as the system allows without being asked.
    static func raiseDescriptorLimit() {
        #if canImport(Glibc) || canImport(Musl)
            var limit = rlimit()
            #if canImport(Glibc)
                let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            #else
                let resource = RLIMIT_NOFILE
            #endif
            guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
            limit.rlim_cur = limit.rlim_max
            _ = setrlimit(resource, &limit)
        #endif
    }
}
