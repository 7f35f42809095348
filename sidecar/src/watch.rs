//! New pods and containers, as they appear in /var/log.
//!
//! kubelet makes the directory of a pod's logs before it pulls the first image (`createPodSandbox` in
//! pkg/kubelet/kuberuntime), and the link to a container's log right after that has started (`startContainer`). The
//! first lets metadata arrive before the first line; the second gives the container's id.
//!
//! The rule it keeps: it looks at names and opens nothing; a directory that cannot be watched is tried again, and an event
//! whose name is lost still causes a poll.

use crate::schedule::Awaited;
use crate::settings::Watched;
use nodesieve_engine::tag::ContainerTag;
use notify::event::{ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// The directories, and what appears in them.
#[derive(Debug)]
pub struct Watch {
    directories: Vec<Directory>,
    sender: mpsc::Sender<Option<Awaited>>,
    receiver: mpsc::Receiver<Option<Awaited>>,
    overflown: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    holds: Holds,
    /// Watches while it lives.
    watcher: Option<RecommendedWatcher>,
    /// Set when the directory itself has gone.
    is_lost: Arc<AtomicBool>,
}

/// What the entries of a directory are.
#[derive(Clone, Copy, Debug)]
enum Holds {
    ContainerLogs,
    PodDirectories,
}

impl Watch {
    /// A watch over these directories, which starts with [`Watch::renew`].
    pub fn new(watched: &Watched) -> Watch {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let directory = |path: &Option<PathBuf>, holds| {
            let path = path.clone()?;
            Some(Directory { path, holds, watcher: None, is_lost: Arc::default() })
        };
        let directories = [
            directory(&watched.logs, Holds::ContainerLogs),
            directory(&watched.pod_logs, Holds::PodDirectories),
        ];
        Watch {
            directories: directories.into_iter().flatten().collect(),
            sender,
            receiver,
            overflown: Arc::default(),
        }
    }

    /// Watches what is not watched yet, or not any more. Returns whether something may have been missed meanwhile, and why
    /// a directory cannot be watched.
    pub fn renew(&mut self) -> (bool, Option<String>) {
        let (mut is_new, mut reason) = (false, None);
        for directory in &mut self.directories {
            if directory.is_lost.swap(false, Ordering::Relaxed) {
                directory.watcher = None;
            }
            if directory.watcher.is_some() {
                continue;
            }
            match start(directory, self.sender.clone(), Arc::clone(&self.overflown)) {
                Ok(watcher) => {
                    directory.watcher = Some(watcher);
                    is_new = true;
                }
                Err(error) => {
                    // notify names the paths in some errors only.
                    let error = notify::Error { paths: Vec::new(), ..error };
                    reason = Some(format!("watch {}: {error}", directory.path.display()));
                }
            }
        }
        (is_new, reason)
    }

    /// Waits for something that appears; `None` when its name is not known. When there is nothing to watch it waits for
    /// ever.
    pub async fn next(&mut self) -> Option<Awaited> {
        if self.overflown.swap(false, Ordering::Relaxed) {
            return None;
        }
        // This value holds a sender, so the channel never ends.
        self.receiver.recv().await.flatten()
    }
}

fn start(
    directory: &Directory,
    sender: mpsc::Sender<Option<Awaited>>,
    overflown: Arc<AtomicBool>,
) -> notify::Result<RecommendedWatcher> {
    let (path, holds, is_lost) = (directory.path.clone(), directory.holds, Arc::clone(&directory.is_lost));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let found = match event {
            Ok(event) if event.need_rescan() => vec![None],
            Ok(event) if is_removed(&event) => {
                if event.paths.contains(&path) {
                    is_lost.store(true, Ordering::Relaxed);
                    // Wakes the main loop, so that it watches the directory that takes its place.
                    vec![None]
                } else {
                    return;
                }
            }
            Ok(event) if is_new(&event) => {
                event.paths.iter().filter_map(|path| holds.read(path)).map(Some).collect()
            }
            Ok(_) => return,
            Err(_) => vec![None],
        };
        for what in found {
            if sender.try_send(what).is_err() {
                overflown.store(true, Ordering::Relaxed);
            }
        }
    })?;
    watcher.watch(&directory.path, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

fn is_new(event: &Event) -> bool {
    matches!(event.kind, EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)))
}

