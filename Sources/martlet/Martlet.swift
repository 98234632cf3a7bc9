import MartletCommands

/// The `martlet` binary: every command with the built-in plugins.
@main
enum Martlet {
    static func main() async {
        await CommandLineProgram.main()
    }
}
