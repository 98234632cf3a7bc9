import Foundation
import GatewayCore
import NIOHTTP1
import Telemetry
import Testing

@testable import MartletApp

@Suite struct PageRoutesTests {
    private let page = PageRoutes()

    private func ask(_ path: String, accept: String = "*/*", method: HTTPMethod = .GET, tag: String? = nil)
        -> AdminResponse?
    {
        var fields = [HeaderMap.Field(name: "accept", value: accept)]
        if let tag { fields.append(HeaderMap.Field(name: "if-none-match", value: tag)) }
        return page.answer(AdminRequest(method: method, path: path, headers: HeaderMap(fields)))
    }

    @Test func theProgramHasEveryFileOfThePage() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/CDashboardPage/page").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(PageRoutes.contents.map(\.name).sorted() == names)
        for (name, bytes) in PageRoutes.contents {
            #expect(try Data(contentsOf: folder.appending(path: name)) == Data(bytes), "\(name) is an old one")
            #expect(PageRoutes.contentType(of: name) != "application/octet-stream", "\(name)")
        }
    }

    @Test func aBrowserGetsThePageAndAProgramTheList() {
        let browser = ask("/", accept: "text/html,application/xhtml+xml,*/*;q=0.8")
        #expect(browser?.contentType == "text/html; charset=utf-8")
        #expect(ask("/") == nil)
        #expect(ask("/", accept: "text/html", method: .POST) == nil)
        #expect(ask("/api/state", accept: "text/html") == nil)
        for path in ["/dashboard/", "/dashboard/index.html"] {
            let other = ask(path)
            #expect(other?.status == .temporaryRedirect && other?.fields.first(name: "location") == "../", "\(path)")
        }
    }

    @Test func whatBrowsersAreTold() throws {
        let response = try #require(ask("/", accept: "text/html"))
        let headers = Dictionary(response.headers.map { ($0.name, $0.value) }) { first, _ in first }
        let policy = try #require(headers["content-security-policy"])
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
        #expect(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"))
        #expect(headers["x-content-type-options"] == "nosniff" && headers["referrer-policy"] == "no-referrer")
        #expect(response.cacheControl == "no-cache")
        let tag = try #require(headers["etag"])
        let again = try #require(ask("/", accept: "text/html", tag: tag))
        #expect(again.status == .notModified && again.body.isEmpty)
        #expect(ask("/", accept: "text/html", tag: "\"other\"")?.status == .ok)
    }

    @Test func thereIsNothingElse() {
        for path in ["/dashboard/x.js", "/dashboard/../index.html", "/dashboard/index.html/"] {
            #expect(ask(path)?.status == .notFound, "\(path)")
        }
        #expect(ask("/dashboard") == nil)
        #expect(ask("/dashboard/index.html", method: .POST)?.status == .methodNotAllowed)
        #expect(page.isOpen(AdminRequest(method: .GET, path: "/dashboard/index.html")))
        #expect(!page.isOpen(AdminRequest(method: .GET, path: "/api/live")))
    }
}
