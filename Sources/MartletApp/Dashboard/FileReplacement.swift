#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of a configuration that takes another's place at once, so that nobody reads half of it, with the same mode
/// and owner.
enum FileReplacement {
    /// Replaces the file at `path`, which must be there. Blocks until it is on the disk.
    ///
    /// - Throws: ``CommandError`` with what the system says.
    static func replace(_ path: String, with text: String) throws(CommandError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw fault("be looked at", path) }
        // Hidden, so that a folder of configurations is not read with it.
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        let draft = "\(folder).martlet-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw fault("be written", path) }
        let isWhole = write(Array(text.utf8), to: descriptor, like: status)
        close(descriptor)
        guard isWhole, rename(draft, path) == 0 else {
            let fault = fault("be written", path)
            unlink(draft)
            throw fault
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, like status: stat) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { writeBytes(descriptor, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
        }
        // Whoever does not own the file may not give it away; then it is theirs.
        _ = fchown(descriptor, status.st_uid, status.st_gid)
        return fchmod(descriptor, status.st_mode & 0o7777) == 0 && fsync(descriptor) == 0
    }

    private static func fault(_ verb: String, _ path: String) -> CommandError {
        CommandError("\(path) cannot \(verb): \(String(cString: strerror(errno))).")
    }
}

private func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}
