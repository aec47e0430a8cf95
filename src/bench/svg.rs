//! The report's charts, as SVG that stands in the page and takes its colours from the page's style.

use std::fmt::Write;

use crate::visible::visible_lines;

/// Width and height of a chart of lines, in units of its own.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 260.0;

/// Around the area of the values: left for the scale, below for the batch sizes.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// Height of a stacked bar in pixels, and of the room that it and its name above it stand in.
const BAR: f64 = 16.0;
const BAR_ROOM: f64 = 42.0;

/// Half the width of the lines at both ends of an error bar.
const CAP: f64 = 4.0;

/// Colours that the page's style has, `.c0` and so on.
const COLOURS: usize = 8;

/// A value of a chart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub value: f64,
    /// Between what the runs lay; `None` of a value without noise.
    pub range: Option<(f64, f64)>,
}

/// A line of a chart: a value at some of the places along the x axis.
pub(crate) struct Line {
    pub name: String,
    pub values: Vec<Option<Measured>>,
}

/// Text as it may stand in the page.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in visible_lines(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The colour of the nth line.
pub(crate) fn colour(number: usize) -> String {
    format!("c{}", number % COLOURS)
}

/// A scale from 0 to beyond the largest value: its end and the step between its lines, both round numbers.
fn scale(largest: f64) -> (f64, f64) {
    if largest <= 0.0 || !largest.is_finite() {
        return (1.0, 0.25);
    }
    let rough = largest / 4.0;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|round| round * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * magnitude);
    ((largest / step).ceil() * step, step)
}

/// A number as a scale shows it.
fn shown(number: f64) -> String {
    match number.abs() {
        large if large >= 1e6 => trimmed(number / 1e6, "M"),
        large if large >= 1e3 => trimmed(number / 1e3, "k"),
        _ => trimmed(number, ""),
    }
}