fn is_removed(event: &Event) -> bool {
    matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)))
}

impl Holds {
    /// What a new entry says; nothing when kubelet would not have named it so.
    fn read(self, path: &Path) -> Option<Awaited> {
        let name = path.file_name()?.to_str()?;
        match self {
            Holds::ContainerLogs => {
                ContainerTag::parse(name, "").map(|container| Awaited::Container(container.id.to_owned()))
            }
            Holds::PodDirectories => {
                // A static pod's uid is a hash without dashes.
                let mut parts = name.split('_');
                let (Some(_), Some(_), Some(uid), None) =
                    (parts.next(), parts.next(), parts.next(), parts.next())
                else {
                    return None;
                };
                let is_uid = (1..=64).contains(&uid.len())
                    && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
                is_uid.then(|| Awaited::Pod(uid.to_owned()))
            }
        }
    }
}

/// Events that are queued while a list is being read. Beyond that only the fact that something appeared is kept.
const QUEUE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn names_say_what_has_appeared() {
        let id = "0a".repeat(32);
        let log = |name: String| Holds::ContainerLogs.read(Path::new(&format!("/var/log/containers/{name}")));
        assert_eq!(log(format!("web-1_shop_app-{id}.log")), Some(Awaited::Container(id.clone())));
        assert_eq!(log("web-1_shop_app-0a1b.log".into()), Some(Awaited::Container("0a1b".into())));
        for other in ["web-1_shop_app-0a.txt", "..data", "a_b.log", "web_Shop_app-0a.log"] {
            assert_eq!(log(other.into()), None, "{other}");
        }
        let pod = |name: &str| Holds::PodDirectories.read(Path::new(name));
        let uid = "b933ddf3-013f-4aec-988b-32b504a2f8c0";
        assert_eq!(pod(&format!("shop_web-1_{uid}")), Some(Awaited::Pod(uid.into())));
        assert_eq!(pod("kube-system_etcd-a.b_0fdfa64c"), Some(Awaited::Pod("0fdfa64c".into())));
        for other in ["shop_web-1", "shop_web-1_", "shop_web_1_0a", "shop_web-1_xyz", ""] {
            assert_eq!(pod(other), None, "{other}");
        }
    }

    fn watch(scratch: &TempDir) -> Watch {
        Watch::new(&Watched { logs: Some(scratch.path().join("logs")), pod_logs: None })
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime
            .block_on(async { tokio::time::timeout(std::time::Duration::from_secs(30), future).await })
            .unwrap()
    }

    fn link(scratch: &TempDir, id: &str) {
        std::os::unix::fs::symlink("/nowhere", scratch.path().join(format!("logs/p_n_c-{id}.log"))).unwrap();
    }

    #[test]
    fn a_new_link_is_seen_and_an_old_one_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        link(&scratch, "0a");
        let mut watch = watch(&scratch);
        assert_eq!(watch.renew(), (true, None));
        assert_eq!(watch.renew(), (false, None), "it is watched already");
        link(&scratch, "0b");
        assert_eq!(block_on(watch.next()), Some(Awaited::Container("0b".into())));
    }

    #[test]
    fn a_directory_that_comes_late_or_again_is_watched_from_then_on() {
        let scratch = tempfile::tempdir().unwrap();
        let mut watch = watch(&scratch);
        let (is_new, reason) = watch.renew();
        let expected = format!("watch {}: ", scratch.path().join("logs").display());
        assert!(!is_new && reason.as_ref().is_some_and(|reason| reason.starts_with(&expected)), "{reason:?}");
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        assert_eq!(watch.renew(), (true, None));
        std::fs::remove_dir(scratch.path().join("logs")).unwrap();
        assert_eq!(block_on(watch.next()), None, "whoever waits wakes up");
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        assert_eq!(watch.renew(), (true, None));
        link(&scratch, "0c");
        assert_eq!(block_on(watch.next()), Some(Awaited::Container("0c".into())));
    }

    #[test]
    fn more_than_fits_is_known_to_have_happened() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("logs")).unwrap();
        let mut watch = watch(&scratch);
        watch.renew();
        for n in 0..QUEUE + 10 {
            link(&scratch, &format!("{n:x}"));
        }
        while !watch.overflown.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        assert_eq!(block_on(watch.next()), None);
        assert!(block_on(watch.next()).is_some());
    }
}
