//! The volume over time as an SVG chart: a column for each span of time, what is kept below, what is dropped on top of it.

use super::{LEGEND, count, duration, put};
use crate::survey::Span;

/// The chart with its legend and axis. `step` is what a column is long, in seconds.
pub(super) fn over_time(times: &[Span], step: u64) -> String {
    let most = times.iter().map(|span| span.volume.seen).max().unwrap_or_default();
    let (seconds, step) = (step, duration(step as f64));
    let day = |span: Option<&Span>| span.and_then(|span| span.start.get(..10)).unwrap_or_default().to_owned();
    // Of more than a day the time of day says too little.
    let is_one_day = day(times.first()) == day(times.last());
    let clock = |span: &Span| {
        let part = match (is_one_day, seconds < 60) {
            (true, _) => 11..19,
            (false, true) => 5..19,
            (false, false) => 5..16,
        };
        span.start.get(part).unwrap_or_default().replace('T', " ")
    };
    let (first, last) =
        (times.first().map(clock).unwrap_or_default(), times.last().map(clock).unwrap_or_default());
    let each = CHART_WIDTH / times.len().max(1) as f64;
    let height = |records: u64| CHART_HEIGHT * records as f64 / most.max(1) as f64;
    let mut columns = String::new();
    for (index, span) in times.iter().enumerate() {
        let (x, kept, dropped) = (index as f64 * each, height(span.volume.kept), height(span.volume.dropped));
        put(
            &mut columns,
            format_args!(
                "<g><title>{}: {} kept, {} dropped</title><rect class=\"hit\" x=\"{x:.2}\" y=\"0\" width=\"{each:.2}\" height=\"{CHART_HEIGHT}\"/>\
                 <rect class=\"kept\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{kept:.2}\"/>\
                 <rect fill=\"url(#volume-stripes)\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{dropped:.2}\"/></g>\n",
                clock(span),
                count(span.volume.kept),
                count(span.volume.dropped),
                CHART_HEIGHT - kept,
                each * 0.85,
                CHART_HEIGHT - kept - dropped,
                each * 0.85
            ),
        );
    }
    format!(
        "{LEGEND}<figure class=\"chart\">\n<span class=\"maximum\">{most} records in {step}</span>\n\
         <svg viewBox=\"0 0 {CHART_WIDTH} {CHART_HEIGHT}\" role=\"img\" aria-label=\"Records over time, from {first} to {last}, at most {most} in {step}\">\n\
         {PATTERN}{columns}</svg>\n\
         <figcaption class=\"axis\"><span>{first}</span><span>a column is {step}</span><span>{last}</span></figcaption>\n</figure>\n",
        most = count(most)
    )
}

const CHART_WIDTH: f64 = 360.0;
const CHART_HEIGHT: f64 = 96.0;
const PATTERN: &str = "<defs><pattern id=\"volume-stripes\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect class=\"stripes\" width=\"4\" height=\"4\"/><path class=\"stripe\" d=\"M1 0V4\" stroke-width=\"2\"/></pattern></defs>\n";
