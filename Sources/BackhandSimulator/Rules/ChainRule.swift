// Licensed under the Apache License, Version 2.0; see LICENSE.

internal import BackhandTestbed

/// Ours: each balancer has a table and runs the chain over it.
final class ChainRule: LocalRule {
    private let nodes: [Node]
    private let isSymmetric: Bool

    init(_ cluster: Cluster, chain: Chain, seed: UInt64) {
        let servers = cluster.servers.count
        isSymmetric = cluster.scenario.isSymmetric
        let symmetric = isSymmetric
        nodes = (0..<(symmetric ? servers : cluster.scenario.balancers)).map {
            Node(servers: servers, own: symmetric ? $0 : -1, number: $0, seed: seed, chain: chain)
        }
    }

    func choose(balancer: Int, tried: UInt64, demand: Double, at now: Double) -> Int? {
        if isSymmetric, tried == 0 { nodes[balancer].came() }
        return nodes[balancer].decide(tried: tried, at: now)
    }

    func begin(balancer: Int, server: Int, at now: Double) {
        nodes[balancer].begin(server, at: now)
        if isSymmetric, server != balancer { nodes[server].cameFromOther() }
    }

    func end(balancer: Int, server: Int, took: Double, failed: Bool, at now: Double) {
        nodes[balancer].end(server, took: took, failed: failed, at: now)
    }

    func hear(balancer: Int, _ announced: Announced) {
        nodes[balancer].hear(announced, dispatched: isSymmetric ? nodes[announced.server].dispatched : 0)
    }

    func tick(balancer: Int, at now: Double) {
        nodes[balancer].tick(at: now)
    }

    func closed(_ announced: Announced) {
        guard isSymmetric else { return }
        let node = nodes[announced.server]
        node.hear(announced, dispatched: node.dispatched)
        node.tick(at: announced.now)
    }

    func entered(server: Int, at now: Double) {
        if isSymmetric { nodes[server].entered(at: now) }
    }

    func left(server: Int, took: Double, at now: Double) {
        if isSymmetric { nodes[server].left(took: took, at: now) }
    }
}
