// Licensed under the Apache License, Version 2.0; see LICENSE.

extension Scenario {
    /// Eight machines alike.
    static var eight: [Machine] { Array(repeating: Machine(cores: 4), count: 8) }

    /// Ten machines of 2 to 8 cores and three speeds.
    static var mixedMachines: [Machine] {
        let cores: [Double] = [2, 2, 2, 2, 2, 4, 4, 4, 8, 8]
        let speeds = [1, 1, 0.5, 0.5, 1, 1, 1, 1.5, 1, 1.5]
        return zip(cores, speeds).map { Machine(cores: $0, speed: $1) }
    }

    /// Four servers with 8 workers each that need 10, 10, 30 and 60 ms, whatever their CPUs say.
    static var fourSpeeds: [Machine] {
        [1, 1, 1.0 / 3, 1.0 / 6].map { speed in
            var machine = Machine(cores: 8, speed: speed)
            machine.workers = 8
            // The CPUs are alike: what takes longer is something else.
            machine.announcedSpeed = 1
            return machine
        }
    }

    private static func with(_ machines: [Machine], _ change: (inout [Machine]) -> Void) -> [Machine] {
        var machines = machines
        change(&machines)
        return machines
    }

    /// What the table in docs/balance.md shows, in its order.
    public static var all: [Scenario] {
        basic + many + odd + unseen
    }

    private static var basic: [Scenario] {
        [
            Scenario("equal", "eight equal servers", eight).with { $0.balancers = 4 },
            Scenario("speeds-300", "10, 10, 30, 60 ms; 300 requests/s", fourSpeeds).with {
                $0.demand = .exponential(0.010)
                $0.rate = 300
            },
            Scenario("speeds-1200", "10, 10, 30, 60 ms; 1200 requests/s", fourSpeeds).with {
                $0.demand = .exponential(0.010)
                $0.rate = 1200
            },
            Scenario("mixed", "mixed capacities, ten balancers", mixedMachines).with { $0.balancers = 10 },
            Scenario("cores", "many slow cores beside a few fast ones, 40 % load", coresMachines).with {
                $0.balancers = 4
                $0.load = 0.4
            },
            Scenario("two", "two servers, the second three times as large", [Machine(cores: 2), Machine(cores: 6)]).with
            { $0.balancers = 2 },
        ]
    }

    /// Equal capacities, of many slow cores or of a few fast ones.
    private static var coresMachines: [Machine] {
        Array(repeating: Machine(cores: 8, speed: 0.25), count: 3) + Array(repeating: Machine(cores: 2), count: 3)
    }

    private static var many: [Scenario] {
        [1, 4, 10, 40].map { balancers in
            Scenario("antagonist-\(balancers)", "antagonists move round, D = \(balancers)", mixedMachines).with {
                $0.balancers = balancers
                $0.antagonists = true
            }
        } + [
            Scenario("limits-4", "antagonists as limits that are announced, D = 4", mixedMachines).with {
                $0.balancers = 4
                $0.antagonists = true
                $0.limitsSeen = true
            }
        ]
    }

    private static var odd: [Scenario] {
        [
            Scenario(
                "slow", "one server turns five times slower, unseen by its CPU", with(eight) { $0[3].slowFrom = 25 }
            ).with {
                $0.balancers = 4
                $0.load = 0.6
            },
            Scenario(
                "fails", "one server answers at once with 503, from before the start",
                with(eight) { $0[3].failsFrom = 0 }
            ).with {
                $0.balancers = 4
                $0.load = 0.6
            },
            Scenario("joins", "one server joins cold", with(eight) { $0[3].joins = 40 }).with { $0.balancers = 4 },
            Scenario("symmetric", "servers are the balancers, 70 % of the clients at one", eight).with {
                $0.shareAtFirst = 0.7
            },
            Scenario("tail", "5 % of the requests take ten times as long", mixedMachines).with {
                $0.demand = .heavyTail(0.020)
                $0.balancers = 4
            },
            Scenario("rare", "one request in 3000 takes 3 s", eight).with {
                $0.demand = .rareLong(0.020)
                $0.balancers = 4
            },
            Scenario(
                "wrong", "announced capacities wrong by 3 and 1/3",
                with(mixedMachines) {
                    for index in [0, 4, 8] { $0[index].announced = 3 }
                    for index in [1, 7] { $0[index].announced = 1.0 / 3 }
                }
            ).with { $0.balancers = 4 },
            Scenario("full", "85 % load with antagonists", mixedMachines).with {
                $0.load = 0.85
                $0.balancers = 4
                $0.antagonists = true
            },
            Scenario("lossy", "20 % of the announcements lost, ten balancers", mixedMachines).with {
                $0.balancers = 10
                $0.antagonists = true
                $0.loss = 0.2
            },
            Scenario("long", "requests of 200 ms, ten balancers", mixedMachines).with {
                $0.demand = .exponential(0.200)
                $0.balancers = 10
                $0.antagonists = true
            },
        ]
    }

