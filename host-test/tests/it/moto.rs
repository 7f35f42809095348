//! moto's Firehose and S3: an independent implementation that judges what Fluent Bit sends.
//!
//! Skipped where Python has no `moto[server]`. Its server is another process, with a certificate made for it.

use host_test::compare::Destination;
use host_test::fluent_bit::Address;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the server may take to answer: Python reads a lot before it does.
const START: Duration = Duration::from_secs(60);
/// The stream that the harness has Fluent Bit deliver to.
const STREAM: &str = "nodesieve";

/// The bucket.
pub(crate) const BUCKET: &str = "arn:aws:s3:::logs";

/// What each script begins with.
const PRELUDE: &str = "import sys, boto3\n\
    kw = dict(endpoint_url=sys.argv[1], verify=sys.argv[2], region_name='us-east-1', aws_access_key_id='testing', aws_secret_access_key='testing')\n\
    s3 = boto3.client('s3', **kw)\n";
const CREATE: &str = "import json\ns3.create_bucket(Bucket='logs')\n\
    boto3.client('firehose', **kw).create_delivery_stream(DeliveryStreamName=sys.argv[3], ExtendedS3DestinationConfiguration=json.loads(sys.argv[4]))\n";
/// All objects below where the stream's are: what stands in front of the first expression of its prefix.
const FETCH: &str = "for page in s3.get_paginator('list_objects_v2').paginate(Bucket='logs', Prefix=sys.argv[4]):\n    \
    for item in page.get('Contents', []):\n        \
    sys.stdout.buffer.write(s3.get_object(Bucket='logs', Key=item['Key'])['Body'].read())\n";

/// A server with a bucket and a stream into it, ended when dropped.
pub(crate) struct Moto {
    server: Child,
    port: u16,
    ca_file: PathBuf,
    prefix: String,
    _directory: TempDir,
}

impl Moto {
    /// Whether there is one; says so when not.
    pub(crate) fn is_installed() -> bool {
        let found = Command::new("python3").args(["-c", "import moto.server, flask, boto3"]).output();
        let is_installed = found.is_ok_and(|output| output.status.success());
        if !is_installed {
            crate::support::skip("moto", "no moto[server]");
        }
        is_installed
    }

    pub(crate) fn start() -> Moto {
        let destination = serde_json::json!({
            "RoleARN": "arn:aws:iam::123456789012:role/x", "BucketARN": BUCKET, "Prefix": "p/",
        });
        Moto::with(&destination)
    }

    /// One whose stream has this `ExtendedS3DestinationConfiguration`, into the bucket [`BUCKET`].
    pub(crate) fn with(destination: &serde_json::Value) -> Moto {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".into(), "localhost".into()]).unwrap();
        fs::write(at("cert.pem"), certified.cert.pem()).unwrap();
        fs::write(at("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let log = File::create(at("log")).unwrap();
        let server = Command::new("python3")
            .args(["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", &port.to_string()])
            .arg("-c")
            .arg(at("cert.pem"))
            .arg("-k")
            .arg(at("key.pem"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let prefix = destination["Prefix"].as_str().unwrap().split("!{").next().unwrap().to_owned();
        let moto = Moto { server, port, ca_file: at("cert.pem"), prefix, _directory: directory };
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let said = || fs::read_to_string(moto._directory.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "moto does not answer: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        moto.script(CREATE, &destination.to_string()).unwrap();
        moto
    }

    fn script(&self, script: &str, argument: &str) -> io::Result<Vec<u8>> {
        let output = Command::new("python3")
            .arg("-c")
            .arg(format!("{PRELUDE}{script}"))
            .arg(format!("https://127.0.0.1:{}", self.port))
            .arg(&self.ca_file)
            .arg(STREAM)
            .arg(argument)
            .output()?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }
}

impl Destination for Moto {
    fn address(&self) -> Address<'_> {
        Address { port: self.port, ca_file: &self.ca_file }
    }

    fn fetch(&self) -> io::Result<Vec<u8>> {
        self.script(FETCH, &self.prefix)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
