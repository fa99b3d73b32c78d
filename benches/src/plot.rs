//! One picture of a report: wall time by scenario and target, on a logarithmic scale.

use std::fmt::Write;

use crate::report::Report;

const COLOURS: [&str; 8] = ["#0b6e4f", "#c8553d", "#e0a458", "#3a5a92", "#7b4b94", "#5c8a8a", "#8d6e63", "#999999"];
const BAR: usize = 12;
const LEFT: usize = 330;
const WIDTH: usize = 640;
const TOP: usize = 40;

/// The picture as SVG.
pub fn svg(report: &Report) -> String {
    let mut bars = String::new();
    let mut y = TOP + 10;
    let walls = report.targets.iter().flat_map(|target| report.rows.iter().filter_map(|row| target.wall(row)));
    let (low, high) = walls.fold((0.1f64, 1.0f64), |(low, high), wall| (low.min(wall.min), high.max(wall.max)));
    let (low, high) = (low.max(0.001).log10().floor(), high.log10().ceil());
    let x = |seconds: f64| LEFT as f64 + WIDTH as f64 * (seconds.max(0.001).log10() - low) / (high - low);
    for row in &report.rows {
        let start = y;
        for (n, target) in report.targets.iter().enumerate() {
            let Some(wall) = target.wall(row) else { continue };
            let _ = writeln!(
                bars,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>\
                 <path d=\"M{:.1} {}H{:.1}\" stroke=\"#222\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{:.2}</text>",
                x(wall.median) - LEFT as f64,
                BAR - 2,
                COLOURS[n % COLOURS.len()],
                x(wall.min),
                y + BAR / 2 - 1,
                x(wall.max),
                x(wall.max) + 4.0,
                y + BAR - 3,
                wall.median
            );
            y += BAR;
        }
        if y > start {
            let _ = writeln!(
                bars,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{row}</text>",
                LEFT - 8,
                (start + y) / 2 + 3
            );
            y += BAR / 2;
        }
    }
    let mut head = String::new();
    for (n, target) in report.targets.iter().enumerate() {
        let at = 10 + n * 110;
        let _ = writeln!(
            head,
            "<rect x=\"{at}\" y=\"8\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"17\">{}</text>",
            COLOURS[n % COLOURS.len()],
            at + 14,
            target.name
        );
    }
    for power in low as i32..=high as i32 {
        let at = x(10f64.powi(power));
        let _ = writeln!(
            head,
            "<path d=\"M{at:.1} {TOP}V{y}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{} s</text>",
            TOP - 6,
            10f64.powi(power)
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"10\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{head}{bars}</svg>\n",
        LEFT + WIDTH + 50,
        y + 10
    )
}
