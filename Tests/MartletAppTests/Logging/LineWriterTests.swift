import Foundation
import Synchronization
import Testing

@testable import MartletApp

@Suite(.timeLimit(.minutes(1))) struct LineWriterTests {
    private static func line(_ text: String) -> [UInt8] { Array("\(text)\n".utf8) }

    private static func lossNotice(_ lost: Int) -> [UInt8] { line("lost \(lost)") }

    /// Both ends of a pipe; whoever has it closes them.
    private struct Pipe: ~Copyable {
        let reader: Int32
        let writer: Int32

        init() throws {
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            (reader, writer) = (ends[0], ends[1])
        }

        /// Reads until the text so far ends as wanted.
        func read(until isEnough: (String) -> Bool) -> String {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while !isEnough(String(decoding: bytes, as: UTF8.self)) {
                let count = Foundation.read(reader, &chunk, chunk.count)
                if count <= 0 { break }
                bytes += chunk[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        deinit {
            _ = Foundation.close(reader)
            _ = Foundation.close(writer)
        }
    }

    @Test func linesOfManyTasksStayWhole() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let writer = LineWriter(
            to: try LineDestination(path: path, flag: "--log"), bytesMax: 1 << 22, lossNotice: Self.lossNotice)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<500 {
                        writer.write(Self.line("\(task) \(number) \(String(repeating: "x", count: number % 97))"))
                    }
                }
            }
        }
        await writer.flush(within: .seconds(30))
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 4_000 && writer.droppedLines == 0)
        var next = [Int](repeating: 0, count: 8)
        for line in lines {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            let (task, number) = (try #require(Int(parts[0])), try #require(Int(parts[1])))
            #expect(parts.count == 3 && parts[2].count == number % 97)
            #expect(number == next[task], "the lines of one task keep their order")
            next[task] = number + 1
        }
    }

    /// How many whole lines of the test below a text has, and how many it says were lost.
    private static func told(in text: String) -> (lines: Int, lost: Int) {
        text.split(separator: "\n").reduce(into: (0, 0)) { told, line in
            if line.hasPrefix("lost ") {
                told.1 += Int(line.dropFirst(5)) ?? 0
            } else if line.utf8.count == 99 {
                told.0 += 1
            }
        }
    }

    /// The writes return although nobody reads: the test would not end otherwise.
    @Test func aPlaceThatTakesNothingMakesNobodyWait() async throws {
        let pipe = try Pipe()
        let writer = LineWriter(
            to: LineDestination(descriptor: pipe.writer), bytesMax: 10_000, lossNotice: Self.lossNotice)
        let line = Self.line(String(repeating: "y", count: 99))
        // A pipe holds 64 KiB, what is being written holds as much as what waits.
        for _ in 0..<5_000 { writer.write(line) }
        await writer.flush(within: .milliseconds(20))
        let lost = writer.droppedLines
        #expect(lost > 3_000)
        // Told once or in parts, as the pipe took what waited; that every line came or was told of ends the reading.
        let text = pipe.read { $0.hasSuffix("\n") && Self.told(in: $0).lost + Self.told(in: $0).lines == 5_000 }
        #expect(Self.told(in: text).lost == lost)
        writer.write(Self.line("and on"))
        #expect(pipe.read { $0.hasSuffix("\n") } == "and on\n")
    }

    /// Nobody is told as long as nothing is taken: who is told elsewhere would be told with each line.
    @Test func aFullDiskCostsLinesAndIsSaidOnceItTakesSome() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let told = Mutex<[Int]>([])
        let writer = LineWriter(to: try LineDestination(path: path, flag: "--log"), bytesMax: 10_000) { lost in
            told.withLock { $0.append(lost) }
            return Self.lossNotice(lost)
        }
        for text in ["a", "b", "c"] {
            writer.write(Self.line(text))
            await writer.flush(within: .seconds(30))
        }
        #expect(writer.droppedLines == 3 && told.withLock { $0 } == [])
        try FileManager.default.removeItem(atPath: path)
        writer.reopen { #expect($0 == nil) }
        await writer.flush(within: .seconds(30))
        #expect(told.withLock { $0 } == [], "there is nothing yet that was taken")
        for text in ["d", "e"] {
            writer.write(Self.line(text))
            await writer.flush(within: .seconds(30))
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "d\nlost 3\ne\n")
        #expect(writer.droppedLines == 3 && told.withLock { $0 } == [3])
    }

    @Test func aFileThatWasMovedAwayIsOpenedAnew() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/log"
        let writer = LineWriter(
            to: try LineDestination(path: path, flag: "--log"), bytesMax: 10_000, lossNotice: Self.lossNotice)
        writer.write(Self.line("first"))
        await writer.flush(within: .seconds(30))
        try FileManager.default.moveItem(atPath: path, toPath: "\(path).1")
        writer.write(Self.line("second"))
        await writer.flush(within: .seconds(30))
        writer.reopen { #expect($0 == nil) }
        writer.write(Self.line("third"))
        await writer.flush(within: .seconds(30))
        #expect(try String(contentsOfFile: "\(path).1", encoding: .utf8) == "first\nsecond\n")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "third\n")
    }

    @Test func aFileThatCannotBeMadeIsAMistakeOfTheUser() {
        #expect(throws: CommandError.self) {
            _ = try LineDestination(path: "/no/such/folder/log", flag: "--access-log")
        }
    }

    @Test func aFileThatCannotBeOpenedAnewStaysInUse() async throws {
        let folder = try TemporaryFolder()
        let inner = try folder.makeFolder("inner")
        let writer = LineWriter(
            to: try LineDestination(path: "\(inner)/log", flag: "--log"), bytesMax: 10_000, lossNotice: Self.lossNotice)
        try FileManager.default.moveItem(atPath: inner, toPath: "\(folder.path)/moved")
        let problem = Mutex<String?>(nil)
        writer.reopen { told in problem.withLock { $0 = told } }
        writer.write(Self.line("still here"))
        await writer.flush(within: .seconds(30))
        #expect(try String(contentsOfFile: "\(folder.path)/moved/log", encoding: .utf8) == "still here\n")
        #expect(writer.droppedLines == 0 && problem.withLock { $0 } == "No such file or directory")
    }
}
