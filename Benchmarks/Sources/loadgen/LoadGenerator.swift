import NIOCore
import NIOPosix

/// `loadgen`: sends a fixed count of chat completions and checks every reply; prints one JSON object.
///
/// Exit status 0 even if requests failed: the failures are in the report, and its reader judges them.
@main
struct LoadGenerator {
    static func main() async throws {
        do {
            let options = try LoadOptions(arguments: CommandLine.arguments.dropFirst())
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let report = try await loop.flatSubmit {
                LoadRun(options: options, loop: loop).begin()
            }.get()
            print(report.json)
        } catch {
            print("loadgen: \(error)")
            throw error
        }
    }
}
