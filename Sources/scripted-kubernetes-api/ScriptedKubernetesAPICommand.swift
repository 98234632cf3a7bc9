@main
enum ScriptedKubernetesAPICommand {
    static func main() async throws {}
}
