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

    fn write(&mut self, _: &Key, _: &mut Vec<u8>) -> Option<u64> {
        None
    }

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
    ask_as(namespace, keyed, account, key, now, |state| {
        state.0 = now + 100;
        keep
    })
}

fn ask_as(
    namespace: NamespaceId,
    keyed: &mut Keyed<Busy>,
    account: &mut Account,
    key: &str,
    now: u64,
    decide: impl FnOnce(&mut Busy) -> bool,
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
    keyed.decide(&KeyText::new(key.into(), None), &mut asked, true, |state, _, _| decide(state))
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

fn namespaces() -> [NamespaceId; 4] {
    [NamespaceId::NONE, NamespaceId(11), NamespaceId(12), NamespaceId(13)]
}

proptest! {
    /// As above, with namespaces that take places from each other, and more of them than are told apart.
    #[test]
    fn nothing_is_lost_or_counted_twice_between_namespaces(
        records in prop::collection::vec((0u8..30, 0u64..6, any::<bool>(), 0u64..40), 0..400), most in 1usize..12,
    ) {
        let (mut keyed, mut account) = (Keyed { most_groups: 4, ..Keyed::new(most, ()) }, Account::default());
        let (mut now, mut dropped, mut counted) = (0, 0, 0);
        for (key, namespace, keep, step) in records {
            now += step;
            let namespace = NamespaceId(namespace);
            let decided = ask_of(namespace, &mut keyed, &mut account, &key.to_string(), now, keep);
            if keep { counted += decided.count() - 1 } else { dropped += 1 }
            prop_assert!(keyed.capacity() <= most && keyed.places.groups() <= 4);
            prop_assert_eq!(keyed.places.groups(), keyed.others.len() + 1);
            prop_assert_eq!(keyed.unreported().records + account.unreported().records + counted, dropped);
        }
        keyed.report(&mut account);
        prop_assert_eq!(keyed.unreported(), Unreported::default());
        prop_assert_eq!(account.unreported().records + counted, dropped);
    }

    /// Scenario: keys that are all busy for ever. A namespace asks for as many places as its share or fewer, others for
    /// any number.
    /// Guarantees: it gets them all, and in whatever order they come, no more keys start anew than there are places
    /// and, for each namespace, its share of them.
    #[test]
    fn a_namespace_below_its_share_gets_its_places_and_a_flood_no_burst_for_each(
        quiet in 1u16..5, flood in prop::collection::vec((1usize..4, 0u16..500), 0..400),
    ) {
        let (mut keyed, mut account) = (Keyed::new(20, ()), Account::default());
        let mut fresh = 0;
        let mut ask = |keyed: &mut Keyed<Busy>, namespace: usize, key: &str| {
            let mut is_new = false;
            ask_as(namespaces()[namespace], keyed, &mut account, key, 1, |state| {
                is_new = state.0 == 0;
                state.0 = u64::MAX;
                false
            });
            fresh += usize::from(is_new);
        };
        for (at, (namespace, key)) in flood.iter().enumerate() {
            ask(&mut keyed, *namespace, &format!("loud {key}"));
            if at % 7 == 0 {
                ask(&mut keyed, 0, &format!("quiet {}", at as u16 % quiet));
            }
        }
        let held = keyed.entries().filter(|(.., label, _)| label.starts_with("quiet")).count();
        prop_assert_eq!(held, usize::from(quiet).min(flood.len().div_ceil(7)));
        // Each namespace besides has one state for all that found no place.
        prop_assert!(fresh <= 20 + 10 + 6 + 5 + 4, "{fresh}");
    }
}

#[test]
fn keys_that_find_no_place_share_with_their_own_namespace_only() {
    let (mut keyed, mut account) = (Keyed::new(2, ()), Account::default());
    let [_, loud, quiet, third] = namespaces();
    for (namespace, key, now) in
        [(loud, "a", 1), (loud, "b", 2), (loud, "c", 3), (quiet, "d", 4), (quiet, "e", 5)]
    {
        ask_of(namespace, &mut keyed, &mut account, key, now, false);
    }
    let labels: Vec<&str> =
        keyed.entries().filter(|(key, ..)| key.is_some()).map(|(.., label, _)| label).collect();
    assert_eq!(labels, ["d", "b"], "the least recently used of the one that had both");
    let open = |keyed: &Keyed<Busy>| -> Vec<u64> {
        [&keyed.rest].into_iter().chain(&keyed.others).map(|other| other.unreported.records).collect()
    };
    assert_eq!(open(&keyed), [0, 1, 1]);
    assert_eq!(ask_of(third, &mut keyed, &mut account, "f", 6, true).count(), 1, "has a state of its own");
    assert_eq!(account.top(9), [("a", Unreported { records: 1, bytes: 10 })]);
    assert_eq!(ask_of(quiet, &mut keyed, &mut account, "g", 7, true).count(), 2, "stands for e");
}

#[test]
fn a_namespace_of_which_nothing_is_left_makes_room_for_another() {
    let (mut keyed, mut account) = (Keyed { most_groups: 3, ..Keyed::new(2, ()) }, Account::default());
    let [_, first, second, third] = namespaces();
    for (namespace, key) in [(first, "a"), (first, "b"), (second, "c"), (second, "d")] {
        ask_of(namespace, &mut keyed, &mut account, key, 1, false);
    }
    assert_eq!(keyed.places.group(third), None);
    ask_of(third, &mut keyed, &mut account, "e", 2, false);
    assert_eq!((keyed.places.group(third), keyed.rest.unreported.records), (None, 1), "both hold something");
    for now in 200..210 {
        ask_of(third, &mut keyed, &mut account, &format!("{now}"), now * 10, false);
    }
    let group = keyed.places.group(third);
    assert!(group.is_some() && keyed.places.groups() == 3);
    assert!(keyed.places.group(first).is_none() || keyed.places.group(second).is_none());
    assert_eq!(keyed.unreported().records + account.unreported().records, 15);
}

/// A flood costs each rule so much memory and no more.
#[test]
fn an_entry_is_small() {
    assert!(size_of::<KeyEntry<()>>() <= 56, "{}", size_of::<KeyEntry<()>>());
}

/// A table keeps no room for a flood that is over; the keys that are left have their states and their order.
#[test]
fn the_room_of_a_flood_is_given_back() {
    let (mut keyed, mut account) = (Keyed::new(5_000, ()), Account::default());
    for n in 0..5_000 {
        ask(&mut keyed, &mut account, &format!("flood-{n}"), 1, false);
    }
    for (now, key) in [(50, "a"), (60, "b"), (70, "flood-7"), (80, "a")] {
        ask(&mut keyed, &mut account, key, now, false);
    }
    let mut capacity = KeyCapacity::new((0, 0), keyed.capacity(), keyed.capacity());
    keyed.forget_idle(120, &mut capacity, &mut account);
    assert_eq!((keyed.entries.len(), keyed.entries.capacity(), capacity.taken()), (1, 1, 1));
    assert_eq!(ask(&mut keyed, &mut account, "flood-7", 121, true).count(), 3, "its own and the one before");
    assert_eq!(keyed.unreported().records + account.unreported().records, 5_002);
}
