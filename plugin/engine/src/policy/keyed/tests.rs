use super::*;
use crate::key::KeySource;
use crate::threshold::Threshold;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A state that is busy for a time.
#[derive(Debug, Default)]
struct Busy(u64);

impl Forgettable for Busy {
    type Settings = ();

    fn is_idle(&self, (): &(), now: u64, _: Option<u64>) -> bool {
        now >= self.0
    }
}

fn at(now: u64) -> Moment {
    Moment { now, event: now, is_late: false }
}

/// A record of a namespace, without keys of its own: the tests bring them.
struct NoKeys(NamespaceId);

impl KeySource for NoKeys {
    fn namespace(&self) -> NamespaceId {
        self.0
    }

    fn write(&mut self, _: &Key, _: &mut Vec<u8>) {}

    fn randomness(&mut self, _: &Key) -> Option<u64> {
        None
    }

    fn sampled_before(&mut self) -> (Option<u64>, Option<Threshold>) {
        (None, None)
    }
}

fn ask(keyed: &mut Keyed<Busy>, account: &mut Account, key: &str, now: u64, keep: bool) -> Decision {
    ask_of(NamespaceId::NONE, keyed, account, key, now, keep)
}

fn ask_of(
    namespace: NamespaceId,
    keyed: &mut Keyed<Busy>,
    account: &mut Account,
    key: &str,
    now: u64,
    keep: bool,
) -> Decision {
    let mut asked = Asked {
        moment: at(now),
        bytes: 10,
        holds: true,
        keys: &mut NoKeys(namespace),
        capacity: &mut KeyCapacity::new((0, 0), keyed.capacity(), keyed.capacity()),
        account,
        random: &mut fastrand::Rng::with_seed(1),
        buffers: &mut KeyBuffers::default(),
        floor: None,
    };
    keyed.decide(&KeyText::new(key.into()), &mut asked, true, |state, _, _| {
        state.0 = now + 100;
        keep
    })
}

#[test]
fn a_kept_record_stands_for_those_dropped_before_it() {
    let (mut keyed, mut account) = (Keyed::new(8, ()), Account::default());
    assert!(matches!(ask(&mut keyed, &mut account, "a", 1, false), Decision::DropOf { is_on_key: true, .. }));
    ask(&mut keyed, &mut account, "a", 2, false);
    ask(&mut keyed, &mut account, "b", 3, false);
    assert_eq!(ask(&mut keyed, &mut account, "a", 4, true).count(), 3);
    assert_eq!(ask(&mut keyed, &mut account, "a", 5, true).count(), 1);
    assert_eq!(keyed.unreported(), Unreported { records: 1, bytes: 10 });
}

#[test]
fn at_the_cap_a_new_key_shares_until_the_oldest_is_idle() {
    let (mut keyed, mut account) = (Keyed::new(2, ()), Account::default());
    ask(&mut keyed, &mut account, "a", 0, false);
    ask(&mut keyed, &mut account, "b", 50, false);
    ask(&mut keyed, &mut account, "c", 99, false);
    assert_eq!(keyed.capacity(), 2);
    assert_eq!(keyed.rest.state.0, 199, "c shares");
    ask(&mut keyed, &mut account, "d", 100, true);
    let labels: Vec<&str> = keyed.entries().map(|(.., label, _)| label).collect();
    assert_eq!(labels, ["d", "b", ""], "a was idle");
    assert_eq!(
        account.unreported(),
        Unreported { records: 1, bytes: 10 },
        "what was unreported on it is not lost"
    );
}

proptest! {
    /// Whatever comes, each dropped record is unreported in one place until it is reported in one.
    #[test]
    fn nothing_is_lost_or_counted_twice(
        records in prop::collection::vec((0u8..20, any::<bool>(), 0u64..60), 0..300), most in 1usize..12,
    ) {
        let (mut keyed, mut account) = (Keyed::new(most, ()), Account::default());
        let (mut now, mut dropped, mut counted) = (0, 0, 0);
        for (key, keep, step) in records {
            now += step;
            let decided = ask(&mut keyed, &mut account, &key.to_string(), now, keep);
            if keep { counted += decided.count() - 1 } else { dropped += 1 }
            prop_assert!(keyed.capacity() <= most);
            prop_assert_eq!(keyed.unreported().records + account.unreported().records + counted, dropped);
        }
        keyed.report(&mut account);
        prop_assert_eq!(keyed.unreported(), Unreported::default());
        prop_assert_eq!(account.unreported().records + counted, dropped);
    }

    /// As long as there are slots for all, a key is decided as if it were alone.
    #[test]
    fn keys_do_not_meet_while_there_is_room(records in prop::collection::vec((0u8..8, any::<bool>()), 0..200)) {
        let (mut keyed, mut account) = (Keyed::new(8, ()), Account::default());
        let mut alone: BTreeMap<u8, u64> = BTreeMap::new();
        for (key, keep) in records {
            let open = alone.entry(key).or_default();
            let decided = ask(&mut keyed, &mut account, &key.to_string(), 1, keep);
            if keep {
                prop_assert_eq!(decided.count(), *open + 1);
                *open = 0;
            } else {
                *open += 1;
            }
        }
    }
}

#[test]
fn labels_are_for_people() {
    assert_eq!(&*label(b"shop\0web-1\0"), "shop/web-1");
    let long = "ü".repeat(100);
    let long = label(long.as_bytes());
    assert!(long.len() <= MAX_LABEL && long.starts_with("üü"));
    assert!(label(&[0xff; 300]).len() <= MAX_LABEL);
}
