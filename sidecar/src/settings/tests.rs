use super::*;
use nodesieve_engine::glob::Globs;

fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Order, SettingsError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    settings(arguments.iter().map(OsString::from), &variables)
}

#[track_caller]
fn running(arguments: &[&str], variables: &[(&str, &str)]) -> SidecarSettings {
    match read(arguments, variables) {
        Ok(Order::Run(settings)) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_address_of_the_node_is_all_that_has_to_be_said() {
    let settings = running(&[], &[("HOST_IP", "10.0.1.23"), ("PATH", "/bin")]);
    let Some(PodListSource::Kubelet(kubelet)) = &settings.source else { panic!("{settings:?}") };
    assert_eq!(settings.pods_api, Some("/var/lib/kubelet/pods-api/pods-api.sock".into()));
    assert_eq!((kubelet.host.as_str(), kubelet.port), ("10.0.1.23", 10250));
    assert!(matches!(&kubelet.trust, TlsTrust::Authority { server_name: None, .. }));
    assert_eq!(settings.interval, Duration::from_secs(30));
    let mut limits = Limits::default();
    limits.annotations.allow = Globs::new(nodesieve_engine::pods::WRITTEN_ANNOTATIONS);
    (limits.max_pod, limits.max_total) = (64 << 10, 8 << 20);
    assert_eq!(settings.limits, limits);
    assert_eq!(settings.listen.map(|address| address.port()), Some(2021));
    assert!(settings.watched.logs.is_some() && settings.watched.pod_logs.is_some());
}

#[test]
fn a_flag_wins_over_its_variable_and_an_empty_variable_says_nothing() {
    let settings = running(
        &["--interval=1m", "--logs-dir", "off", "--listen", "off", "--labels", "app, team-*"],
        &[("HOST_IP", "fd00::1"), ("NODESIEVE_INTERVAL", "5s"), ("NODESIEVE_GRACE", "")],
    );
    assert_eq!(settings.interval, Duration::from_secs(60));
    assert_eq!(settings.grace, Duration::from_secs(600));
    assert_eq!((settings.watched.logs, settings.listen), (None, None));
    assert_eq!(settings.limits.labels.allow, Globs::new(["app", "team-*"]));
}

#[test]
fn a_switch_is_a_flag_without_value_or_a_variable_with_one() {
    let trust = |arguments: &[&str], variables: &[(&str, &str)]| {
        let Some(PodListSource::Kubelet(kubelet)) = running(arguments, variables).source else { panic!() };
        kubelet.trust
    };
    let host = ("HOST_IP", "::1");
    assert_eq!(trust(&["--kubelet-insecure-tls"], &[host]), TlsTrust::Anybody);
    assert_eq!(trust(&[], &[host, ("NODESIEVE_KUBELET_INSECURE_TLS", "true")]), TlsTrust::Anybody);
    assert_ne!(trust(&[], &[host, ("NODESIEVE_KUBELET_INSECURE_TLS", "false")]), TlsTrust::Anybody);
}

#[test]
fn a_file_takes_the_place_of_the_kubelet() {
    let settings = running(&["--pods-file", "pods.json"], &[("HOST_IP", "::1")]);
    let file =
        PodListSource::File { path: "pods.json".into(), total_timeout: std::time::Duration::from_secs(25) };
    assert_eq!((settings.source, settings.pods_api), (Some(file), None));
    assert!(matches!(read(&["--pods-file", "x", "--once"], &[]), Ok(Order::Once(_))));
}

#[test]
fn a_source_uses_what_it_is_about_and_nothing_else() {
    let host = ("HOST_IP", "::1");
    let sources = |arguments: &[&str]| {
        let settings = running(arguments, &[host]);
        (settings.pods_api.is_some(), settings.source.is_some())
    };
    assert_eq!(sources(&[]), (true, true));
    assert_eq!(sources(&["--source", "kubelet"]), (false, true));
    assert_eq!(sources(&["--source", "file", "--pods-file", "x"]), (false, true));
    assert_eq!(sources(&["--source", "pods-api"]), (true, false));
    let alone = running(&["--source=pods-api", "--pods-api-socket=/s"], &[]);
    assert_eq!((alone.pods_api, alone.source), (Some("/s".into()), None));
    for (arguments, expected) in [
        (&["--source", "api"][..], "--source api: one of auto, pods-api, kubelet, file"),
        (&["--source", "file"], "--pods-file is needed for --source file"),
        (&["--source", "kubelet", "--pods-file", "x"], "--pods-file is of no use with --source kubelet"),
        (&["--source", "pods-api", "--pods-file", "x"], "--pods-file is of no use with --source pods-api"),
        (&["--pods-api-socket", "here"], "--pods-api-socket here: an absolute path"),
    ] {
        let error = read(arguments, &[host]).unwrap_err();
        assert_eq!(error.0, [expected], "{arguments:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let error = read(
        &[
            "--intervall",
            "5s",
            "--grace",
            "10",
            "-x",
            "more",
            "--kubelet-port=0",
            "--pods-dir",
            "here",
            "--listen",
        ],
        &[
            ("NODESIEVE_MAX_LIST", "64"),
            ("NODESIEVE_KUBELET_INSECURE_TLS", "yes"),
            ("NODESIEVE_READ_TIMEOUT", "1h"),
        ],
    )
    .unwrap_err();
    let expected = [
        "read settings:",
        "--intervall: no such flag; did you mean --interval?",
        "-x: no such flag",
        "more: every argument is a flag",
        "--listen: a value is missing, ADDRESS:PORT",
        "--kubelet-host or HOST_IP is needed: in a pod, the downward API's status.hostIP; or --source pods-api for the \
         kubelet's Pods API alone; or --pods-file for use without a kubelet",
        "--kubelet-port 0: a port from 1 to 65535",
        "NODESIEVE_KUBELET_INSECURE_TLS=yes: true or false",
        "NODESIEVE_READ_TIMEOUT=1h: a duration with its unit (500ms, 30s, 5m) from 100ms to 10m",
        "NODESIEVE_MAX_LIST=64: a size with its unit (64B, 16KiB, 10MB)",
        "--pods-dir here: an absolute path",
        "--grace 10: a duration with its unit (500ms, 30s, 5m) from 0s to 1d",
    ];
    assert_eq!(error.to_string(), expected.join("\n  "));
}

#[test]
fn help_names_every_flag_with_variable_and_default() {
    let Ok(Order::Print(help)) = read(&["--help", "--nonsense"], &[]) else { panic!() };
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{}", setting.flag)), "{}", setting.flag);
        assert!(help.contains(&format!("({})", setting.variable)) && help.contains(setting.default));
    }
    assert_eq!(read(&["--version"], &[]), Ok(Order::Print("nodesieve-sidecar 0.1.0\n".into())));
}
