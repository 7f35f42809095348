//! The running count of a run, made from outside: from what comes back for each record.

use crate::billing::Bill;
use crate::clock::{Ticked, VirtualClock};
use crate::counts::FilterCounts;
use crate::inputs::Record;
use crate::ledger::Ledger;
use crate::money::{ByDestination, Prices, Saved, ThreeWays};
use crate::reported::Reported;
use crate::survey::{Dimensions, Survey};
use nodesieve_engine::engine::TICK_TAG;

/// What is counted so far.
#[derive(Clone, Debug)]
pub struct Tally {
    ledger: Ledger,
    reported: Reported,
    raw: Bill,
    /// What the built-in filter would have made of all records, and of those that are kept.
    today: Bill,
    today_kept: Bill,
    bill: Bill,
    /// How many records there are, and how long it took to write them, in seconds.
    all: (u64, f64),
    /// Seconds since 1970 at which the last record was read.
    now: u64,
    survey: Survey,
}

impl Tally {
    /// Nothing counted. `flush_seconds` is how often Fluent Bit flushes.
    pub fn new(flush_seconds: u32, dimensions: &Dimensions) -> Tally {
        Tally {
            ledger: Ledger { flush_seconds, ..Ledger::default() },
            reported: Reported::default(),
            raw: Bill::new(flush_seconds),
            today: Bill::new(flush_seconds),
            today_kept: Bill::new(flush_seconds),
            bill: Bill::new(flush_seconds),
            all: (dimensions.records() as u64, dimensions.span_seconds()),
            now: 0,
            survey: Survey::new(dimensions),
        }
    }

    /// Counts the record at a position that is kept with this text. `today` is its length behind the built-in filter.
    pub fn kept(
        &mut self,
        dimensions: &Dimensions,
        index: usize,
        (record, today): (&Record, usize),
        text: &[u8],
    ) {
        self.seen(dimensions, record, today);
        self.today_kept.add(&record.tag, self.now, today);
        self.survey.add(dimensions, index, record.text.len(), Some(text.len()));
        self.ledger.kept = self.ledger.kept.saturating_add(1);
        self.ledger.bytes_out = self.ledger.bytes_out.saturating_add(text.len() as u64);
        self.reported.add(text);
        self.bill.add(&record.tag, self.now, text.len());
    }

    /// Counts a record that is dropped.
    pub fn dropped(&mut self, dimensions: &Dimensions, index: usize, (record, today): (&Record, usize)) {
        self.seen(dimensions, record, today);
        self.survey.add(dimensions, index, record.text.len(), None);
        self.ledger.dropped = self.ledger.dropped.saturating_add(1);
    }

    /// Counts a record that is lost.
    pub fn lost(&mut self, dimensions: &Dimensions, index: usize, (record, today): (&Record, usize)) {
        self.seen(dimensions, record, today);
        self.survey.lost(dimensions, index, record.text.len());
        self.ledger.faults = self.ledger.faults.saturating_add(1);
    }

    /// Counts a summary.
    pub fn summary(&mut self, dimensions: &Dimensions, ticked: &Ticked) {
        self.come_to(dimensions, ticked.seconds);
        self.reported.add(&ticked.summary);
        let tag = std::str::from_utf8(TICK_TAG).unwrap_or_default();
        self.bill.add(tag, self.now, ticked.summary.len());
    }

