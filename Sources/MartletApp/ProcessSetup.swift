import CAllocator
import FoundationEssentials
import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is set once per process, before anything else runs.
enum ProcessSetup {
    /// Prepares the process for serving, and makes its logs.
    ///
    /// - Throws: ``CommandError`` when the file of the access log cannot be opened.
    static func prepare(_ options: LogOptions) throws(CommandError) -> ProcessLogs {
        keepLargeBuffers()
        raiseDescriptorLimit()
        // A reader that goes away must cost lines and not the process.
        signal(SIGPIPE, SIG_IGN)
        let logs = try ProcessLogs(
            options,
            to: LineDestination(descriptor: STDERR_FILENO),
            isTerminal: isatty(STDERR_FILENO) == 1,
            environment: ProcessInfo.processInfo.environment
        )
        // Packages that make loggers of their own.
        LoggingSystem.bootstrap { logs.handler(label: $0) }
        return logs
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
