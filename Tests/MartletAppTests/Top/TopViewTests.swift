import Testing

@testable import MartletApp

struct TopViewTests {
    private func view(endpoints: Int = 30) throws -> TopView {
        var view = TopView(sort: .name, pool: nil)
        view.take(try topSample(endpoints: endpoints), after: 0)
        return view
    }

    private func press(_ view: inout TopView, _ text: String, visibleRows: Int = 10) {
        for character in text { view.press(.character(character), visibleRows: visibleRows) }
    }

    @Test func keysSort() throws {
        var view = try view(endpoints: 5)
        #expect(view.rows.map(\.name) == (0..<5).map { "engine-\($0)" })
        press(&view, "w")
        #expect(view.rows.map(\.waiting) == [4, 3, 2, 1, 0])
        press(&view, "k")
        #expect(view.rows.map(\.kvUsage) == [0.75, 0.5, 0.25, 0, 0])
        #expect(view.rows.suffix(2).map(\.name) == ["engine-0", "engine-4"], "equal ones stand by name")
        press(&view, "r")
        #expect(view.rows.map(\.running) == [4, 3, 2, 1, 0])
        press(&view, "f")
        #expect(view.rows.map(\.inFlight) == [8, 6, 4, 2, 0])
        press(&view, "n")
        #expect(view.rows.first?.name == "engine-0")
    }

    @Test func aFilterIsTyped() throws {
        var view = try view()
        press(&view, "/")
        #expect(view.isTypingFilter)
        press(&view, "ENGINE-1q")
        #expect(!view.isOver, "a letter of the filter is no command")
        view.press(.backspace, visibleRows: 10)
        #expect(view.rows.count == 11)
        view.press(.enter, visibleRows: 10)
        press(&view, "w")
        #expect(view.rows.count == 11)
        #expect(view.sort == .waiting)
        view.press(.escape, visibleRows: 10)
        #expect(view.rows.count == 30)
        press(&view, "/ejected")
        #expect(view.rows.map(\.name) == ["engine-2"])
        view.press(.interrupt, visibleRows: 10)
        #expect(view.isOver, "Ctrl-C is no letter of a filter")
    }

    @Test func scrollingStaysWithinTheRows() throws {
        var view = try view()
        view.press(.up, visibleRows: 10)
        #expect(view.scroll == 0)
        view.press(.down, visibleRows: 10)
        view.press(.pageDown, visibleRows: 10)
        #expect(view.scroll == 11)
        view.press(.end, visibleRows: 10)
        #expect(view.scroll == 20)
        view.take(try topSample(endpoints: 4), after: 1)
        view.hold(visibleRows: 10)
        #expect(view.scroll == 0)
    }

    @Test func poolsAreShownInTurn() throws {
        var view = try view()
        press(&view, "p")
        #expect(view.pool == "chat")
        press(&view, "p")
        #expect(view.pool == nil)
        view.pool = "gone"
        #expect(view.rows.isEmpty)
        press(&view, "p")
        #expect(view.pool == nil)
    }

    @Test func ratesAreOfTheTimeBetweenTwoSamples() throws {
        var view = TopView(sort: .name, pool: nil)
        view.take(try topSample(requests: 100, firstTokens: [50, 80, 100]), after: 0)
        #expect(view.rates == nil)
        #expect(view.firstTokens.median == 0.1)
        view.take(try topSample(requests: 110, firstTokens: [50, 90, 110]), after: 2)
        #expect(view.rates?.requestsPerSecond == 5)
        #expect(view.rates?.medianFirstToken == 0.15 || abs((view.rates?.medianFirstToken ?? 0) - 0.15) < 0.051)
        // A gateway that began anew counts from 0: there is no rate below it.
        view.take(try topSample(requests: 3), after: 2)
        #expect(view.rates == nil)
    }

    @Test func quantilesLieWithinTheirBuckets() {
        let buckets = [(bound: 0.1, count: 10.0), (0.2, 20), (.infinity, 20)]
        #expect(TopView.quantile(0.5, buckets) == 0.1)
        #expect(abs((TopView.quantile(0.75, buckets) ?? 0) - 0.15) < 1e-12)
        #expect(TopView.quantile(0.99, [(0.1, 0), (.infinity, 5)]) == 0.1)
        #expect(TopView.quantile(0.5, []) == nil)
        #expect(TopView.quantile(0.5, [(0.1, 0), (.infinity, 0)]) == nil)
    }

    @Test func historiesAreBoundedAndForgotten() throws {
        var view = try view(endpoints: 2)
        for _ in 0..<100 { view.take(try topSample(endpoints: 2), after: 1) }
        #expect(view.histories.values.allSatisfy { $0.running.count == TopView.History.lengthMax })
        view.take(try topSample(endpoints: 1), after: 1)
        #expect(view.histories.count == 1)
    }

    @Test func bytesBecomeKeys() {
        typealias Key = TopView.Key
        #expect(Key.keys(Array("q".utf8)) == [.character("q")])
        #expect(Key.keys(Array("\u{1B}[A\u{1B}[B\u{1B}[5~\u{1B}OH".utf8)) == [.up, .down, .pageUp, .home])
        #expect(Key.keys([0x1B]) == [.escape])
        #expect(Key.keys([0x1B, UInt8(ascii: "[")]) == [.escape, .character("[")])
        #expect(Key.keys([0x0D, 0x7F, 3, 0xFF, 0x01]) == [.enter, .backspace, .interrupt])
        #expect(Key.keys(Array("\u{1B}[12;5".utf8)) == [])
        #expect(Key.keys(Array("\u{1B}[200~x".utf8)) == [.character("x")])
    }
}
