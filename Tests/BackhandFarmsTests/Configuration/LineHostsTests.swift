// Licensed under the Apache License, Version 2.0; see LICENSE.

import CBackhand
import Testing

@testable import BackhandFarms

private let socket = "a URL with a socket is for one server"
private let group = "a balancer:// group has servers, not farms"
private let port = "its port is not a number from 1 to 65535"

@Suite("Hosts in lines that send requests")
struct LineHostsTests {
    /// All hosts of a line, with why they cannot be farms.
    private func hosts(_ directive: String, _ arguments: String) -> [String] {
        let texts = [directive, arguments].map { UnsafeMutableBufferPointer<CChar>.copy(Array($0.utf8) + [0]) }
        defer { texts.forEach { $0.deallocate() } }
        var (found, host, wrong): ([String], bh_piece_t, UnsafePointer<CChar>?) = ([], bh_piece_t(), nil)
        while bh_ath_line_host(texts[0].baseAddress, texts[1].baseAddress, &host, &wrong) {
            found.append(host.string + (wrong.map { ": " + String(cString: $0) } ?? ""))
        }
        return found
    }

    @Test(arguments: [
        ("/ http://farm_one/", "farm_one"), ("\"/x\" \"http://farm_one\" timeout=5", "farm_one"),
        ("http://FARM.one:8080/a?b", "FARM.one"), ("/ h2c://farm_one?q", "farm_one"),
        ("/ fcgi://farm_one#x", "farm_one"),
        ("/ http://user@farm_one/", "farm_one"), ("/ http://user:p%40ss@farm_one:81/x@y", "farm_one"),
        ("/ http://u@v@farm_one", "farm_one"),
        ("/ http://farm_one./", "farm_one."), ("/ http://farm%5fone/", "farm%5fone"),
        ("/ http://farm_one:/", "farm_one"),
        ("/ http://farm_one:0080/", "farm_one"),
    ])
    func whereURLsHaveThem(_ arguments: String, _ host: String) {
        #expect(hosts("ProxyPass", arguments) == [host])
        var url = bh_ath_url_t()
        let text = arguments.replacing("\"", with: "").split(separator: " ").first { $0.contains("://") }
        #expect(bh_ath_url_split(String(text ?? ""), &url))
    }

    /// What a variable stands for, only a request knows: after the name it begins with the path, or is a part of it.
    @Test(arguments: [
        ("^(/.*)$ http://farm_one$1", "farm_one"), ("^(/.*)$ http://farm_one$1?q=$2", "farm_one"),
        ("^ http://farm_one$1$2#a", "farm_one"),
        ("^/x(.*) \"http://u@farm_one%{REQUEST_URI}\"", "farm_one"), ("^ http://farm_one${map:$1}", "farm_one"),
        ("^ http://farm_one:8080$1", "farm_one"), ("^ http://farm_one:$1/", "farm_one"),
        ("^ http://farm_one:%{SERVER_PORT}/$1", "farm_one"),
        ("^ http://%{ENV:user}@farm_one/", "farm_one"),
        ("^ http://farm_one$1/", "farm_one$1"), ("^ http://farm_one$1.test/$2", "farm_one$1.test"),
        ("^ http://$1.farm_one/", "$1.farm_one"),
        ("^ http://farm_one$1.test", "farm_one$1.test"), ("^ http://farm_one$", "farm_one$"),
        ("^ http://farm_one%x", "farm_one%x"),
        ("^ http://farm_one%{a", "farm_one%{a"),
    ])
    func beforeVariables(_ arguments: String, _ host: String) {
        #expect(hosts("ProxyPassMatch", arguments) == [host])
        #expect(hosts("RewriteRule", arguments + " [P,L]") == [host])
    }

    @Test(arguments: [
        ("ProxyPass", "/x !"), ("ProxyPass", "/x"), ("ProxyPass", ""), ("SetHandler", "server-status"),
        ("ProxyPassReverse", "/ http://farm_one/"), ("Redirect", "/ http://farm_one/"), ("<Proxy", "http://farm_one/>"),
        ("RewriteRule", "^ http://farm_one/"), ("RewriteRule", "^ http://farm_one/ [R=301,L]"),
        ("RewriteRule", "^ - [P]"),
        ("RewriteRule", "^ http://farm_one/ [PT]"), ("RewriteRule", "^ http://farm_one/ P"),
        ("RewriteRule", "^ http://farm_one/ []"),
        ("RewriteRule", "^ http://farm_one/ ["),
    ])
    func none(_ directive: String, _ arguments: String) {
        #expect(hosts(directive, arguments).isEmpty)
    }

    @Test(arguments: ["[P]", "[L,P]", "[proxy]", "\"[NE, p ,L]\"", "[E=a:b,PROXY]"])
    func rulesThatProxy(_ flags: String) {
        #expect(hosts("rewriterule", "\"^/a b\" http://farm_one/$1 " + flags) == ["farm_one"])
    }

    @Test(arguments: [
        ("ProxyPass", "/x unix:/run/php.sock|fcgi://farm_one/", ["farm_one: \(socket)"]),
        ("ProxyPass", "/x \"unix:/run/my php.sock|fcgi://farm_one/\"", ["farm_one: \(socket)"]),
        ("ProxyPass", "/x unix:php.sock|http://farm_one/", ["farm_one: \(socket)"]),
        ("SetHandler", "\"proxy:UNIX:///run/php.sock|fcgi://farm_one\"", ["", "farm_one: \(socket)"]),
        ("BalancerMember", "unix:/run/x|http://farm_one", ["farm_one: \(socket)"]),
        ("RewriteRule", "^ ${map:$1|http://farm_one/} [P]", ["farm_one"]),
        ("BalancerMember", "http://farm_one loadfactor=2", ["farm_one: \(group)"]),
        ("balancermember", "balancer://one \"ajp://u@farm_one:80x\"", ["one: \(group)", "farm_one: \(group)"]),
        ("ProxyPass", "/ balancer://farm_one/", ["farm_one: \(group)"]),
        ("SetHandler", "proxy:Balancer://farm_one", ["farm_one: \(group)"]),
        ("SetHandler", "proxy:http://farm_one:80x/", ["farm_one: \(port)"]),
        ("AddHandler", "proxy:fcgi://farm_one:0/ .php", ["farm_one: \(port)"]),
        ("RewriteRule", "^ http://farm_one:65536/ [P]", ["farm_one: \(port)"]),
    ])
    func whereNoFarmCanStand(_ directive: String, _ arguments: String, _ found: [String]) {
        #expect(hosts(directive, arguments) == found)
    }

    /// A URL in the query of another one is a value.
    @Test func severalURLs() {
        #expect(hosts("ProxyPass", "/x http://one/?to=http://farm_one/") == ["one"])
        #expect(hosts("ProxyPass", "/x http://one http://two://three") == ["one", "two"])
        #expect(hosts("ProxyPass", ":// \"://\" http://") == ["", "", ""])
    }

    @Test func nothing() {
        var (host, wrong): (bh_piece_t, UnsafePointer<CChar>?) = (bh_piece_t(), nil)
        #expect(!bh_ath_line_host(nil, "http://a", &host, &wrong) && !bh_ath_line_host("ProxyPass", nil, &host, &wrong))
        #expect(!bh_ath_line_host("ProxyPass", "http://a", nil, &wrong))
        #expect(!bh_ath_line_host("ProxyPass", "http://a", &host, nil) && host.start == nil && wrong == nil)
    }
}
