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
        basic + many + odd
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
            Scenario("two", "two servers, the second three times as large", [Machine(cores: 2), Machine(cores: 6)]).with { $0.balancers = 2 },
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
            Scenario("slow", "one server turns five times slower, unseen by its CPU", with(eight) { $0[3].slowFrom = 25 }).with {
                $0.balancers = 4
                $0.load = 0.6
            },
            Scenario("fails", "one server answers at once with 503", with(eight) { $0[3].failsFrom = 0 }).with {
                $0.balancers = 4
                $0.load = 0.6
            },
            Scenario("joins", "one server joins cold", with(eight) { $0[3].joins = 40 }).with { $0.balancers = 4 },
            Scenario("symmetric", "servers are the balancers, 70 % of the clients at one", eight).with { $0.shareAtFirst = 0.7 },
            Scenario("tail", "5 % of the requests take ten times as long", mixedMachines).with {
                $0.demand = .heavyTail(0.020)
                $0.balancers = 4
            },
            Scenario("rare", "one request in 3000 takes 3 s", eight).with {
                $0.demand = .rareLong(0.020)
                $0.balancers = 4
            },
            Scenario("wrong", "announced capacities wrong by 3 and 1/3", with(mixedMachines) {
                for index in [0, 4, 8] { $0[index].announced = 3 }
                for index in [1, 7] { $0[index].announced = 1.0 / 3 }
            }).with { $0.balancers = 4 },
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
}
