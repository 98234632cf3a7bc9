#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A descriptor that lines are written to, or a file, which is appended to.
struct LineDestination: ~Copyable {
    private var descriptor: Int32
    /// The path of a file; `nil` for a descriptor of somebody else, which is not closed here.
    private let path: String?

    /// A descriptor that is open already.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        path = nil
    }

    /// A file; it is made if it is not there, for its owner to write and its group to read.
    ///
    /// - Throws: ``CommandError`` with `flag`, which said the path, when it cannot be opened.
    init(path: String, flag: String) throws(CommandError) {
        descriptor = Self.open(path)
        self.path = path
        if descriptor < 0 {
            throw CommandError("\(flag) \(path) cannot be written: \(String(cString: strerror(errno))).")
        }
    }

    deinit {
        if path != nil, descriptor >= 0 { _ = close(descriptor) }
    }

    /// Opens the file anew under its path. When that fails, the open one stays in use.
    ///
    /// - Returns: why it failed, as the system says it; `nil` when it did not.
    mutating func reopen() -> String? {
        guard let path else { return nil }
        let opened = Self.open(path)
        guard opened >= 0 else { return String(cString: strerror(errno)) }
        if descriptor >= 0 { _ = close(descriptor) }
        descriptor = opened
        return nil
    }

    /// Writes all of `bytes`; waits for as long as it takes. Returns whether they were taken.
    borrowing func write(_ bytes: [UInt8]) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: buffer[offset...]))
            }
            if written > 0 {
                offset += written
            } else if written < 0, errno == EAGAIN || errno == EWOULDBLOCK {
                // Somebody who shares the descriptor made it non-blocking.
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wanted, 1, -1)
            } else if written == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    private static func open(_ path: String) -> Int32 {
        systemOpen(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    }
}

/// The C functions, which the methods of the same names hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    open(path, flags, mode)
}
