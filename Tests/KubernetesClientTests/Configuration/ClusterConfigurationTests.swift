import KubernetesClient
import Testing

@Suite("Which cluster is used")
struct ClusterConfigurationTests {
    private let folder: TemporaryFolder
    private let pod = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]

    init() throws {
        folder = try TemporaryFolder()
    }

    private func kubeconfig(_ server: String) -> String {
        """
        current-context: x
        contexts: [{name: x, context: {cluster: c}}]
        clusters: [{name: c, cluster: {server: "\(server)"}}]
        """
    }

    /// Where the server is that is found, or why there is none.
    private func find(path: String? = nil, _ environment: [String: String] = [:]) -> String {
        do {
            let found = try ClusterConfiguration.find(
                path: path, environment: environment, homeFolder: "\(folder.path)/home",
                serviceAccountFolder: "\(folder.path)/account")
            return "\(found.server)"
        } catch {
            return error.description.replacing(folder.path, with: "FOLDER")
        }
    }

    @Test("The command line goes before KUBECONFIG, that before the pod, and that before the home folder")
    func order() throws {
        let flag = try folder.write("flag", kubeconfig("https://flag"))
        let variable = try folder.write("variable", kubeconfig("https://variable"))
        try folder.write("home/.kube/config", kubeconfig("https://home"))
        try folder.write("account/token", "t")
        try folder.write("account/ca.crt", TestCertificate.authority)
        let both = pod.merging(["KUBECONFIG": variable]) { first, _ in first }
        #expect(find(path: flag, both) == "https://flag")
        #expect(find(path: "", both) == "https://variable")
        #expect(find(pod) == "https://[fd00::1]")
        #expect(find(pod.merging(["KUBECONFIG": ""]) { first, _ in first }) == "https://[fd00::1]")
        #expect(find() == "https://home")
        // A pod without a service account.
        try folder.remove("account/token")
        #expect(find(pod) == "https://home")
        try folder.remove("home/.kube/config")
        #expect(find(pod) == "FOLDER/account/token: there is no such file")
        #expect(
            find()
                == "there is no cluster to use: no --kubeconfig, no KUBECONFIG, no pod around this process, "
                + "no 'FOLDER/home/.kube/config'")
        #expect(find(path: "\(folder.path)/gone", pod) == "kubeconfig 'FOLDER/gone': there is no such file")
        #expect(find(["KUBECONFIG": "/gone"]) == "KUBECONFIG: none of the files of '/gone' exists")
    }

    @Test("A folder is no file, and one that is too long is not read")
    func unreadable() throws {
        #expect(find(path: folder.path).hasPrefix("kubeconfig 'FOLDER': the file cannot be read"))
        let long = try folder.write("long", String(repeating: "#", count: 5 << 20))
        #expect(
            find(path: long) == "kubeconfig 'FOLDER/long': the file has 5242880 bytes; at most 4194304 are read")
    }

    @Test("The service account of a pod")
    func inCluster() throws {
        let account = "\(folder.path)/account"
        try folder.write("account/token", "t")
        try folder.write("account/ca.crt", TestCertificate.authority)
        let configuration = try ClusterConfiguration.inCluster(environment: pod, folder: account)
        #expect(configuration.server == ServerURL(isSecure: true, host: "fd00::1", port: 443))
        #expect(configuration.trust == ServerTrust(authorities: .file("\(account)/ca.crt")))
        #expect(configuration.credentials.authorization == .tokenFile("\(account)/token", initial: nil))
        #expect(configuration.namespace == "default")
        try folder.write("account/namespace", "mine\n")
        #expect(try ClusterConfiguration.inCluster(environment: pod, folder: account).namespace == "mine")
        let wrong = #expect(throws: ClusterConfigurationError.self) {
            try ClusterConfiguration.inCluster(
                environment: ["KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "tcp"], folder: account)
        }
        #expect(wrong?.description == "KUBERNETES_SERVICE_PORT: 'tcp' is not a port")
        let outside = #expect(throws: ClusterConfigurationError.self) {
            try ClusterConfiguration.inCluster(environment: [:], folder: account)
        }
        #expect(
            outside?.description
                == "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: both must be set for a process in a pod")
    }
}
