// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandServerStats
import BackhandTestbed
import CBackhand
import Foundation

/// A segment with farms in it, as httpd's parent writes them.
final class FarmSegment {
    private let memory = SegmentMemory()
    private var texts: [UnsafeMutablePointer<CChar>] = []
    var segment: UnsafeMutablePointer<bh_segment_t> { memory.segment }
    var now: UInt64 = 1_000_000

    /// A farm of a configuration: its name, AthExpectUpdate, and members such as "10.0.0.4:80".
    typealias Named = (name: String, expect: UInt32, members: [String])

    init(_ farms: [Named] = []) { configure(farms) }

    convenience init(_ members: [String], expect: UInt32 = 0) { self.init([("farm_one", expect, members)]) }

    deinit { texts.forEach { free($0) } }

    /// Writes members and farms as at a restart; the numbers of the farms.
    @discardableResult
    func configure(_ farms: [Named]) -> [UInt32] {
        let named = farms.map { $0.members.map { pointer(toMember: $0) } }
        named.flatMap { $0 }.withUnsafeBufferPointer { writeMembers(segment, $0, now: now) }
        let configs = zip(farms, named).map { farm, members in
            let list = UnsafeMutableBufferPointer<UnsafeMutablePointer<bh_named_t>>.allocate(capacity: members.count)
            _ = list.initialize(from: members)
            let config = UnsafeMutablePointer<bh_farm_config_t>.allocate(capacity: 1)
            config.initialize(
                to: bh_farm_config_t(
                    name: text(farm.name), expect_s: farm.expect, member_count: UInt32(members.count),
                    members: UnsafePointer(list.baseAddress), weights: nil, number: 99))
            return config
        }
        configs.withUnsafeBufferPointer { bh_farms_write(segment, $0.baseAddress, UInt32(configs.count), now) }
        return configs.map { $0.pointee.number }
    }

    private func text(_ text: String) -> UnsafeMutablePointer<CChar> {
        let copy = strdup(text)!
        texts.append(copy)
        return copy
    }

    private func pointer(toMember member: String) -> UnsafeMutablePointer<bh_named_t> {
        let parts = member.split(separator: ":")
        let place = bh_place_t(address: parseAddress(String(parts[0]))!, port: UInt16(parts.dropFirst().first ?? "80")!)
        let named = UnsafeMutablePointer<bh_named_t>.allocate(capacity: 1)
        named.initialize(to: bh_named_t(place: place, name: text(member), row: 99, reserved: false))
        return named
    }

    func row(_ id: UInt32) -> UnsafeMutablePointer<bh_row_t> { bh_segment_row_mutable(segment, id) }
    func publicRow(_ id: UInt32) -> UnsafeMutablePointer<serverstat> { bh_segment_public_mutable(segment, id) }

    /// Updates a member: "on", "off", "up", "down", "load=750", "idle=250", "threads=40000", "order".
    @discardableResult
    func update(_ id: UInt32, _ words: String...) -> bh_status_t {
        var (update, pushed) = (bh_update_t(), [bh_pushed_t]())
        for word in words {
            let parts = word.split(separator: "=").map(String.init)
            switch parts[0] {
            case "on", "off": (update.fields, update.on) = (update.fields | BH_UPDATE_ON.rawValue, word == "on")
            case "up", "down": (update.fields, update.up) = (update.fields | BH_UPDATE_UP.rawValue, word == "up")
            case "load": (update.fields, update.load) = (update.fields | BH_UPDATE_LOAD.rawValue, UInt32(parts[1])!)
            case "idle": (update.fields, update.idle) = (update.fields | BH_UPDATE_IDLE.rawValue, UInt32(parts[1])!)
            case "order": update.fields |= BH_UPDATE_IS_ORDER.rawValue
            default:
                let name = text(parts.count > 1 ? parts[0] : "")
                pushed.append(
                    bh_pushed_t(
                        name: bh_piece_t(start: name, length: strlen(name)), thousandths: Int64(parts.last!) ?? 0))
            }
        }
        return pushed.withUnsafeBufferPointer {
            (update.statistics, update.statistic_count) = ($0.baseAddress, UInt32($0.count))
            return bh_member_update(segment, id, &update, now)
        }
    }

    func turnFarm(_ number: UInt32, on: Bool) -> bh_status_t {
        var update = bh_update_t()
        (update.fields, update.on) = (BH_UPDATE_ON.rawValue, on)
        return bh_farm_update(segment, number, &update, now)
    }

    func standing(_ id: UInt32, farm: UInt32 = 1) -> bh_standing_t { bh_member_standing(segment, farm, id, now) }

    /// Rows and weights that are left of these rows, each of weight 100.
    func select(_ rows: [UInt32], farm: UInt32 = 1) -> (rows: [UInt32], weights: [UInt32], places: [UInt32]) {
        var members = rows.map { bh_member_t(row: $0, weight: 100) }
        var places = rows.map { _ in UInt32(99) }
        let left = Int(bh_farm_select(segment, farm, now, &members, &places, UInt32(members.count)))
        return (members.prefix(left).map(\.row), members.prefix(left).map(\.weight), Array(places.prefix(left)))
    }

    /// The value of a code, as a number or a text; nil: it is not known.
    func value(
        _ code: bh_ath_code_t, farm: UInt32 = 1, row: UInt32 = 0, name: String? = nil, isChosen: Bool = false
    )
        -> String?
    {
        var room = [CChar](repeating: 1, count: Int(BH_VIEW_ROOM))
        return room.withUnsafeMutableBufferPointer { room in
            var view = bh_view_t()
            (view.segment, view.now_ms, view.room) = (UnsafePointer(segment), now, room.baseAddress)
            (view.farm, view.row, view.is_chosen) = (farm, row, isChosen)
            let piece = name.map { bh_piece_t(start: text($0), length: $0.utf8.count) } ?? bh_piece_t()
            var found = bh_ath_value_t()
            guard bh_view_value(&view, code, piece, &found) else { return nil }
            return found.text.start == nil ? String(found.number) : found.text.string
        }
    }
}
