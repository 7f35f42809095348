//! What is said of each change of state, once, and what the numbers are then.

use super::*;
use crate::trust::Doubt;
use nodesieve_podlist::ListError;

fn failures(status: &Status, kind: &str) -> u64 {
    status.failed[PollError::KINDS.iter().position(|known| *known == kind).unwrap()]
}

fn status() -> (Status, Instant) {
    let now = Instant::now();
    (Status::new(Duration::from_secs(20), now), now)
}

fn list(pods: usize) -> ListSummary {
    ListSummary { pods, bytes: 1000, counts: Counts::default() }
}

#[test]
fn the_table_is_in_the_order_of_the_enum_and_names_are_distinct() {
    for (index, (metric, ..)) in TABLE.iter().enumerate() {
        assert_eq!(*metric as usize, index);
    }
    let mut names: Vec<&str> = TABLE.iter().map(|row| row.1).chain([FAILED.0, STREAMS_FAILED.0]).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), TABLE.len() + 2);
    assert!(PollError::KINDS.is_sorted() && StreamError::KINDS.is_sorted());
}

#[test]
fn an_outage_is_two_lines_however_long_it_is() {
    let (mut status, start) = status();
    let after = |seconds| start + Duration::from_secs(seconds);
    let refused = || PollError::Connect(std::io::ErrorKind::ConnectionRefused.into());
    let took = status.took(&list(3), Duration::ZERO, start);
    assert_eq!(took, Some(LogEvent::Info("poll: 3 pods in 1000 bytes".into())));
    let told = status.failed("U", &refused(), after(30));
    let expected = "poll U: connect: connection refused; the pod files stay as they are";
    assert_eq!(told, Some(LogEvent::Warning(expected.into())));
    for second in 31..90 {
        assert_eq!(status.failed("U", &refused(), after(second)), None);
    }
    let Some(LogEvent::Warning(other)) = status.failed("U", &PollError::Forbidden("no".into()), after(90))
    else {
        panic!("another trouble is told")
    };
    assert!(other.contains("; hint: the service account needs a ClusterRole"), "{other}");
    let again = status.took(&list(3), Duration::ZERO, after(100));
    assert_eq!(again, Some(LogEvent::Info("poll: works again after 61 failures in 70 s".into())));
    assert_eq!(
        (failures(&status, "connect"), failures(&status, "forbidden"), failures(&status, "tls")),
        (60, 1, 0)
    );
}

#[test]
fn a_volume_that_fails_is_told_once_and_counted() {
    let (mut status, now) = status();
    let failure = || crate::store::StoreError::Write {
        path: "/p/a.json".into(),
        reason: std::io::ErrorKind::StorageFull.into(),
    };
    let failed = || Published { failed: vec![failure(), failure()], ..Published::default() };
    let event = status.published(&failed(), true, now);
    let expected = "write pod file /p/a.json: no storage space, and 1 more; the last files stay, the next list tries again";
    assert_eq!(event, Some(LogEvent::Warning(expected.into())));
    assert_eq!(status.published(&failed(), true, now), None);
    let hangs = status.hangs(Path::new("/p"), now);
    assert!(
        matches!(hangs, Some(LogEvent::Warning(text)) if text.starts_with("write pod files to /p: not within 10 s"))
    );
    assert_eq!(status.hangs(Path::new("/p"), now), None);
    let event = status.published(&Published::default(), true, now);
    assert_eq!(event, Some(LogEvent::Info("pod files: can be written again after 0 s".into())));
    assert_eq!(status.get(StatusMetric::FilesFailed), 6.0);
}

#[test]
fn it_is_ready_with_a_list_or_after_a_bounded_wait() {
    let (mut status, start) = status();
    assert!(!status.is_ready(start + Duration::from_secs(19)));
    assert!(status.is_ready(start + Duration::from_secs(20)));
    status.took(&list(1), Duration::ZERO, start);
    status.published(&Published::default(), false, start);
    assert!(!status.is_ready(start), "files are still to be written");
    status.published(&Published::default(), true, start);
    assert!(status.is_ready(start));
}

