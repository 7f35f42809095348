//! The volume over time as an SVG chart: a column for each span of time, what is kept below, what is dropped on top of it.

use super::{count, duration, legend};
use crate::survey::TimeSpan;
use maud::{Markup, html};

/// The chart with its legend and axis. `step` is what a column is long, in seconds.
pub(super) fn over_time(times: &[TimeSpan], step: u64) -> Markup {
    let most = times.iter().map(|span| span.volume.seen).max().unwrap_or_default();
    let (seconds, step) = (step, duration(step as f64));
    let day =
        |span: Option<&TimeSpan>| span.and_then(|span| span.start.get(..10)).unwrap_or_default().to_owned();
    // Of more than a day the time of day says too little.
    let is_one_day = day(times.first()) == day(times.last());
    let clock = |span: &TimeSpan| {
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
    let wide = each * 0.85;
    let column = |index: usize, span: &TimeSpan| {
        let (x, kept, dropped) = (index as f64 * each, height(span.volume.kept), height(span.volume.dropped));
        let rect = |y: f64, height: f64| [x, y, wide, height].map(pixels);
        let [x, y, width, height] = rect(CHART_HEIGHT - kept, kept);
        let [_, top, _, rest] = rect(CHART_HEIGHT - kept - dropped, dropped);
        let (seen_kept, seen_dropped) = (count(span.volume.kept), count(span.volume.dropped));
        html! {
            g {
                title { (clock(span)) ": " (seen_kept) " kept, " (seen_dropped) " dropped" }
                rect class="hit" x=(x) y="0" width=(pixels(each)) height=(CHART_HEIGHT) {}
                rect class="kept" x=(x) y=(y) width=(width) height=(height) {}
                rect fill="url(#volume-stripes)" x=(x) y=(top) width=(width) height=(rest) {}
            }
        }
    };
    let most = count(most);
    let label = format!("Records over time, from {first} to {last}, at most {most} in {step}");
    html! {
        (legend())
        figure class="chart" {
            span class="maximum" { (most) " records in " (step) }
            svg viewBox={ "0 0 " (CHART_WIDTH) " " (CHART_HEIGHT) } role="img" aria-label=(label) {
                (stripes())
                @for (index, span) in times.iter().enumerate() { (column(index, span)) }
            }
            figcaption class="axis" {
                span { (first) }
                span { "a column is " (step) }
                span { (last) }
            }
        }
    }
}

/// What dropped records are filled with.
fn stripes() -> Markup {
    html! {
        defs {
            pattern id="volume-stripes" width="4" height="4" patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)" {
                rect class="stripes" width="4" height="4" {}
                path class="stripe" d="M1 0V4" stroke-width="2" {}
            }
        }
    }
}

fn pixels(length: f64) -> String {
    format!("{length:.2}")
}

const CHART_WIDTH: f64 = 360.0;
const CHART_HEIGHT: f64 = 96.0;
