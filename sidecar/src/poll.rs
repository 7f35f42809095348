//! A poll: the list of pods from where it is asked for, and whether it is plausible.

use crate::client::{KubeletClient, PollError};
use crate::off_loop::{OffLoop, silence};
use crate::settings::PodListSource;
use crate::trust::{Doubt, Trust};
use nodesieve_podlist::{Limits, PodFiles, project};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Asks for the list and judges whether it is complete.
pub(crate) struct Poller {
    origin: Origin,
    trust: Trust,
    limits: Arc<Limits>,
}

/// A list, and why it may not be complete.
pub(crate) struct PolledList {
    pub(crate) list: PodFiles,
    pub(crate) doubt: Option<Doubt>,
}

/// Where the list comes from.
enum Origin {
    Kubelet(Box<KubeletClient>),
    File { path: PathBuf, limit: Duration, reading: OffLoop },
}

impl Poller {
    pub(crate) fn new(source: PodListSource, limits: Arc<Limits>) -> Poller {
        let origin = match source {
            PodListSource::Kubelet(kubelet) => Origin::Kubelet(Box::new(KubeletClient::new(kubelet))),
            PodListSource::File { path, total_timeout: limit } => {
                Origin::File { path, limit, reading: OffLoop::default() }
            }
        };
        Poller { origin, trust: Trust::default(), limits }
    }

    /// What is asked.
    pub(crate) fn name(&self) -> String {
        match &self.origin {
            Origin::Kubelet(client) => client.url(),
            Origin::File { path, .. } => path.display().to_string(),
        }
    }

    pub(crate) async fn poll(&mut self) -> Result<PolledList, PollError> {
        let read = self.read().await;
        match read {
            Ok(list) => {
                let doubt = self.trust.judge(list.files.len(), list.knows_api, Instant::now()).err();
                Ok(PolledList { list, doubt })
            }
            Err(error) => {
                self.trust.interrupted();
                Err(error)
            }
        }
    }

    async fn read(&mut self) -> Result<PodFiles, PollError> {
        match &mut self.origin {
            Origin::Kubelet(client) => client.pods(Arc::clone(&self.limits)).await,
            Origin::File { path, limit, reading } => {
                let (path, limits) = (path.clone(), Arc::clone(&self.limits));
                let hangs = PollError::File { path: path.clone(), reason: silence(*limit) };
                let read = reading.within(*limit, move || {
                    let file = File::open(&path).map_err(|reason| PollError::File { path, reason })?;
                    Ok(project(file, &limits)?)
                });
                read.await.unwrap_or(Err(hangs))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many pods.
    fn list(pods: usize) -> String {
        let pod = |n| format!(r#"{{"metadata":{{"namespace":"n","name":"p{n}","uid":"u{n}"}},"spec":{{}}}}"#);
        format!(r#"{{"items":[{}]}}"#, (0..pods).map(pod).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_poll_without_a_list_interrupts_what_was_seen_of_a_loss() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let source =
            PodListSource::File { path: scratch.path().join("list"), total_timeout: Duration::from_secs(60) };
        let mut poller = Poller::new(source, Arc::new(Limits::default()));
        let mut poll = |text: Option<&str>| {
            match text {
                Some(text) => std::fs::write(scratch.path().join("list"), text).unwrap(),
                None => std::fs::remove_file(scratch.path().join("list")).unwrap(),
            }
            let answer = runtime.block_on(poller.poll()).map(|answer| answer.doubt.is_some()).ok();
            (answer, poller.trust.clone())
        };
        let (believed, before) = poll(Some(&list(30)));
        let (doubted, during) = poll(Some(&list(3)));
        let (failed, after) = poll(None);
        assert_eq!((believed, doubted, failed), (Some(false), Some(true), None));
        assert!(during != before && after == before);
    }
}
