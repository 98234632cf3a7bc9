import CustomPlugins
import MartletCommands

@main
enum MyGateway {
    static func main() async {
        await CommandLineProgram.main(plugins: registerCustomPlugins)
    }
}
