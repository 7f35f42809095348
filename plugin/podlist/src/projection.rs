//! From kubelet's list to pod files: a pure function, so that every rule about pods can be read and tested here.
//!
//! The rule it keeps: records are joined by container id, so every id that kubelet knows, past runs included, is in
//! the file of its pod. An answer without a list is an error and not an empty list, because the one means "kubelet
//! cannot say" and the other "no pods". The result does not depend on the order of the list, which kubelet shuffles.

use crate::limits::Limits;
use crate::listing::{self, ListError};
use crate::pod_list::read_pod;
use crate::pod_set::{PodFiles, PodSet};
use std::io::Read;

/// Reads kubelet's answer to `GET /pods`, a Kubernetes PodList in JSON, as it comes.
///
/// # Errors
/// [`ListError`] when the answer is not a list of pods; nothing on disk may be changed then. A single pod that
/// cannot be read is no error: it is counted in [`crate::Counts::skipped`].
pub fn project(pod_list: impl Read, limits: &Limits) -> Result<PodFiles, ListError> {
    let mut pods = PodSet::new(limits.clone());
    let mut skipped = 0u64;
    let bytes = listing::read(pod_list, limits.max_list, |item| {
        let pod = item.map(|item| read_pod(item, limits)).transpose()?.flatten();
        match pod {
            Some(pod) => pods.add(pod),
            None => skipped = skipped.saturating_add(1),
        }
        Ok(())
    })?;
    let uids = pods.pods().filter_map(|pod| pod.uid().map(str::to_owned)).collect();
    let mut answer = pods.into_files();
    answer.counts.skipped = answer.counts.skipped.saturating_add(skipped);
    Ok(PodFiles { bytes, uids, ..answer })
}

#[cfg(test)]
mod tests;
