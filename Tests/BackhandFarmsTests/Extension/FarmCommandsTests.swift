// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandText
import CBackhand
import Testing

@testable import BackhandFarms

@Suite struct FarmCommandsTests {
    let farms = FarmSegment([("one", 30, ["10.0.0.4:8080", "10.0.0.5"]), ("two", 0, ["10.0.0.5"])])

    /// The answer, nil if the line is no command for farms; and whether it was an order.
    private func ask(_ line: String) -> (answer: String?, isOrder: Bool) {
        var (answer, isOrder) = (Message(), false)
        let isKnown = Array(line.utf8).withUnsafeBufferPointer {
            obey(
                Word($0), farms.segment, now: farms.now, ordered: &isOrder,
                to: {
                    answer.add($0)
                    return true
                })
        }
        return (isKnown ? answer.text : nil, isOrder)
    }

    @Test(
        arguments: [
            (
                "farms",
                #"{"farms":[{"name":"one","on":true,"expect_update_s":30,"able":2,"member_count":2,"in_flight":0},"#
                    + #"{"name":"two","on":true,"expect_update_s":0,"able":1,"member_count":1,"in_flight":0}]}"#
            ),
            (
                "farm TWO off",
                #"{"name":"two","on":false,"expect_update_s":0,"able":0,"member_count":1,"in_flight":0,"#
                    + #""members":[{"member":"10.0.0.5","id":2,"on":true,"up":true,"in":true,"able":false,"#
                    + #""reason":"farm off","in_flight":0,"weight":1.000,"statistics":{}}]}"#
            ),
            (
                "member one 10.0.0.5:80 down",
                #"{"member":"10.0.0.5","id":2,"on":true,"up":false,"in":true,"#
                    + #""able":false,"reason":"down","in_flight":0,"weight":1.000,"statistics":{}}"#
            ),
            ("farm three", #"{"error":"no such farm"}"#), ("member one 10.0.0.9", #"{"error":"no such member"}"#),
            ("farm one up", #"{"error":"on or off is wanted"}"#),
            ("member one 10.0.0.5 away", #"{"error":"on, off, up or down is wanted"}"#),
        ])
    func answers(line: String, answer: String) { #expect(ask(line).answer == answer + "\n") }

    @Test(arguments: ["", "farm", "farms x", "member one", "farm one on off", "member one a on x", "Farms", "status"])
    func isNoCommand(line: String) { #expect(ask(line).answer == nil) }

    @Test func ordersAreTold() {
        #expect(!ask("farm one").isOrder && !ask("farm one up").isOrder)
        #expect(ask("farm ONE off").isOrder && ask("member one 10.0.0.4:8080 off").isOrder)
        #expect(farms.standing(1) == BH_STANDING_FARM_OFF)
        _ = ask("farm one on")
        #expect(farms.standing(1) == BH_STANDING_OFF && farms.standing(2) == BH_STANDING_ABLE)
    }

    @Test func thePageShowsThem() {
        farms.update(1, "load=750", "threads=40000", "off")
        bh_counter_add_many(farms.segment, BH_COUNT_REFUSED_COOKIES.rawValue, 12)
        for isJSON in [false, true] {
            var page = Message()
            #expect(
                writeFarmPage(
                    farms.segment, isJSON: isJSON, now: farms.now,
                    to: {
                        page.add($0)
                        return true
                    }))
            let text = page.text
            #expect(text.contains("10.0.0.4:8080") && text.contains("two"))
            #expect(text.contains(isJSON ? #""statistics":{"threads":40.000}"# : "threads=40.000 "))
            #expect(
                isJSON
                    ? text.hasPrefix(#"{"farms":[{"name":"one","#) && text.hasSuffix("],")
                    : text.hasSuffix("</table>\n<p>Cookies refused: 12</p>\n"))
        }
        #expect(!writeFarmPage(farms.segment, isJSON: false, now: farms.now, to: { _ in false }))
    }

    /// What others chose is text on the page, as in its other tables.
    @Test func thePageEscapes() {
        let row = farms.row(1)
        var facts = row.pointee.facts
        facts.check = UInt32(BH_CHECK_FAILING) | BH_FINDING_TIMEOUT.rawValue
        withUnsafeMutableBytes(of: &facts.check_name) { $0.copyBytes(from: Array("/a?b&c<d>\"".utf8)) }
        (row.pointee.facts, row.pointee.before) = (facts, facts)
        var page = Message()
        _ = writeFarmPage(
            farms.segment, isJSON: false, now: farms.now,
            to: {
                page.add($0)
                return true
            })
        #expect(page.text.contains("check /a?b&amp;c&lt;d&gt;&quot;: timeout<"))
    }
}
