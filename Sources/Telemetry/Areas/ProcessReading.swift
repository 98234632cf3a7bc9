#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Numbers about this process from `/proc`, see proc(5). Each is nil where the file is missing or not as expected.
package enum ProcessReading {
    /// User and system CPU time in seconds; `nil` on systems without `/proc`.
    package static func cpuSeconds() -> Double? {
        guard let fields = statusFields(), let user = fields.ticks(14), let system = fields.ticks(15) else {
            return nil
        }
        return (user + system) / ticksPerSecond
    }

    /// Resident memory in bytes.
    static func residentBytes() -> Double? {
        guard let text = contents(of: "/proc/self/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Open file descriptors, not counting the one that reads the directory.
    static func openDescriptors() -> Double? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil { entries += 1 }
        // The directory also lists ".", ".." and the descriptor of this very reading.
        return Double(max(0, entries - 3))
    }

    /// The soft limit of file descriptors; `+Inf` when there is none.
    static func descriptorLimit() -> Double? {
        guard let text = contents(of: "/proc/self/limits") else { return nil }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Max open files") }) else {
            return nil
        }
        let fields = line.split(separator: " ")
        guard fields.count > 3 else { return nil }
        return fields[3] == "unlimited" ? .infinity : Double(fields[3])
    }

    /// When the process started, in seconds since 1970.
    static func startTime() -> Double? {
        guard let ticks = statusFields()?.ticks(22), let text = contents(of: "/proc/stat") else { return nil }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }) else { return nil }
        guard let boot = Double(line.dropFirst("btime ".count)) else { return nil }
        return boot + ticks / ticksPerSecond
    }

    private static var ticksPerSecond: Double { Double(sysconf(Int32(_SC_CLK_TCK))) }

    /// The fields of `/proc/self/stat` from the third on. The second is the program's name in parentheses and may hold
    /// blanks and parentheses itself, so reading starts after the last one.
    struct StatusFields {
        private let fields: [Substring]

        init?(_ text: String) {
            guard let end = text.lastIndex(of: ")") else { return nil }
            fields = text[text.index(after: end)...].split(separator: " ")
        }

        /// The field with this number in proc(5), which counts from 1.
        func ticks(_ number: Int) -> Double? {
            let index = number - 3
            return fields.indices.contains(index) ? Double(fields[index]) : nil
        }
    }

    private static func statusFields() -> StatusFields? {
        contents(of: "/proc/self/stat").flatMap(StatusFields.init)
    }

    /// The beginning of a small file of the kernel. 64 KiB hold all that is needed, also of `/proc/stat` on a machine
    /// of several hundred cores, where the boot time comes after the line of each core.
    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytesMax = 64 * 1024
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            while count < bytesMax, let start = buffer.baseAddress {
                let result = read(descriptor, start + count, bytesMax - count)
                if result <= 0 { break }
                count += result
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
