// Licensed under the Apache License, Version 2.0; see LICENSE.

/// A plot as SVG: one row for each scenario, one mark for each rule, over a logarithmic axis.
struct Plot {
    let rows: [String]
    let series: [String]
    /// By row, then by series.
    let values: [[Double]]

    private var left: Double { 130 }
    private var width: Double { 640 }
    private var rowHeight: Double { 26 }
    private var top: Double { 40 }
    private let colours = [
        "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
    ]

    /// The axis: whole powers of ten around all values.
    private var decades: ClosedRange<Int> {
        let known = values.joined().filter { $0 > 0 && $0.isFinite }
        let low = Int((logarithm(known.min() ?? 1) / logarithm(10)).rounded(.down))
        let high = Int((logarithm(known.max() ?? 10) / logarithm(10)).rounded(.up))
        return low...max(low + 1, high)
    }

    private func x(_ value: Double) -> Double {
        let range = decades
        let place = logarithm(max(value, 1e-9)) / logarithm(10) - Double(range.lowerBound)
        return left + width * min(1, max(0, place / Double(range.count - 1)))
    }

    var text: String {
        let height = top + rowHeight * Double(rows.count)
        let legend = height + 30
        let total = legend + 18 * Double((series.count + 2) / 3) + 10
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 \(number(total, decimals: 0))\" "
                + "font-family=\"sans-serif\" font-size=\"12\">",
            "<rect width=\"800\" height=\"\(number(total, decimals: 0))\" fill=\"white\"/>",
        ]
        lines += grid(height)
        for row in rows.indices { lines += marks(row) }
        for index in series.indices {
            let (at, y) = (20 + 260 * Double(index % 3), legend + 18 * Double(index / 3))
            lines.append(mark(index, at, y - 4))
            lines.append(label(series[index], at + 10, y))
        }
        return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
    }

    private func grid(_ height: Double) -> [String] {
        decades.flatMap { decade in
            let value = power(10, Double(decade))
            let at = number(x(value), decimals: 1)
            return [
                "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(number(top - 10, decimals: 0))\" "
                    + "y2=\"\(number(height, decimals: 0))\" "
                    + "stroke=\"#dddddd\"/>",
                label("\(number(value, decimals: decade < 0 ? -decade : 0)) ms", x(value), top - 16, anchor: "middle"),
            ]
        }
    }

    private func marks(_ row: Int) -> [String] {
        let y = top + rowHeight * (Double(row) + 0.5)
        let known = series.indices.filter { row < values.count && values[row][$0] > 0 }
        return [label(rows[row], left - 10, y + 4, anchor: "end")] + known.map { mark($0, x(values[row][$0]), y) }
    }

    private func mark(_ index: Int, _ x: Double, _ y: Double) -> String {
        let colour = colours[index % colours.count]
        let (x, y) = (number(x, decimals: 1), number(y, decimals: 1))
        // Ours stand out; the second round of colours is hollow.
        let fill = index < colours.count ? colour : "none"
        let radius = series[index].hasPrefix("by") ? 6 : 4
        return
            "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"\(radius)\" stroke=\"\(colour)\" stroke-width=\"1.5\" "
            + "fill=\"\(fill)\" "
            + "fill-opacity=\"0.75\"/>"
    }

    private func label(_ text: String, _ x: Double, _ y: Double, anchor: String = "start") -> String {
        let escaped = text.map { $0 == "&" ? "&amp;" : $0 == "<" ? "&lt;" : String($0) }.joined()
        return
            "<text x=\"\(number(x, decimals: 1))\" y=\"\(number(y, decimals: 1))\" "
            + "text-anchor=\"\(anchor)\">\(escaped)</text>"
    }
}
