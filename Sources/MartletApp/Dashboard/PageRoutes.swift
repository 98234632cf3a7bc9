import CDashboardPage
import Crypto
import GatewayCore
import NIOHTTP1

/// The dashboard's page: static files, which hold no data and so need no credentials.
///
/// The page loads nothing from elsewhere, runs no script that is not one of its files, and no other page may frame it.
struct PageRoutes: AdminArea {
    /// A file of the page.
    private struct File {
        let contentType: String
        let bytes: [UInt8]
        let tag: String
    }

    private static let folder = "/dashboard/"
    private static let index = "index.html"
    private static let headers: [(name: String, value: String)] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ]

    private let files: [String: File]

    /// The page as it was built into the program.
    init() {
        var files: [String: File] = [:]
        for (name, bytes) in Self.contents {
            let digest = SHA256.hash(data: bytes).prefix(16)
            let tag = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            files[name] = File(contentType: Self.contentType(of: name), bytes: bytes, tag: "\"\(tag)\"")
        }
        self.files = files
    }

    /// The files by name.
    static var contents: [(name: String, bytes: [UInt8])] {
        (0..<martlet_page_file_count()).map { index in
            let file = martlet_page_file_at(index)
            return (String(cString: file.name), Array(UnsafeBufferPointer(start: file.bytes, count: file.count)))
        }
    }

    var paths: [String] { [Self.folder] }

    func isOpen(_ request: AdminRequest) -> Bool {
        request.path.hasPrefix(Self.folder)
    }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        let name: Substring
        if request.path == "/" {
            // A person's browser gets the page, a program the list.
            guard request.isRead, request.accept.contains("text/html") else { return nil }
            name = Self.index[...]
        } else {
            guard request.path.hasPrefix(Self.folder) else { return nil }
            guard request.isRead else {
                return .text("only GET and HEAD are answered here", status: .methodNotAllowed)
            }
            name = request.path.dropFirst(Self.folder.count)
            // The page is at the root alone: what it names is named from there.
            if name.isEmpty || name == Self.index { return Self.elsewhere }
        }
        guard let file = files[String(name)] else {
            return .text("the dashboard has no file '\(name)'", status: .notFound)
        }
        var response = AdminResponse(contentType: file.contentType, body: file.bytes)
        response.headers = Self.headers + [("etag", file.tag), ("vary", "accept")]
        // The next program may have another page: ask each time, and get it again only if so.
        response.cacheControl = "no-cache"
        if request.headers.first("if-none-match") == file.tag {
            response.status = .notModified
            response.body = []
        }
        return response
    }

    /// Where the page is, seen from the folder: relative, for whoever serves the address under a path of their own.
    private static var elsewhere: AdminResponse {
        var response = AdminResponse.text("the dashboard is at ../", status: .temporaryRedirect)
        response.headers = headers + [("location", "../")]
        return response
    }

    /// The media type of a file by the ending of its name.
    static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        case "json": "application/json"
        case "png": "image/png"
        case "woff2": "font/woff2"
        default: "application/octet-stream"
        }
    }
}
