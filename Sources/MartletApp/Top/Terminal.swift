import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The terminal in the mode of a full-screen program: the alternate screen, no cursor, keys at once and unseen.
///
/// One at a time, for the terminal belongs to the process. ``leave()`` brings back what was; when the process crashes a
/// signal handler does.
final class Terminal: Sendable {
    /// How the terminal was, for the handler of a crash, which can be told nothing.
    private static let before: termios? = {
        var settings = termios()
        return tcgetattr(0, &settings) == 0 ? settings : nil
    }()
    private static let isEntered = Atomic<Bool>(false)
    private static let entering: StaticString = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leaving: StaticString = "\u{1B}[?25h\u{1B}[0m\u{1B}[?1049l"
    private static let crashes = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    /// Whether standard input and output are a terminal.
    static var isPresent: Bool { isatty(0) == 1 && isatty(1) == 1 }

    /// Enters the mode; `nil` when there is no terminal.
    init?() {
        guard Self.isPresent, let before = Self.before else { return nil }
        var raw = before
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        raw.c_iflag &= ~tcflag_t(IXON | ICRNL)
        // A read returns with what is there, after a tenth of a second with nothing.
        withUnsafeMutableBytes(of: &raw.c_cc) { controls in
            controls[Int(VMIN)] = 0
            controls[Int(VTIME)] = 1
        }
        guard tcsetattr(0, TCSAFLUSH, &raw) == 0 else { return nil }
        Self.isEntered.store(true, ordering: .releasing)
        for number in Self.crashes {
            signal(number) { number in
                Terminal.restore()
                // The default action, which the handler stood in for.
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        Self.write(Self.entering)
    }

    /// Brings back what was. Does nothing the second time.
    func leave() {
        for number in Self.crashes { signal(number, SIG_DFL) }
        Self.restore()
    }

    /// Calls nothing that a signal handler may not.
    private static func restore() {
        guard isEntered.exchange(false, ordering: .acquiringAndReleasing), var settings = before else { return }
        write(leaving)
        tcsetattr(0, TCSANOW, &settings)
    }

    private static func write(_ text: StaticString) {
        #if canImport(Glibc)
            _ = Glibc.write(1, text.utf8Start, text.utf8CodeUnitCount)
        #elseif canImport(Musl)
            _ = Musl.write(1, text.utf8Start, text.utf8CodeUnitCount)
        #else
            _ = Darwin.write(1, text.utf8Start, text.utf8CodeUnitCount)
        #endif
    }

    /// How large the terminal is; 80 by 24 when it does not say.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows lines, all in one piece so that none of them is seen half.
    func show(_ lines: [String]) {
        var text = "\u{1B}[?2026h\u{1B}[H"
        text += lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n")
        StandardStream.output.write(text + "\u{1B}[J\u{1B}[?2026l")
    }

    /// What was typed within a tenth of a second; `nil` when the terminal is gone. Blocks so long.
    static func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = bytes.withUnsafeMutableBytes { StandardInput.systemRead($0) }
        if count < 0 { return errno == EINTR || errno == EAGAIN ? [] : nil }
        // A terminal that hung up has nothing to read either, and at once.
        if count == 0, isatty(0) != 1 { return nil }
        return Array(bytes.prefix(count))
    }
}

extension TopView.Key {
    /// The keys in what a terminal sent; what is not understood is left out.
    static func keys(_ bytes: [UInt8]) -> [TopView.Key] {
        var keys: [TopView.Key] = []
        var rest = bytes[...]
        while let first = rest.first {
            if first == 0x1B, rest.count > 2,
                [UInt8(ascii: "["), UInt8(ascii: "O")].contains(rest[rest.startIndex + 1])
            {
                let sequence = rest.dropFirst(2)
                let end = sequence.firstIndex { (0x40...0x7E).contains($0) } ?? sequence.endIndex - 1
                if let key = Self(sequence: Array(sequence[...end])) { keys.append(key) }
                rest = rest[(end + 1)...]
                continue
            }
            rest = rest.dropFirst()
            switch first {
            case 0x1B: keys.append(.escape)
            case 0x0D, 0x0A: keys.append(.enter)
            case 0x7F, 0x08: keys.append(.backspace)
            case 0x03: keys.append(.interrupt)
            case 0x20...0x7E: keys.append(.character(Character(Unicode.Scalar(first))))
            default: break
            }
        }
        return keys
    }

    private init?(sequence: [UInt8]) {
        switch String(decoding: sequence, as: UTF8.self) {
        case "A": self = .up
        case "B": self = .down
        case "5~": self = .pageUp
        case "6~": self = .pageDown
        case "H", "1~": self = .home
        case "F", "4~": self = .end
        default: return nil
        }
    }
}