    /// Worlds that were not there when the formulas were fitted.
    static var unseen: [Scenario] { sizes + tides + waiting + mixtures }

    private static var sizes: [Scenario] {
        [
            Scenario("three", "three servers of 2, 4 and 8 cores", [2, 4, 8].map { Machine(cores: $0) }).with {
                $0.balancers = 2
            },
            Scenario(
                "thirty", "thirty servers, antagonists, ten balancers", mixedMachines + mixedMachines + mixedMachines
            ).with {
                $0.balancers = 10
                $0.antagonists = true
            },
        ]
    }

    private static var tides: [Scenario] {
        [
            Scenario("bursts", "bursts of a second to 102 %, 60 % load", mixedMachines).with {
                $0.tide = .bursts
                $0.load = 0.6
                $0.balancers = 4
            },
            Scenario("days", "tides between 36 and 84 %", mixedMachines).with {
                $0.tide = .days
                $0.load = 0.6
                $0.balancers = 4
            },
        ]
    }

    /// Servers that wait for another machine: requests do not share a CPU, but only some fit in. They announce two
    /// cores each.
    private static func waiting(_ workers: [Int], speeds: [Double]) -> [Machine] {
        zip(workers, speeds).map { workers, speed in
            var machine = Machine(cores: Double(workers), speed: speed)
            machine.workers = workers
            machine.announcedSpeed = 1
            machine.announcedCores = 2
            machine.overhead = 0.0003
            return machine
        }
    }

    /// All announce the same, whatever they can do.
    private static func hidden(busy: Double) -> [Machine] {
        with(waiting(mixedMachines.map { Int($0.cores) }, speeds: mixedMachines.map(\.speed))) {
            for index in $0.indices {
                $0[index].announcedWorkers = 31
                $0[index].busyWithOthers = busy
            }
        }
    }

    private static var waiting: [Scenario] {
        let speeds = waiting([8, 8, 8, 8], speeds: [1, 1, 1.0 / 3, 1.0 / 6])
        return [
            Scenario("waits-300", "as speeds-300, two cores announced", speeds).with {
                $0.demand = .exponential(0.010)
                $0.rate = 300
            },
            Scenario("waits-1200", "as speeds-1200, two cores announced", speeds).with {
                $0.demand = .exponential(0.010)
                $0.rate = 1200
            },
            Scenario(
                "workers", "4 to 32 workers that wait, two cores announced",
                waiting([4, 8, 16, 32], speeds: [1, 1, 1, 1])
            ).with {
                $0.balancers = 4
            },
            Scenario("hidden", "as antagonist-1, servers wait for something that is not announced", hidden(busy: 0))
                .with {
                    $0.antagonists = true
                },
            Scenario("hidden-busy", "the same, other programs use the CPUs", hidden(busy: 0.97)).with {
                $0.antagonists = true
            },
            Scenario("hidden-10", "as mixed, servers wait for something that is not announced", hidden(busy: 0)).with {
                $0.balancers = 10
            },
            Scenario(
                "waits-slow", "eight servers that wait, one turns five times slower",
                with(waiting(Array(repeating: 8, count: 8), speeds: Array(repeating: 1, count: 8))) {
                    $0[3].slowFrom = 25
                }
            ).with {
                $0.balancers = 4
                $0.load = 0.6
            },
        ]
    }

    private static var mixtures: [Scenario] {
        [
            Scenario(
                "elsewhere", "as antagonist-4, requests compute outside of httpd",
                with(mixedMachines) {
                    for index in $0.indices { $0[index].computesElsewhere = true }
                }
            ).with {
                $0.balancers = 4
                $0.antagonists = true
            },
            Scenario("kinds", "requests of 5, 50 and 400 ms", mixedMachines).with {
                $0.demand = .kinds
                $0.balancers = 4
            },
            Scenario(
                "recovers", "one server answers with 503 for 30 s",
                with(eight) {
                    $0[3].failsFrom = 30
                    $0[3].failsUntil = 60
                }
            ).with {
                $0.balancers = 4
                $0.load = 0.6
            },
            evenly(0.1), evenly(0.5), evenly(0.8),
            Scenario("uneven", "symmetric with mixed capacities, 70 % of the clients at a small one", mixedMachines)
                .with { $0.shareAtFirst = 0.7 },
        ]
    }

    /// Eight equal servers that are the balancers, with as many clients at each.
    private static func evenly(_ load: Double) -> Scenario {
        let percent = Int(load * 100 + 0.5)
        return Scenario(
            "even-\(percent)", "servers are the balancers, evenly asked, \(percent) % load",
            (0..<8).map { _ in Machine(cores: 4) }
        ).with {
            $0.shareAtFirst = 1.0 / 8
            $0.load = load
        }
    }
}
