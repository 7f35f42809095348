use super::*;
use std::os::unix::fs::{MetadataExt, symlink};
use tempfile::TempDir;

/// The directory `pods` in a temporary one.
struct Pods(TempDir);

impl Pods {
    fn new() -> Pods {
        Pods(tempfile::tempdir().unwrap())
    }

    fn pods(&self) -> PodFileStore {
        PodFileStore::new(self.0.path().join("pods"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("pods").join(name)
    }

    fn names(&self) -> Vec<String> {
        names(&self.0.path().join("pods"))
    }

    fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }
}

/// What is in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn pod(name: &str, uid: &str) -> PodFile {
    let mut pod = PodFile::new("shop", name);
    pod.uid = Some(uid.to_string());
    pod
}

/// Writes and says how many were written, were unchanged and failed.
#[track_caller]
fn counts(directory: &mut PodFileStore, pods: &[PodFile]) -> (u64, u64, usize) {
    let WrittenFiles { written, unchanged, failed } = directory.write(pods).unwrap();
    (written, unchanged, failed.len())
}

#[test]
fn writes_one_readable_file_per_pod_and_nothing_else() {
    let scratch = Pods::new();
    assert_eq!(counts(&mut scratch.pods(), &[pod("web-1", "a"), pod("web-10", "b")]), (2, 0, 0));
    assert_eq!(scratch.names(), ["shop_web-1.json", "shop_web-10.json"]);
    assert_eq!((scratch.mode("shop_web-1.json"), scratch.mode("")), (0o644, 0o755));
    let content = fs::read(scratch.path("shop_web-10.json")).unwrap();
    assert_eq!(PodFile::decode(&content, "shop", "web-10"), Ok(pod("web-10", "b")));
}

#[test]
fn touches_only_what_changed() {
    let scratch = Pods::new();
    let inode = |name: &str| fs::metadata(scratch.path(name)).unwrap().ino();
    counts(&mut scratch.pods(), &[pod("web-1", "a"), pod("web-2", "b")]);
    let before = (inode("shop_web-1.json"), inode("shop_web-2.json"));
    assert_eq!(counts(&mut scratch.pods(), &[pod("web-1", "a"), pod("web-2", "c")]), (1, 1, 0));
    assert_eq!(inode("shop_web-1.json"), before.0);
    assert_ne!(inode("shop_web-2.json"), before.1, "a changed file is replaced, not written into");
    assert!(fs::read_to_string(scratch.path("shop_web-2.json")).unwrap().contains("\"uid\":\"c\""));
}

