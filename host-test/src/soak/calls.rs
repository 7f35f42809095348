//! The compiled module beside the engine: any sequence of calls is answered alike, byte for byte.

#![expect(clippy::panic, reason = "a law that is broken panics, that is how the driver hears of it")]

use super::GUEST_SEED;
use crate::guest::{CompiledModule, Guest, GuestSettings, Loss, Returned};
use crate::tree::{CONFIG_DIRECTORY, NodeTree};
use nodesieve_engine::config::RuleFile;
use nodesieve_engine::engine::{Answer, Input, TICK_TAG};
use nodesieve_engine::pods::Unavailable;
use nodesieve_engine::time::Now;
use nodesieve_laws::calls::{Call, POD_FILES, Pods, START, TAGS, calls, moved, rules};
use nodesieve_laws::native::{Disk, Native};
use nodesieve_laws::{Behaviour, event_time};
use nodesieve_preview::clock::TICK;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Hands the calls in these bytes to both.
///
/// # Panics
/// When an answer differs, or the files of the node cannot be made.
pub fn beside_the_engine(module: &CompiledModule, data: &[u8]) -> Behaviour {
    match both(module, data) {
        Ok(behaviour) => behaviour,
        Err(reason) => panic!("make the node: {reason}"),
    }
}

fn both(module: &CompiledModule, data: &[u8]) -> anyhow::Result<Behaviour> {
    let mut disk = Disk { rules: rules(0), ..Disk::default() };
    let tree = NodeTree::new(&disk.rules, &RuleFile::default())?;
    put_pods(&tree, disk.pods)?;
    let start = || module.start(&GuestSettings { preopens: tree.preopens().to_vec(), seed: GUEST_SEED });
    let (mut guest, mut native) = (start()?, None);
    let (mut tag, mut clock, mut late) = (TAGS[0].as_bytes(), START, 0);
    let (mut versions, mut has_new_rules) = (0, false);
    let mut out = Vec::new();
    let mut came = BTreeSet::new();
    for call in calls(data) {
        let now = Now(clock.unsigned_abs().saturating_mul(1_000_000));
        let input = match call {
            Call::Tag(other) => {
                tag = other;
                continue;
            }
            Call::Clock(by) => {
                clock = moved(clock, by);
                continue;
            }
            Call::Late(seconds) => {
                late = seconds;
                continue;
            }
            Call::Pods(revision) => {
                disk.pods = Pods(revision);
                put_pods(&tree, disk.pods)?;
                continue;
            }
            Call::Rules(other) => {
                versions += 1;
                disk.rules = rules(other);
                put_rules(&tree, &disk.rules, versions)?;
                has_new_rules = true;
                continue;
            }
            Call::Restart => {
                (guest, native) = (start()?, None);
                continue;
            }
            Call::Tick => Input { tag: TICK_TAG, time: event_time(clock, 0), text: TICK },
            Call::Record(text) => Input { tag, time: event_time(clock, late), text },
        };
        // The host's texts end at a NUL, and are objects.
        if input.text.len() < 2 || input.text.contains(&0) || input.tag.contains(&0) {
            continue;
        }
        if native.is_none() {
            // Rules are read with the first call.
            has_new_rules = false;
        }
        let native = native.get_or_insert_with(|| Native::start(&disk, GUEST_SEED));
        let answer = native.call(input, now, &mut disk, &mut has_new_rules, &mut out);
        let expected = match answer {
            Answer::Drop => None,
            Answer::Keep => Some(out.as_slice()),
            Answer::Echo => Some(input.text),
        };
        compare(&mut guest, input, now, expected);
        came.insert((answer == Answer::Drop, answer == Answer::Echo, input.tag == TICK_TAG, versions.min(3)));
        came.insert((false, false, false, disk.rules.len() as u64));
    }
    Ok(Behaviour::of(came))
}

fn compare(guest: &mut Guest, input: Input<'_>, now: Now, expected: Option<&[u8]>) {
    guest.clock().set_to(now.0);
    let returned = guest.filter(input.tag, (input.time.sec, input.time.nsec), input.text);
    let found = match &returned {
        Returned::Kept(text) | Returned::Lost(Loss::Json { text, .. }) => Some(text.as_slice()),
        Returned::Dropped => None,
        Returned::Lost(loss) => panic!("{loss}, for {}", String::from_utf8_lossy(input.text)),
    };
    let shown = |text: Option<&[u8]>| text.map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(
        found == expected,
        "{:?}\nfrom the module, from the engine\n{:?}\nfor {}\nthe filter said: {}",
        shown(found),
        shown(expected),
        String::from_utf8_lossy(input.text),
        guest.stderr()
    );
}

/// Each version with a time of its own: the filter tells files apart by that, and two may be written in one tick of the kernel's clock.
fn put_rules(tree: &NodeTree, source: &str, version: u64) -> anyhow::Result<()> {
    tree.put_rules(source)?;
    let path = tree.host_path(&Path::new(CONFIG_DIRECTORY).join("nodesieve.yaml"));
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + version);
    Ok(File::options().write(true).open(path)?.set_modified(modified)?)
}

fn put_pods(tree: &NodeTree, pods: Pods) -> io::Result<()> {
    for name in POD_FILES {
        let path = tree.pods_directory().join(name);
        if path.is_dir() {
            fs::remove_dir(&path)?;
        } else if path.exists() {
            fs::remove_file(&path)?;
        }
        match pods.content(name) {
            Ok(content) => fs::write(&path, content)?,
            Err(Unavailable::Missing) => {}
            Err(Unavailable::Unreadable) => fs::create_dir(&path)?,
        }
    }
    Ok(())
}