    /// What it comes to. `counts` are the filter's own at the end; delivered is what Firehose would take.
    pub fn ledger(&self, counts: &FilterCounts, clock: &VirtualClock, prices: Prices) -> Ledger {
        let mut ledger = Ledger { prices, ..self.ledger.clone() };
        ledger.ticks = clock.ticks();
        let (records, seconds) = self.all;
        // While only a part of the records has been read, the virtual clock says how long they took.
        ledger.span_seconds = if ledger.seen < records { clock.span_seconds().min(seconds) } else { seconds };
        ledger.counted = self.reported.counted;
        ledger.summaries = self.reported.summaries;
        ledger.summarised = self.reported.summarised;
        ledger.recalled = self.reported.recalled;
        ledger.kept = ledger.kept.saturating_add(ledger.recalled);
        ledger.dropped = ledger.dropped.saturating_sub(ledger.recalled);
        ledger.take(counts);
        ledger.delivered = self.bill.records();
        ledger.undeliverable = self.bill.refused();
        ledger.delivered_bytes = self.bill.bytes();
        let [raw, today, today_kept, own] =
            [&self.raw, &self.today, &self.today_kept, &self.bill].map(billed);
        let dollars = |bytes| ledger.prices.dollars(bytes, ledger.span_seconds);
        ledger.bytes_kubernetes_filter = self.today.bytes();
        ledger.billed = in_three_ways(raw, today, own);
        ledger.billed_bytes = own.firehose;
        ledger.billed_bytes_aggregated = own.firehose_aggregated;
        ledger.dollars = in_three_ways(dollars(raw), dollars(today), dollars(own));
        ledger.saved = dollars(today)
            .zip(dollars(today_kept))
            .zip(dollars(own))
            .map(|((all, kept), own)| Saved { dropped_records: all - kept, leaner_metadata: kept - own });
        ledger
    }

    /// Where the volume is.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Advances to a time, unless it is implausible because a clock was wrong: such a record was read between its neighbours.
    fn come_to(&mut self, dimensions: &Dimensions, seconds: u32) {
        if dimensions.is_when_most_were(seconds) {
            self.now = self.now.max(u64::from(seconds));
        }
    }

    fn seen(&mut self, dimensions: &Dimensions, record: &Record, today: usize) {
        self.come_to(dimensions, record.time.0);
        self.ledger.seen = self.ledger.seen.saturating_add(1);
        self.ledger.bytes_in = self.ledger.bytes_in.saturating_add(record.text.len() as u64);
        self.raw.add(&record.tag, self.now, record.text.len());
        self.today.add(&record.tag, self.now, today);
    }
}

/// Bytes billed wherever the records go.
fn billed(bill: &Bill) -> ByDestination<u64> {
    ByDestination {
        firehose_aggregated: bill.aggregated(),
        firehose: bill.per_record(),
        cloudwatch: bill.bytes(),
    }
}

fn in_three_ways<T>(
    raw: ByDestination<T>,
    kubernetes_filter: ByDestination<T>,
    nodesieve: ByDestination<T>,
) -> ByDestination<ThreeWays<T>> {
    let all = raw.zip(kubernetes_filter).zip(nodesieve);
    all.map(|((raw, kubernetes_filter), nodesieve)| ThreeWays { raw, kubernetes_filter, nodesieve })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::FLUSH_SECONDS;
    use nodesieve_engine::config::model::InputSettings;

    #[test]
    fn summaries_in_a_quiet_hour_are_billed_in_flushes_of_their_own() {
        let record = |seconds| Record { tag: "t".into(), time: (seconds, 0), text: "{}".into() };
        let records = [record(100), record(1000)];
        let dimensions = Dimensions::of(&records, &InputSettings::default());
        let mut tally = Tally::new(FLUSH_SECONDS, &dimensions);
        let summary = |seconds| Ticked { seconds, summary: b"{}".to_vec() };
        tally.kept(&dimensions, 0, (&records[0], 10), b"{}");
        tally.summary(&dimensions, &summary(300));
        tally.summary(&dimensions, &summary(600));
        // A clock that was wrong opens no flush.
        tally.summary(&dimensions, &summary(4_000_000_000));
        tally.kept(&dimensions, 1, (&records[1], 20), b"{}");
        let ledger = tally.ledger(&FilterCounts::default(), &VirtualClock::default(), Prices::default());
        assert_eq!((ledger.billed_bytes_aggregated, ledger.delivered), (4 * 5120, 5));
        let cloudwatch = ThreeWays { raw: 4, kubernetes_filter: 30, nodesieve: 10 };
        assert_eq!((ledger.billed.cloudwatch, ledger.bytes_kubernetes_filter), (cloudwatch, 30));
    }
}