fn trimmed(number: f64, unit: &str) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// Values against batch sizes, a line for each series. `unit` stands beside the scale.
// Writing to a string cannot fail, so what `write!` returns is let go throughout.
pub(crate) fn lines(title: &str, unit: &str, sizes: &[u32], lines: &[Line]) -> String {
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten());
    let largest = values().map(|of| of.range.map_or(of.value, |(_, high)| high.max(of.value)));
    let (end, step) = scale(largest.fold(0.0, f64::max));
    let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let x = |place: usize| LEFT + width * (place as f64 + 0.5) / sizes.len().max(1) as f64;
    let y = |value: f64| TOP + height * (1.0 - value / end);
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
        escaped(title)
    );
    let mut tick = 0.0;
    while tick <= end + step / 2.0 {
        let at = y(tick);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{at:.1}" y2="{at:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            shown(tick)
        );
        tick += step;
    }
    for (place, size) in sizes.iter().enumerate() {
        let _ = write!(
            svg,
            r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="middle">{size}</text>"#,
            x(place),
            HEIGHT - BOTTOM + 18.0
        );
    }
    let _ = write!(
        svg,
        r#"<text class="axis" x="{:.1}" y="{:.1}" text-anchor="middle">batch size</text><text class="axis" x="14" y="{:.1}" text-anchor="middle" transform="rotate(-90 14 {:.1})">{}</text>"#,
        LEFT + width / 2.0,
        HEIGHT - 6.0,
        TOP + height / 2.0,
        TOP + height / 2.0,
        escaped(unit)
    );
    for (number, line) in lines.iter().enumerate() {
        let colour = colour(number);
        let places: Vec<(f64, f64, usize, Measured)> = line
            .values
            .iter()
            .enumerate()
            .filter_map(|(place, of)| of.map(|of| (x(place), y(of.value), place, of)))
            .collect();
        let path: Vec<String> = places
            .iter()
            .map(|(x, y, ..)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(
            svg,
            r#"<polyline class="line {colour}" points="{}"/>"#,
            path.join(" ")
        );
        // Series that lie on each other have their error bars side by side.
        let aside = (number as f64 - (lines.len() as f64 - 1.0) / 2.0) * CAP / 2.0;
        for (x, _, _, of) in &places {
            if let Some((low, high)) = of.range {
                let (at, low, high) = (x + aside, y(low), y(high));
                let _ = write!(
                    svg,
                    r#"<path class="error {colour}" d="M{0:.1} {low:.1}H{1:.1}M{at:.1} {low:.1}V{high:.1}M{0:.1} {high:.1}H{1:.1}"/>"#,
                    at - CAP,
                    at + CAP
                );
            }
        }
        for (x, y, place, of) in places {
            let range = match of.range {
                Some((low, high)) => format!(", runs from {} to {}", shown(low), shown(high)),
                None => String::new(),
            };
            let _ = write!(
                svg,
                r#"<circle class="dot {colour}" cx="{x:.1}" cy="{y:.1}" r="4"><title>{}: batch size {}, {} {}{range}</title></circle>"#,
                escaped(&line.name),
                sizes[place],
                shown(of.value),
                escaped(unit)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// What a part of each bar is, and its colour's class.
pub(crate) struct BarPart {
    pub name: &'static str,
    pub colour: String,
}

/// A bar of parts, one after the other.
pub(crate) struct Bar {
    pub name: String,
    /// Lengths, in the order of the legend.
    pub parts: Vec<f64>,
}

/// Stacked bars, lying, each below its name, with a scale in seconds below them. Lengths are in per cent of whatever
/// width there is, heights and letters in pixels, so that a phone shows them as large as a desk does.
pub(crate) fn bars(title: &str, parts: &[BarPart], bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.parts.iter().sum::<f64>());
    let (end, step) = scale(longest.fold(0.0, f64::max));
    let height = bars.len() as f64 * BAR_ROOM;
    let x = |seconds: f64| 100.0 * seconds / end;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg class="bars" height="{0:.0}" role="img" aria-label="{1}">"#,
        height + 26.0,
        escaped(title)
    );
    let mut tick = 0.0;
    while tick <= end + step / 2.0 {
        // At both ends the text stays inside.
        let anchor = match tick {
            at if at < step / 2.0 => "start",
            at if at > end - step / 2.0 => "end",
            _ => "middle",
        };
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{0:.2}%" x2="{0:.2}%" y1="0" y2="{height:.1}"/><text class="tick" x="{0:.2}%" y="{1:.1}" text-anchor="{anchor}">{2} s</text>"#,
            x(tick),
            height + 18.0,
            shown(tick)
        );
        tick += step;
    }
    for (row, bar) in bars.iter().enumerate() {
        let top = row as f64 * BAR_ROOM;
        let _ = write!(
            svg,
            r#"<text class="name" x="0" y="{:.1}">{}</text>"#,
            top + 16.0,
            escaped(&bar.name)
        );
        let mut from = 0.0;
        for (length, part) in bar.parts.iter().zip(parts) {
            let _ = write!(
                svg,
                r#"<rect class="part {}" x="{:.3}%" y="{:.1}" width="{:.3}%" height="{BAR}"><title>{}: {} {length:.3} s</title></rect>"#,
                part.colour,
                x(from),
                top + 22.0,
                x(*length).max(0.0),
                escaped(&bar.name),
                escaped(part.name)
            );
            from += length;
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_hold_the_largest_value() {
        for (largest, scaled) in [
            (0.0, (1.0, 0.25)),
            (f64::NAN, (1.0, 0.25)),
            (4.0, (4.0, 1.0)),
            (4.1, (6.0, 2.0)),
            (97.0, (100.0, 25.0)),
            (18_311.0, (20_000.0, 5000.0)),
            (0.03, (0.03, 0.01)),
        ] {
            let (end, step) = scale(largest);
            assert!(
                (end - scaled.0).abs() < 1e-9 && (step - scaled.1).abs() < 1e-9,
                "{largest}: {end} {step}"
            );
        }
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (1500.0, "1.5k"),
            (20_000.0, "20k"),
            (3_000_000.0, "3M"),
        ] {
            assert_eq!(shown(number), text);
        }
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escaped("<b a='1'>\"&amp;"),
            "&lt;b a=&#39;1&#39;&gt;&quot;&amp;amp;"
        );
    }
}
