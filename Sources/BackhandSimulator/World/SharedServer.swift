// Licensed under the Apache License, Version 2.0; see LICENSE.

/// One machine that serves requests: processor sharing, or first come first served if it has few workers.
///
/// In virtual time every active request is served at rate 1, so one heap of finishing marks tells which ends next,
/// whatever the speed does meanwhile. Demands are seconds of one core of speed 1.
final class SharedServer {
    let machine: Machine
    /// Cores that are not taken by neighbours.
    private(set) var cores: Double
    /// Of one core, as it really is now.
    private(set) var speed: Double
    private var active = Heap<Active>()
    private var waiting: [Waiting] = []
    private var firstWaiting = 0
    private var virtual = 0.0
    private var updated = 0.0
    /// When the next request ends, if nothing changes; infinite if there is none.
    private(set) var nextEnd = Double.infinity

    // What the next announcement tells: sums since the last one, or since the start.
    private(set) var window = Window()
    private(set) var arrivals: UInt64 = 0
    /// Exponential mean of the requests in flight over a minute, as the kernel's load average.
    private(set) var loadAverage = 0.0

    struct Window {
        var opened = 0.0
        var inFlight = 0.0
        var coreSeconds = 0.0
        /// Of cores that had nothing to do.
        var idleSeconds = 0.0
        var arrivals = 0
        var served = 0
        var failed = 0
        var latency = 0.0
    }

    private struct Active: Comparable {
        let mark: Double
        let request: Int
        static func < (left: Active, right: Active) -> Bool { left.mark < right.mark }
        static func == (left: Active, right: Active) -> Bool { left.mark == right.mark }
    }

    private struct Waiting {
        let request: Int
        let demand: Double
    }

    init(_ machine: Machine) {
        self.machine = machine
        cores = machine.cores
        speed = machine.speed
    }

    /// Requests there now, active or waiting.
    var inFlight: Int { active.count + waiting.count - firstWaiting }

    func arrive(_ request: Int, demand: Double, at now: Double) {
        advance(to: now)
        arrivals += 1
        window.arrivals += 1
        if machine.workers > 0, active.count >= machine.workers {
            waiting.append(Waiting(request: request, demand: demand))
        } else {
            active.push(Active(mark: virtual + demand, request: request))
        }
        plan(now)
    }

    /// The request that ends at ``nextEnd``.
    func finish(at now: Double) -> Int? {
        advance(to: now)
        guard let done = active.pop() else { return nil }
        if firstWaiting < waiting.count {
            let next = waiting[firstWaiting]
            firstWaiting += 1
            active.push(Active(mark: virtual + next.demand, request: next.request))
            if firstWaiting == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                firstWaiting = 0
            }
        }
        plan(now)
        return done.request
    }

    func note(latency: Double, failed: Bool) {
        window.served += failed ? 0 : 1
        window.failed += failed ? 1 : 0
        if !failed { window.latency += latency }
    }

    /// A request that was answered with an error at once.
    func arriveToFail() {
        arrivals += 1
        window.arrivals += 1
    }

    /// From now on it has this many cores of that speed.
    func change(cores: Double? = nil, speed: Double? = nil, at now: Double) {
        advance(to: now)
        self.cores = cores ?? self.cores
        self.speed = speed ?? self.speed
        plan(now)
    }

    /// Ends the window, once a second.
    func closeWindow(at now: Double) -> Window {
        advance(to: now)
        let closed = window
        window = Window(opened: now)
        let kept = exponent(-(now - closed.opened) / 60)
        let mean = closed.inFlight / max(now - closed.opened, 1e-9)
        loadAverage = loadAverage * kept + mean * (1 - kept)
        return closed
    }

    private var rate: Double {
        active.isEmpty ? 0 : speed * min(1, cores / Double(active.count))
    }

    private func advance(to now: Double) {
        let span = now - updated
        guard span > 0 else { return }
        virtual += rate * span
        window.inFlight += Double(inFlight) * span
        window.coreSeconds += min(cores, Double(active.count)) * span
        window.idleSeconds += max(0, cores - Double(active.count)) * span
        updated = now
    }

    private func plan(_ now: Double) {
        guard let next = active.top else { return nextEnd = .infinity }
        nextEnd = now + max(0, next.mark - virtual) / rate
    }
}
