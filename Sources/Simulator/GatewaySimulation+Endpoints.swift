import DataLayer
import GatewayCore
import ModelServerSimulator

// What the world does to endpoints, and what the gateway learns of them.
extension GatewaySimulation {
    /// Tells the gateway the listed endpoints, and begins to scrape the new lives among them.
    func publishEndpoints() {
        store.replaceEndpoints(endpoints.indices.filter { isListed[$0] }.map { endpoints[$0].description })
        for snapshot in store.current.endpoints {
            let life = EndpointLife(snapshot)
            guard scrapes[life] == nil,
                let endpoint = endpoints.firstIndex(where: { $0.description.id == snapshot.id })
            else { continue }
            let scrape = EndpointScrape(life: life, configuration: configuration.scrape, now: now)
            scrapes[life] = scrape
            queue.schedule(.scrape(life: life, endpoint: endpoint), at: scrape.nextDue)
        }
    }

    /// Asks one endpoint; the answer may take a while, or be lost.
    func scrape(_ life: EndpointLife, _ endpoint: Int) {
        guard var scrape = scrapes[life] else { return }
        guard let snapshot = store.snapshot(of: life) else {
            scrapes[life] = nil
            return
        }
        if configuration.lostScrapes > 0, losses.unit() < configuration.lostScrapes {
            scrape.lose(at: now)
            scrapes[life] = scrape
            queue.schedule(.scrape(life: life, endpoint: endpoint), at: scrape.nextDue)
            return
        }
        let answer = EndpointScrape.Answer(
            page: endpoints[endpoint].page, askedAt: now, requests: snapshot.load.requests)
        if configuration.scrapeDelay == .zero { return takeAnswer(answer, life, endpoint) }
        let delay = Int64(losses.unit() * Double(configuration.scrapeDelay.wholeNanoseconds))
        queue.schedule(
            .scrapeAnswer(answer, life: life, endpoint: endpoint), at: now.advanced(by: .nanoseconds(delay)))
    }

    /// An endpoint answered; plans the next question unless its life is over.
    func takeAnswer(_ answer: EndpointScrape.Answer, _ life: EndpointLife, _ endpoint: Int) {
        guard var scrape = scrapes[life] else { return }
        guard scrape.take(answer, models: models, store: store, at: now) else {
            scrapes[life] = nil
            return
        }
        scrapes[life] = scrape
        queue.schedule(.scrape(life: life, endpoint: endpoint), at: scrape.nextDue)
    }

    /// Lets a fault happen.
    func happen(_ fault: SimulatedFault) {
        switch fault {
        case .kill(let index):
            note(6, index)
            for number in endpoints[index].kill() { lose(number) }
        case .start(let index):
            note(7, index)
            endpoints[index].start()
        case .leave(let index):
            note(8, index)
            isListed[index] = false
            publishEndpoints()
        case .join(let index):
            note(9, index)
            isListed[index] = true
            publishEndpoints()
        case .slow(let index, let factor):
            note(10, index)
            endpoints[index].slow(by: factor)
        }
    }
}