#[test]
fn what_cannot_be_had_is_not_waited_for() {
    for error in [PollError::Forbidden("no".into()), PollError::Unauthorized("no".into())] {
        let (mut status, start) = status();
        status.failed("U", &error, start);
        assert!(status.is_ready(start) && !status.has_list(), "{error}");
    }
    for (error, polls, is_ready) in [
        (StreamError::Unimplemented, false, true),
        (StreamError::Unimplemented, true, false),
        (StreamError::Missing, false, false),
    ] {
        let (mut status, start) = status();
        status.not_streaming("/s", &error, polls, start);
        assert_eq!(status.is_ready(start), is_ready, "{error}");
    }
}

#[test]
fn a_stream_that_fails_and_returns_is_two_lines() {
    let (mut status, start) = status();
    let after = |seconds| start + Duration::from_secs(seconds);
    let first = status.not_streaming("/s", &StreamError::Missing, true, start);
    let expected = "follow /s: no socket is there; the kubelet is polled instead";
    assert_eq!(first, Some(LogEvent::Info(expected.into())));
    assert_eq!(status.not_streaming("/s", &StreamError::Missing, true, after(1)), None);
    let known = ListSummary { bytes: 300, ..list(3) };
    status.streamed(&known, 4);
    assert_eq!(status.streaming("/s", &known, false, after(20)), None, "it has not lasted yet");
    let again = status.streaming("/s", &known, true, after(30));
    assert_eq!(again, Some(LogEvent::Info("follow /s: 3 pods, again after 30 s".into())));
    assert_eq!(status.streaming("/s", &known, true, after(60)), None);
    let text = status.render(after(61));
    for line in [
        "nodesieve_sidecar_streaming 1",
        "nodesieve_sidecar_stream_events_total 4",
        "nodesieve_sidecar_received_bytes_total 300",
        "nodesieve_sidecar_pods 3",
        "nodesieve_sidecar_poll_age_seconds 1",
        "nodesieve_sidecar_streams_failed_total{kind=\"missing\"} 2",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
}

#[test]
fn the_age_of_the_last_list_grows_through_an_outage() {
    let (mut status, start) = status();
    status.took(&list(1), Duration::from_millis(250), start + Duration::from_secs(5));
    status.failed("U", &PollError::Doubt(Doubt::Empty), start + Duration::from_secs(200));
    status.failed("U", &PollError::List(ListError::NoItems), start + Duration::from_secs(230));
    let text = status.render(start + Duration::from_secs(305));
    assert!(text.contains("\nnodesieve_sidecar_poll_age_seconds 300\n"), "{text}");
    assert!(text.contains("\nnodesieve_sidecar_poll_seconds 0.25\n"));
    assert!(text.contains("nodesieve_sidecar_polls_failed_total{kind=\"no_items\"} 1\n"));
}

#[test]
fn watching_and_the_filters_metrics_have_states_of_their_own() {
    let (mut status, now) = status();
    assert!(matches!(status.watched(Some("watch /x: no".into()), now), Some(LogEvent::Warning(_))));
    assert_eq!(status.watched(Some("watch /x: no".into()), now), None);
    assert!(matches!(status.watched(None, now), Some(LogEvent::Info(_))));
    assert_eq!(status.watched(None, now), None);
    assert_eq!(status.filter_metrics(Ok(None), now), None);
    assert!(status.render(now).contains("nodesieve_sidecar_filter_metrics_age_seconds NaN\n"));
    assert!(status.filter_metrics(Err("broken".into()), now).is_some());
    assert!(status.filter_metrics(Ok(Some(Duration::from_secs(3))), now).is_some());
    assert!(status.render(now).contains("nodesieve_sidecar_filter_metrics_age_seconds 3\n"));
}
