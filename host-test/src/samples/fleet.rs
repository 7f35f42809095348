//! Pods and containers as values: what the log files and the pod list are both made from, so that they agree.

use super::dice::Dice;
use super::schedule::SampleRun;
use super::workload::WorkloadKind;

/// ext4's limit for a file name, at which the kubelet truncates.
pub const MAX_FILE_NAME: usize = 255;

/// What made a pod.
#[derive(Clone, Debug)]
pub enum SampleOwner {
    /// A Deployment by way of this ReplicaSet.
    ReplicaSet(String),
    /// A DaemonSet.
    DaemonSet(String),
    /// A StatefulSet.
    StatefulSet(String),
    /// A Job, itself made by a CronJob.
    Job(String),
    /// An Argo workflow.
    Workflow(String),
    /// A manifest on the node: a static pod.
    Manifest,
}

/// A container and what it did in the recorded window.
#[derive(Clone, Debug)]
pub struct SampleContainer {
    /// Its name in the pod.
    pub name: &'static str,
    /// Its image with tag.
    pub image: &'static str,
    /// The program that it runs.
    pub kind: WorkloadKind,
    /// How many lines it writes in each run, probes aside.
    pub lines: usize,
    /// The period of its liveness and readiness probes, if the program logs them.
    pub probe_seconds: Option<u64>,
    /// Its lives, the oldest first; without any it still waits for its image.
    pub runs: Vec<SampleRun>,
    /// One container id for each run.
    pub ids: Vec<String>,
    /// Whether it is an init container.
    pub init: bool,
}

impl SampleContainer {
    /// A container that runs throughout the window.
    pub fn new(name: &'static str, image: &'static str, kind: WorkloadKind, lines: usize) -> Self {
        let (runs, ids) = (vec![SampleRun::whole_window()], Vec::new());
        Self { name, image, kind, lines, probe_seconds: None, runs, ids, init: false }
    }

    /// Has the kubelet probe it every so many `seconds`, and the program log that.
    pub fn probed(mut self, seconds: u64) -> Self {
        self.probe_seconds = Some(seconds);
        self
    }

    /// Replaces its life by `runs`.
    pub fn living(mut self, runs: &[SampleRun]) -> Self {
        self.runs = runs.to_vec();
        self
    }

    /// Makes it an init container.
    pub fn before_the_others(mut self) -> Self {
        self.init = true;
        self
    }
}

/// A pod on the sample node.
#[derive(Clone, Debug)]
pub struct SamplePod {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: String,
    /// What made it.
    pub owner: SampleOwner,
    /// Its labels, unsorted.
    pub labels: Vec<(String, String)>,
    /// Its annotations, unsorted.
    pub annotations: Vec<(String, String)>,
    /// Its containers, init containers first.
    pub containers: Vec<SampleContainer>,
    /// Whether the pod list tells of it.
    pub listed: bool,
    /// How long before the window it was made.
    pub age_seconds: u64,
}

impl SamplePod {
    fn of(namespace: &'static str, name: String, owner: SampleOwner, app: &str) -> Self {
        let labels = vec![("app".to_owned(), app.to_owned())];
        let (annotations, containers) = (Vec::new(), Vec::new());
        Self { namespace, name, owner, labels, annotations, containers, listed: true, age_seconds: 93_784 }
    }

    /// A pod of the Deployment `app`.
    pub fn of_deployment(namespace: &'static str, app: &str, hash: &str, suffix: &str) -> Self {
        let replica_set = format!("{app}-{hash}");
        let name = format!("{replica_set}-{suffix}");
        Self::of(namespace, name, SampleOwner::ReplicaSet(replica_set), app)
            .label("app.kubernetes.io/name", app)
            .label("pod-template-hash", hash)
    }

    /// The pod of the DaemonSet `app` on this node.
    pub fn of_daemon_set(namespace: &'static str, app: &str, suffix: &str, revision: &str) -> Self {
        Self::of(namespace, format!("{app}-{suffix}"), SampleOwner::DaemonSet(app.to_owned()), app)
            .label("controller-revision-hash", revision)
            .label("pod-template-generation", "3")
    }

    /// The pod number `index` of the StatefulSet `app`.
    pub fn of_stateful_set(namespace: &'static str, app: &str, index: u64, revision: &str) -> Self {
        let name = format!("{app}-{index}");
        Self::of(namespace, name.clone(), SampleOwner::StatefulSet(app.to_owned()), app)
            .label("apps.kubernetes.io/pod-index", &index.to_string())
            .label("controller-revision-hash", &format!("{app}-{revision}"))
            .label("statefulset.kubernetes.io/pod-name", &name)
    }

    /// A pod of the Job that the CronJob `app` made at the minute `scheduled` since the Unix epoch.
    pub fn of_cron_job(namespace: &'static str, app: &str, scheduled: u64, suffix: &str) -> Self {
        let job = format!("{app}-{scheduled}");
        Self::of(namespace, format!("{job}-{suffix}"), SampleOwner::Job(job.clone()), app)
            .label("batch.kubernetes.io/job-name", &job)
            .label("job-name", &job)
            .aged(2)
    }

    /// A pod of an Argo workflow, whose name says everything.
    pub fn of_workflow(namespace: &'static str, workflow: &str, name: &str) -> Self {
        Self::of(namespace, name.to_owned(), SampleOwner::Workflow(workflow.to_owned()), "workflow")
            .label("workflows.argoproj.io/completed", "false")
            .label("workflows.argoproj.io/workflow", workflow)
            .annotation("kubectl.kubernetes.io/default-container", "transform-customer-orders")
            .aged(1_260)
    }

    /// A static pod of kube-system, named after the node.
    pub fn of_manifest(app: &str, node: &str) -> Self {
        let mut pod = Self::of("kube-system", format!("{app}-{node}"), SampleOwner::Manifest, app);
        pod.labels = vec![("component".to_owned(), app.to_owned())];
        pod.label("tier", "control-plane").aged(1_209_600)
    }

    /// Adds a label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a container.
    pub fn with(mut self, container: SampleContainer) -> Self {
        self.containers.push(container);
        self
    }

    /// Sets how long before the window it was made.
    pub fn aged(mut self, seconds: u64) -> Self {
        self.age_seconds = seconds;
        self
    }

    /// Keeps it out of the pod list, as if the kubelet had forgotten it already.
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// Draws the container ids that belong to `seed`.
    pub fn numbered(mut self, seed: u64) -> Self {
        for container in &mut self.containers {
            let subject = format!("id/{}/{}/{}", self.namespace, self.name, container.name);
            let mut dice = Dice::of(seed, &subject);
            container.ids = container.runs.iter().map(|_| dice.hex(64)).collect();
        }
        self
    }
}

/// The name of a log file in /var/log/containers. The kubelet cuts it to what ext4 can hold, and the cut
/// takes digits of the container id.
pub fn log_file_name(pod: &SamplePod, container: &SampleContainer, id: &str) -> String {
    let full = format!("{}_{}_{}-{id}", pod.name, pod.namespace, container.name);
    let stem: String = full.chars().take(MAX_FILE_NAME - ".log".len()).collect();
    format!("{stem}.log")
}
