//! Drawing: scales, axes and marks as inline SVG. Colours and fonts are the page's, by class.

use std::fmt::Write as _;

use crate::text::{grouped, time};

/// The size of a picture, in its own units, which are pixels where it has the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) class: &'static str,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Every picture is drawn for a page and for a phone; the page shows the one that fits.
pub(super) const SIZES: [Size; 2] = [
    Size { class: "wide", width: 760.0, height: 330.0 },
    Size { class: "narrow", width: 350.0, height: 290.0 },
];

const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;

/// A scale of an axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// From, to.
    Linear(f64, f64),
    /// From, to, both above 0.
    Log(f64, f64),
}

impl Scale {
    /// The part (0 to 1) of the way at which a value lies, held within.
    fn part(self, value: f64) -> f64 {
        let part = match self {
            Self::Linear(from, to) => (value - from) / (to - from).max(f64::MIN_POSITIVE),
            Self::Log(from, to) => {
                (value.max(from).ln() - from.ln()) / (to.ln() - from.ln()).max(f64::MIN_POSITIVE)
            }
        };
        part.clamp(0.0, 1.0)
    }

    /// A logarithmic scale of whole decades around these values.
    pub(super) fn decades(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::MAX, 0.0_f64);
        for value in values.into_iter().filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most <= 0.0 {
            return Self::Log(1.0, 10.0);
        }
        let (from, to) = (least.log10().floor(), most.log10().ceil());
        Self::Log(10_f64.powf(from), 10_f64.powf(if to > from { to } else { from + 1.0 }))
    }

    /// Where the lines of a grid are.
    fn decade_ticks(self) -> Vec<f64> {
        let Self::Log(from, to) = self else { return Vec::new() };
        let mut ticks = Vec::new();
        let mut decade = from;
        while decade <= to * 1.001 {
            ticks.push(decade);
            if to / from < 1_001.0 {
                ticks.extend([2.0 * decade, 5.0 * decade].into_iter().filter(|tick| *tick < to));
            }
            decade *= 10.0;
        }
        ticks
    }
}

/// A picture with two axes.
pub(super) struct Plot {
    size: Size,
    x: Scale,
    y: Scale,
    body: String,
}

impl Plot {
    /// An empty picture; `title` is for those who cannot see it.
    pub(super) fn new(size: Size, title: &str, x: Scale, y: Scale) -> Self {
        let Size { class, width, height } = size;
        let mut body = String::new();
        let _ = write!(
            body,
            "<svg class=\"plot {class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-label=\"{title}\">"
        );
        Self { size, x, y, body }
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.part(value) * (self.size.width - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        self.size.height - BOTTOM - self.y.part(value) * (self.size.height - TOP - BOTTOM)
    }

    /// Whether it is the one for a phone.
    pub(super) fn is_narrow(&self) -> bool {
        self.size.class == "narrow"
    }

    /// The axis of times, with its grid.
    pub(super) fn times(&mut self) {
        for tick in self.y.decade_ticks() {
            let (y, right) = (self.at_y(tick), self.size.width - RIGHT);
            let (x, below) = (LEFT - 7.0, y + 4.0);
            let label = short_time(tick);
            let _ = write!(
                self.body,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{x}\" y=\"{below:.1}\" text-anchor=\"end\">{label}</text>"
            );
        }
    }

    /// The other axis: values with their labels, and what it shows.
    pub(super) fn across(&mut self, ticks: &[(f64, String)], label: &str) {
        let bottom = self.size.height - BOTTOM;
        let mut free_from = 0.0;
        for (value, text) in ticks {
            let (x, y) = (self.at_x(*value), bottom + 17.0);
            #[allow(clippy::cast_precision_loss, reason = "pixels")]
            let half = text.len() as f64 * 3.6;
            let begins = (x - half).min(self.size.width - RIGHT - 2.0 * half);
            if begins < free_from {
                continue;
            }
            free_from = begins + 2.0 * half + 6.0;
            let anchor = match x {
                x if x > self.size.width - RIGHT - 12.0 => "end",
                x if x < LEFT + 6.0 => "start",
                _ => "middle",
            };
            let _ = write!(
                self.body,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
            );
        }
        let (x, y) = (f64::midpoint(LEFT, self.size.width - RIGHT), self.size.height - 8.0);
        let _ = write!(
            self.body,
            "<text class=\"axis\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"
        );
    }

    /// A line through points; it breaks where a value is 0.
    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        let mut pen_down = false;
        for &(x, y) in points {
            if y <= 0.0 {
                pen_down = false;
                continue;
            }
            let step = if pen_down { 'L' } else { 'M' };
            let _ = write!(path, "{step}{:.1} {:.1}", self.at_x(x), self.at_y(y));
            pen_down = true;
        }
        let _ = write!(self.body, "<path class=\"line {class}\" d=\"{path}\"/>");
    }

