// Licensed under the Apache License, Version 2.0; see LICENSE.

import BackhandBridge
import CBackhand

/// Addresses in the loop guard's header, and whatever a configuration may hold: an error text that ends, or a value.
func fuzzText(_ bytes: UnsafeRawBufferPointer) {
    var source = Source(bytes)
    let kind = source.byte()
    var name = source.text()
    var argument: [CChar]?
    if let blank = name.firstIndex(of: CChar(bitPattern: UInt8(ascii: " "))) {
        argument = Array(name[(blank + 1)...])
        name = name[..<blank] + [0]
    }
    var error = [CChar](repeating: 1, count: Int(BH_ERROR_SIZE))
    var status = BH_OK
    switch kind % 4 {
    case 0: roundTrip(name)
    case 1:
        var network = bh_network_t()
        status = bh_network_parse(name, &network, &error, error.count)
        var number = UInt32(0)
        promise(
            bh_number_parse(name, BH_UNIT_NONE, 2, 9, &number, nil, 0) != BH_OK || 2...9 ~= number,
            "a number out of its range")
    case 2:
        var destination = bh_destination_t()
        if let argument {
            status = bh_destination_parse(name, argument, &destination, &error, error.count)
        } else {
            status = bh_destination_parse(nil, name, &destination, &error, error.count)
        }
        promise(status != BH_OK || destination.port != 0, "a destination without a port")
    default:
        var step = bh_step_t()
        if let argument {
            status = argument.withUnsafeBufferPointer {
                bh_step_parse(name, $0.baseAddress, &step, &error, error.count)
            }
        } else {
            status = bh_step_parse(name, nil, &step, &error, error.count)
        }
        if status == BH_OK { follow(step, argument) }
    }
    promise(status == BH_OK || error.contains(0), "an error text without an end")
}

/// An address that can be read is written as a text that is read as the same address.
private func roundTrip(_ text: [CChar]) {
    var address = bh_address_t()
    guard bh_address_parse(text, &address) == BH_OK else { return }
    var written = [CChar](repeating: 1, count: Int(BH_ADDRESS_SIZE))
    promise(bh_address_format(&address, &written, written.count) == BH_OK, "an address that cannot be written")
    var again = bh_address_t()
    promise(
        bh_address_parse(written, &again) == BH_OK && again.high == address.high && again.low == address.low,
        "another address")
}

/// What was read can be run: over servers without any numbers, where each division is one by 0.
private func follow(_ step: bh_step_t, _ argument: [CChar]?) {
    promise(step.program.0 < UInt64(BH_PROGRAM_WORDS), "a program longer than its room")
    clearSegment()
    for id in 0..<4 as Range<UInt32> { bh_word_store(&bh_segment_row_mutable(segment, id).pointee.heard_ms, 1000) }
    bh_half_store(&segment.pointee.rows, 4)
    var step = step
    // The texts are gone, and no function but those that take a text reads them.
    step.name = nil
    step.argument = nil
    decide([step], now: 2000, seed: 1)
}
