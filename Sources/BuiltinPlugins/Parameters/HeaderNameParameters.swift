import GatewayCore
import RequestFormats

extension ParameterDecoder {
    /// The name of a header field at `key`, in lower case and without white space at its ends; `nil` when it is absent
    /// or nothing is left of it.
    func headerName(_ key: String) -> String? {
        string(key).flatMap { headerName($0, at: key) }
    }

    /// The name of a header field at `key`, in lower case, which must not be missing. Stand-in: `""`.
    func requiredHeaderName(_ key: String) -> String {
        let text = requiredString(key)
        return text.isEmpty ? "" : headerName(text, at: key) ?? ""
    }

    /// The names of header fields in the list at `key`, in lower case; empty when it is absent.
    func headerNames(_ key: String) -> [String] {
        strings(key).compactMap { text in
            if text.isEmpty { report("a header field needs a name", at: key) }
            return headerName(text, at: key)
        }
    }

    private func headerName(_ text: String, at key: String) -> String? {
        let name = text.trimmingWhitespace()
        if name.isEmpty { return nil }
        guard name.isFieldToken else {
            report("\(ConfigurationProblem.quoted(text)) is not the name of a header field", at: key)
            return nil
        }
        return name.lowercased()
    }
}