#[test]
fn heals_a_file_that_others_cannot_read() {
    let scratch = Pods::new();
    counts(&mut scratch.pods(), &[pod("web-1", "a")]);
    fs::set_permissions(scratch.path("shop_web-1.json"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(counts(&mut scratch.pods(), &[pod("web-1", "a")]), (1, 0, 0));
    assert_eq!(scratch.mode("shop_web-1.json"), 0o644);
}

#[test]
fn replaces_a_link_and_does_not_follow_it() {
    let scratch = Pods::new();
    let outside = scratch.0.path().join("outside");
    // The same content, so that a writer that follows links would take the file for current.
    fs::write(&outside, pod("web-1", "a").encode().unwrap()).unwrap();
    fs::create_dir(scratch.0.path().join("pods")).unwrap();
    symlink(&outside, scratch.path("shop_web-1.json")).unwrap();
    symlink(&outside, scratch.path(TEMPORARY)).unwrap();
    assert_eq!(counts(&mut scratch.pods(), &[pod("web-1", "a"), pod("web-2", "b")]), (2, 0, 0));
    assert!(fs::symlink_metadata(scratch.path("shop_web-1.json")).unwrap().is_file());
    assert_eq!(fs::read(&outside).unwrap(), pod("web-1", "a").encode().unwrap());
    assert_eq!(scratch.names(), ["shop_web-1.json", "shop_web-2.json"]);
}

#[test]
fn clears_what_a_crash_left_over() {
    let scratch = Pods::new();
    counts(&mut scratch.pods(), &[pod("web-1", "a")]);
    fs::write(scratch.path(TEMPORARY), "half a fi").unwrap();
    assert_eq!(counts(&mut scratch.pods(), &[pod("web-1", "a")]), (0, 1, 0));
    assert_eq!(scratch.names(), ["shop_web-1.json"]);
}

#[test]
fn one_pod_that_fails_does_not_stop_the_others() {
    let scratch = Pods::new();
    fs::create_dir(scratch.0.path().join("pods")).unwrap();
    fs::create_dir(scratch.path("shop_blocked.json")).unwrap();
    let mut large = pod("large", "a");
    large.uid = Some("u".repeat(nodesieve_engine::pods::MAX_FILE_BYTES));
    let pods = [pod("../../etc/passwd", "a"), pod("blocked", "a"), large, pod("web-1", "a")];
    let WrittenFiles { written, unchanged, failed } = scratch.pods().write(&pods).unwrap();
    assert_eq!((written, unchanged), (1, 0));
    let failed: Vec<String> = failed.iter().map(StoreError::to_string).collect();
    assert_eq!(failed.len(), 3);
    assert_eq!(
        failed[0],
        "name pod file of \"shop\"/\"../../etc/passwd\": not a namespace and pod name of Kubernetes"
    );
    let begins = |start: &str, name: &str| format!("{start} pod file {}: ", scratch.path(name).display());
    assert!(failed[1].starts_with(&begins("write", "shop_blocked.json")), "{}", failed[1]);
    assert!(failed[2].starts_with(&begins("encode", "shop_large.json")), "{}", failed[2]);
    assert_eq!(scratch.names(), ["shop_blocked.json", "shop_web-1.json"]);
}

#[test]
fn a_directory_that_cannot_be_is_an_error_with_its_path() {
    let scratch = Pods::new();
    let file = scratch.0.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("pods");
    let error = PodFileStore::new(&below).write(&[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("create pod directory {}: ", below.display())), "{error}");
    assert!(matches!(PodFileStore::new(&file).write(&[]), Err(StoreError::Create { .. })));
    assert!(matches!(PodFileStore::new(&file).retain(&BTreeSet::new()), Err(StoreError::List { .. })));
}

#[test]
fn a_directory_is_made_with_those_above_it() {
    let scratch = Pods::new();
    let deep = scratch.0.path().join("run/nodesieve/pods");
    PodFileStore::new(&deep).write(&[]).unwrap();
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn an_existing_directory_keeps_its_mode() {
    let scratch = Pods::new();
    fs::create_dir(scratch.0.path().join("pods")).unwrap();
    fs::set_permissions(scratch.path(""), Permissions::from_mode(0o750)).unwrap();
    assert_eq!(counts(&mut scratch.pods(), &[]), (0, 0, 0));
    assert_eq!(scratch.mode(""), 0o750);
}

#[test]
fn removes_the_files_of_pods_that_are_not_kept() {
    let scratch = Pods::new();
    let mut pods = scratch.pods();
    counts(&mut pods, &[pod("web-1", "a"), pod("web-10", "b"), pod("gone", "c")]);
    fs::write(scratch.path("notes.txt"), "").unwrap();
    fs::create_dir(scratch.path("shop_directory.json")).unwrap();
    let keep: BTreeSet<String> =
        ["web-1", "web-10"].iter().filter_map(|name| file_name("shop", name)).collect();
    let Removed { removed, failed } = pods.retain(&keep).unwrap();
    assert_eq!((removed, failed.len()), (1, 1));
    assert!(failed[0].to_string().starts_with("remove pod file /"), "{}", failed[0]);
    assert_eq!(scratch.names(), ["notes.txt", "shop_directory.json", "shop_web-1.json", "shop_web-10.json"]);
}
