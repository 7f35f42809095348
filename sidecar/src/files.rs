//! The pod files' own thread: a volume that hangs must stop neither the polls nor `/healthz`.
//!
//! The rule it keeps: at most one order is with the thread and one, merged from all that came since, waits for it; so what waits is
//! bounded by the pods themselves.

use crate::publish::{Published, Publisher};
use nodesieve_engine::pods::{PodFile, file_name};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc as sync;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What is to be done with the files.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// These are to be there.
    files: BTreeMap<String, PodFile>,
    /// And no others but those of the grace period; `None` removes nothing.
    listed: Option<BTreeSet<String>>,
}

impl Order {
    /// Writes these.
    pub(crate) fn write(files: impl IntoIterator<Item = PodFile>) -> Order {
        let named = files.into_iter().filter_map(|file| Some((file_name(&file.namespace, &file.pod)?, file)));
        Order { files: named.collect(), listed: None }
    }

    /// Writes these, and starts or ends the grace period of all others.
    pub(crate) fn write_all(files: impl IntoIterator<Item = PodFile>) -> Order {
        let order = Order::write(files);
        Order { listed: Some(order.files.keys().cloned().collect()), ..order }
    }

    /// Starts or ends the grace period of all but these names.
    pub(crate) fn settle<'n>(names: impl Iterator<Item = &'n (String, String)>) -> Order {
        let listed = names.filter_map(|(namespace, name)| file_name(namespace, name));
        Order { files: BTreeMap::new(), listed: Some(listed.collect()) }
    }

    /// The later order on top of this one. Of pods that are gone since, more than there are pods are not written any more: while a
    /// volume hangs, pods may come and go for hours.
    fn then(mut self, later: Order) -> Order {
        self.files.extend(later.files);
        if let Some(listed) = &later.listed
            && self.files.len() > listed.len().saturating_mul(2).saturating_add(FEW)
        {
            self.files.retain(|name, _| listed.contains(name));
        }
        Order { files: self.files, listed: later.listed.or(self.listed) }
    }
}

/// The thread and what it has been told.
#[derive(Debug)]
pub(crate) struct PodFileThread {
    orders: sync::Sender<Order>,
    done: mpsc::UnboundedReceiver<Published>,
    /// Since when the thread is busy.
    busy: Option<Instant>,
    waiting: Option<Order>,
}

impl PodFileThread {
    /// Starts it. When there is no thread to be had, nothing is ever done, which shows as a volume that hangs.
    pub(crate) fn start(mut publisher: Publisher) -> PodFileThread {
        let (orders, taken) = sync::channel::<Order>();
        let (tell, done) = mpsc::unbounded_channel();
        // Ends with the sender of its orders; one that hangs in the system is left behind.
        let _ = std::thread::Builder::new().name("pod files".into()).spawn(move || {
            for Order { files, listed } in taken {
                let files: Vec<PodFile> = files.into_values().collect();
                let now = Instant::now();
                let mut published = publisher.add(&files, now);
                if let Some(listed) = listed {
                    publisher.settle(&listed, &mut published, now);
                }
                if tell.send(published).is_err() {
                    return;
                }
            }
        });
        PodFileThread { orders, done, busy: None, waiting: None }
    }

    /// Has an order carried out, at once or as soon as the one before is done.
    pub(crate) fn order(&mut self, order: Order, now: Instant) {
        if self.busy.is_some() {
            let waiting = self.waiting.take().unwrap_or_default();
            self.waiting = Some(waiting.then(order));
        } else if self.orders.send(order).is_ok() {
            self.busy = Some(now);
        }
    }

    /// Waits for an order to be done.
    pub(crate) async fn done(&mut self) -> Published {
        match self.done.recv().await {
            Some(published) => {
                self.busy = None;
                if let Some(order) = self.waiting.take() {
                    self.order(order, Instant::now());
                }
                published
            }
            None => std::future::pending().await,
        }
    }

    /// When the order that is being carried out has taken too long.
    pub(crate) fn is_late_at(&self) -> Option<Instant> {
        self.busy.and_then(|since| since.checked_add(LONGEST))
    }

    /// Whether everything is done.
    pub(crate) fn is_idle(&self) -> bool {
        self.busy.is_none()
    }
}

/// So many files of pods that are gone wait in any case.
const FEW: usize = 64;
/// How long writing the files of a list may take before the volume counts as hung.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ip: &str) -> PodFile {
        PodFile { ip: Some(ip.into()), ..PodFile::new("n", name) }
    }

    #[test]
    fn what_waits_is_one_order_and_the_latest_of_each_file() {
        let all = Order::write_all([pod("a", "1"), pod("b", "1")]);
        let merged = all.then(Order::write([pod("b", "2"), pod("c", "2")]));
        let ips: Vec<_> = merged.files.values().map(|file| (file.pod.as_str(), file.ip.as_deref())).collect();
        assert_eq!(ips, [("a", Some("1")), ("b", Some("2")), ("c", Some("2"))]);
        assert_eq!(merged.listed.as_ref().map(BTreeSet::len), Some(2));
        let settled = merged.then(Order::settle([("n".to_owned(), "c".to_owned())].iter()));
        assert_eq!((settled.files.len(), settled.listed.map(|listed| listed.len())), (3, Some(1)));
    }

    #[test]
    fn pods_that_come_and_go_while_an_order_waits_are_forgotten_at_some_time() {
        let mut waiting = Order::default();
        for n in 0..10_000 {
            let name = format!("p{n}");
            waiting = waiting.then(Order::write([pod(&name, "1")]));
            waiting = waiting.then(Order::settle([("n".to_owned(), name.clone())].iter()));
            assert!(waiting.files.len() <= FEW + 2);
            assert!(waiting.files.values().any(|file| file.pod == name), "what is listed is written");
        }
    }

    #[test]
    fn orders_are_carried_out_one_after_the_other() {
        let scratch = tempfile::tempdir().unwrap();
        let publisher = Publisher::new(scratch.path().join("pods"), Duration::ZERO, u64::MAX);
        let mut thread = PodFileThread::start(publisher);
        let now = Instant::now();
        for ip in ["1", "2", "3"] {
            thread.order(Order::write_all([pod("a", ip)]), now);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let written: Vec<u64> = runtime.block_on(async {
            let mut written = Vec::new();
            while !thread.is_idle() {
                written.push(thread.done().await.written);
            }
            written
        });
        assert_eq!(written, [1, 1], "the second waits no longer once the third has come");
    }
}