    /// Dots; those at 0 are left out.
    pub(super) fn dots(&mut self, class: &str, points: &[(f64, f64)], radius: f64) {
        for &(x, y) in points.iter().filter(|point| point.1 > 0.0) {
            let (x, y) = (self.at_x(x), self.at_y(y));
            let _ = write!(
                self.body,
                "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
            );
        }
    }

    /// A line from bottom to top with a word beside it.
    pub(super) fn mark(&mut self, class: &str, value: f64, text: &str) {
        let (x, bottom) = (self.at_x(value), self.size.height - BOTTOM);
        let _ = write!(
            self.body,
            "<line class=\"mark {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"
        );
        if !text.is_empty() {
            let right = x > self.size.width * 0.6;
            let (x, anchor) = if right { (x - 5.0, "end") } else { (x + 5.0, "start") };
            let y = TOP + 12.0;
            let _ = write!(
                self.body,
                "<text class=\"note\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>"
            );
        }
    }

    /// The picture.
    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>");
        self.body
    }
}

/// Round values from 0 to at most `end`, about so many.
pub(super) fn round_ticks(end: f64, about: u32) -> Vec<f64> {
    let wanted = end / f64::from(about.max(1));
    if wanted.is_nan() || wanted <= 0.0 {
        return vec![0.0];
    }
    let decade = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * decade);
    let step = steps.into_iter().find(|step| *step >= wanted * 0.999).unwrap_or(10.0 * decade);
    let ticks = (0..=2 * about).map(|nth| step * f64::from(nth));
    ticks.take_while(|tick| *tick <= end * 1.001).collect()
}

/// A time without places that are nought: `1 us`, `500 ns`.
pub(super) fn short_time(nanoseconds: f64) -> String {
    let text = time(nanoseconds);
    match text.split_once(' ') {
        Some((value, unit)) if value.contains('.') => {
            format!("{} {unit}", value.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// A rate in short: `50k`, `1.5M`.
pub(super) fn short_rate(rate: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = (rate * 10 + unit / 2) / unit;
        let (whole, tenth) = (tenths / 10, tenths % 10);
        if tenth == 0 { whole.to_string() } else { format!("{whole}.{tenth}") }
    };
    match rate {
        0..1_000 => grouped(rate),
        1_000..1_000_000 => format!("{}k", tenths(1_000)),
        _ => format!("{}M", tenths(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_go_from_end_to_end() {
        let Scale::Log(from, to) = Scale::decades([3_000.0, 0.0, 1.2e6]) else { panic!("a scale") };
        assert!((from - 1e3).abs() < 1e-6 && (to - 1e7).abs() < 1.0, "{from} {to}");
        let scale = Scale::Log(1.0, 100.0);
        assert!((scale.part(10.0) - 0.5).abs() < 1e-9);
        assert_eq!((scale.part(0.0), scale.part(1e9)), (0.0, 1.0));
        assert_eq!(scale.decade_ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(Scale::Linear(2.0, 4.0).part(3.0), 0.5);
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(round_ticks(10.0, 4), [0.0, 2.5, 5.0, 7.5, 10.0]);
        assert_eq!(round_ticks(5_000.0, 3), [0.0, 2_000.0, 4_000.0]);
        assert_eq!(round_ticks(117_000.0, 6).len(), 6);
        assert_eq!(round_ticks(0.0, 6), [0.0]);
    }

    #[test]
    fn labels_are_short() {
        assert_eq!((short_time(1e3), short_time(5e5)), ("1 us".to_owned(), "500 us".to_owned()));
        assert_eq!(
            ["50k", "1.5M", "999"],
            [50_000, 1_500_000, 999].map(short_rate).each_ref().map(|t| t.as_str())
        );
    }
}
